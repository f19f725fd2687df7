import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { ByteWriter } from '../../protocol/bytes/writer.js';
import { FilterList } from '../../protocol/filter/rules.js';
import { parseCommand } from '../../src/cli/options.js';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC } from '../lib/project.js';
import { startRelay } from '../lib/relay.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const READER = { read: () => null };

function bytesOf(write: (w: ByteWriter) => void): Buffer {
  const chunks: Buffer[] = [];
  const w = new ByteWriter({
    write(view, release) {
      chunks.push(Buffer.from(view));
      release();
    },
  });
  write(w);
  w.flush();
  return Buffer.concat(chunks);
}

/** What our client would send for such options. */
function ourRules(args: string[], protocol: number, push: boolean): Buffer {
  const { options } = parseCommand([...args, 'x', 'y'], {});
  const list = new FilterList({
    side: push ? 'sender' : 'receiver',
    protocol,
    deleteExcluded: options.deleteExcluded,
    reader: READER,
    cvs: { home: null, names: 'zz *.yy' },
  });
  for (const source of options.filters) list.addSource(source, false);
  if (options.cvsExclude) list.addCvsExclude();
  return bytesOf((w) => list.writeTo(w, push));
}

const MODERN = [
  ['-f', '- *.x/', '-f', '+ y', '-f', 'P prot', '-f', 'show sh', '-f', '-p per', '-f', '-! neg', '-f', '-x user.*'],
  ['-f', ':n- .ex', '-f', ':e .rules', '-f', 'dir-merge,w+ .w', '-f', ':C', '-f', ':/ .abs', '-f', ':s .s'],
  ['-FF', '--exclude=- a', '--exclude=+ b', '--exclude= c', '--include=d/', '--exclude=/e/**/f'],
  ['-C', '-f', '- later'],
  ['-f', '-C', '-f', 'R risk', '-f', 'H hide', '-f', '-rs both', '-f', '-/ /abs'],
  ['-f', '- a', '-f', '!', '-f', '- b', '-f', ': .m', '-f', ':n .m', '-f', ': dir/.m'],
];
const OLD = [['--exclude=- a', '--exclude=b', '--include=c', '--exclude=+ d', '--exclude=e/'], ['-C']];

t.test('rules on the wire are those of the real client', async (t) => {
  const dir = tempDir(t);
  for (const name of ['src', 'module', 'dest']) mkdirSync(join(dir, name));
  writeFileSync(join(dir, 'src/a'), 'a');
  const modules = { m: { path: join(dir, 'module'), 'read only': 'no' } };
  const daemon = await startDaemon(t, RSYNC, { dir: join(dir, 'd'), modules });
  const relay = await startRelay(t, daemon.port);
  const url = `rsync://127.0.0.1:${relay.port}/m/`;
  const env = { HOME: '/nonexistent', CVSIGNORE: 'zz *.yy' };
  for (const protocol of [32, 30, 29, 28]) {
    for (const args of protocol < 29 ? OLD : MODERN) {
      for (const push of [true, false]) {
        for (const mode of ['--delete', '--delete-excluded']) {
          // Rules that this protocol cannot express end the run.
          if (protocol < 30 && push && args.includes('-p per')) continue;
          const all = ['-r', mode, ...args];
          const paths = push ? [`${dir}/src/`, url] : [url, `${dir}/dest/`];
          const before = relay.sessions.length;
          const result = await run('rsync', [`--protocol=${protocol}`, ...all, ...paths], { env });
          t.equal(result.code, 0, result.stderr);
          const sent = Buffer.concat(relay.sessions[before].c2s);
          const rules = ourRules(all, protocol, push);
          const label = `protocol ${protocol}, ${push ? 'push' : 'pull'}: ${all.join(' ')}`;
          // A push below 29 with --delete-excluded sends nothing at all, which is the session's business.
          if (push && protocol < 29 && mode === '--delete-excluded') continue;
          if (!t.ok(sent.includes(rules), label)) t.comment(rules.toString('latin1'), sent.toString('latin1'));
        }
      }
    }
  }
});

t.test('rules that an old peer does not understand', (t) => {
  const tooModern = { exitCode: 2, message: 'filter rules are too modern for remote rsync.' };
  t.throws(() => ourRules(['-f', ': .m'], 28, true), tooModern);
  t.throws(() => ourRules(['-f', '-/ x'], 28, false), tooModern);
  t.throws(() => ourRules(['-f', '-p x'], 29, true), tooModern);
  t.equal(ourRules(['-f', '-p x'], 29, false).toString('latin1'), '\x03\0\0\0- x\0\0\0\0');
  t.equal(ourRules(['-f', 'H x'], 28, false).toString('latin1'), '\x01\0\0\0x\0\0\0\0');
  t.end();
});

function received(side: 'sender' | 'receiver', protocol = 32): FilterList {
  return new FilterList({ side, protocol, deleteExcluded: false, reader: READER });
}

t.test('a server reads rules however the bytes are cut', (t) => {
  const wire = ourRules(['-f', '- *.x/', '-f', '+ y', '-f', 'H hid', '--exclude=/top'], 32, false);
  for (let step = 1; step <= wire.length; step++) {
    const list = received('sender');
    const r = new ByteReader();
    let done = false;
    for (let at = 0; at < wire.length; at += step) {
      t.equal(done, false);
      r.push(wire.subarray(at, at + step));
      done = list.readFrom(r);
    }
    t.equal(done, true);
    const scope = list.root(READER);
    t.same(
      [
        scope.verdict('a.x', true),
        scope.verdict('a.x', false),
        scope.verdict('d/y', false),
        scope.verdict('hid', false),
      ],
      [-1, 0, 1, -1],
    );
    t.same([scope.verdict('top', false), scope.verdict('d/top', false)], [-1, 0]);
  }
  t.end();
});

t.test('what a hostile client may not send', (t) => {
  const push = (...bytes: (number | string)[]): ByteReader => {
    const r = new ByteReader();
    for (const b of bytes) {
      r.push(typeof b === 'string' ? Buffer.from(b, 'latin1') : bytesOf((w) => w.i32(b)));
    }
    return r;
  };
  t.throws(() => received('sender').readFrom(push(5120)), { name: 'ProtocolError', exitCode: 22 });
  t.throws(() => received('sender').readFrom(push(-1)), { name: 'ProtocolError', exitCode: 22 });
  t.throws(() => received('sender').readFrom(push(3, 'foo', 0)), { exitCode: 1, message: 'Unknown filter rule: foo' });
  t.throws(() => received('sender').readFrom(push(6, '. /etc', 0)), { name: 'RsyncError', exitCode: 11 });
  t.equal(received('sender').readFrom(push(5119, 'x')), false);
  const old = received('sender', 28);
  t.equal(old.readFrom(push(3, 'foo', 5, '+ bar', 0)), true);
  t.equal(old.root(READER).verdict('foo', false), -1);
  t.equal(old.root(READER).verdict('bar', false), 1);
  const nul = received('sender');
  t.equal(nul.readFrom(push(7, '- a\0b c', 0)), true);
  t.equal(nul.root(READER).verdict('a', false), -1);
  const many = received('sender');
  const r = new ByteReader();
  const rule = Buffer.concat([bytesOf((w) => w.i32(5002)), Buffer.from(`- ${'x'.repeat(5000)}`)]);
  t.throws(
    () => {
      for (let i = 0; i < 20000; i++) {
        r.push(rule);
        many.readFrom(r);
      }
    },
    { name: 'ProtocolError', exitCode: 22 },
  );
  t.end();
});
