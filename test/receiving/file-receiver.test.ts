import { closeSync, mkdirSync, openSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { PlainTokenReader } from '../../protocol/delta/tokens.js';
import { createFileDigest } from '../../protocol/hash/digest.js';
import { FileReceiver } from '../../src/receiving/landing/file-receiver.js';
import { LongFiles } from '../../src/session/long-files.js';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const CONTEXT = { protocol: 32, seed: 3, seedFix: true, explicit: true };
const MIB = 1 << 20;
const BLOCK = 128 * 1024;
/** Blocks of the basis, and how many the file is made of. */
const COUNT = 8;
const USED = 900;

t.test('a few block numbers that stand for much data take several turns', async (t) => {
  const path = join(tempDir(t), 'basis');
  const basis = new Random(1).bytes(COUNT * BLOCK);
  writeFileSync(path, basis);
  const digest = await createFileDigest('xxh128', CONTEXT);
  const tokens = Buffer.alloc((USED + 1) * 4 + digest.length);
  const block = (i: number) => (i * 5) % COUNT;
  digest.init();
  for (let i = 0; i < USED; i++) {
    tokens.writeInt32LE(-(block(i) + 1), i * 4);
    digest.update(basis, block(i) * BLOCK, (block(i) + 1) * BLOCK);
  }
  digest.final(tokens, (USED + 1) * 4);

  const fd = openSync(path, 'r');
  t.teardown(() => closeSync(fd));
  const files = new FileReceiver(new PlainTokenReader(), await createFileDigest('xxh128', CONTEXT));
  const head = { count: COUNT, blockLength: BLOCK, sumLength: 2, remainder: 0 };
  files.begin({ output: null, basis: fd, head, updating: false, append: 0, lostBasis: null }, 0);
  const reader = new ByteReader();
  reader.push(tokens);
  let turns = 1;
  for (; !files.step(reader); turns++) {
    t.ok(files.isTurnOver, 'all input is there');
    t.notOk(files.step(reader), 'not before others had their turn');
    files.beginTurn();
  }
  t.equal(turns, Math.ceil((USED * BLOCK) / (32 * MIB)));
  t.equal(files.matchedBytes, USED * BLOCK);
  t.ok(files.sumMatches);
});

t.test('a file of many turns comes whole', async (t) => {
  const dir = tempDir(t);
  const content = new Random(2).bytes(70 * MIB);
  for (const side of ['source', 'target']) {
    mkdirSync(join(dir, side));
    writeFileSync(join(dir, side, 'f'), content);
  }
  const daemon = await startDaemon(t, TSRSYNC, {
    dir: join(dir, 'daemon'),
    modules: { m: { path: join(dir, 'target'), 'read only': 'no' } },
  });
  const changed = Buffer.from(content);
  changed.write('changed', 40 * MIB);
  const source = join(dir, 'source', 'f');
  for (const [program, dest, ...options] of [
    [RSYNC, daemon.url('m/')],
    [TSRSYNC, daemon.url('m/'), '--inplace'],
    [TSRSYNC, join(dir, 'target/'), '--no-whole-file'],
  ] as const) {
    // Another time, or it would be left alone; and back and forth, so that there is always a difference.
    changed[MIB] ^= 1;
    writeFileSync(source, changed);
    utimesSync(source, 1e9, 1e9 + changed[MIB]);
    const done = await runProgram(program, ['-t', '--stats', ...options, source, dest]);
    t.equal(done.code, 0, done.stderr);
    t.ok(readFileSync(join(dir, 'target', 'f')).equals(changed), `${program.name} ${dest}`);
    t.match(done.stdout, /Matched data: (6|7)\d,/, 'by blocks of the basis');
  }
});

t.test('what is prepared for long files is prepared once, before the first of them', async (t) => {
  let prepared = 0;
  const digest = await createFileDigest('xxh128', CONTEXT);
  const files = new FileReceiver(new PlainTokenReader(), digest, new LongFiles(() => prepared++));
  const head = { count: 0, blockLength: 0, sumLength: 0, remainder: 0 };
  const target = { output: null, basis: -1, head, updating: false, append: 0, lostBasis: null };
  const seen = [];
  for (const size of [0, 16 * MIB - 1, 16 * MIB, 1 << 30]) {
    files.begin(target, size);
    seen.push(prepared);
  }
  t.same(seen, [0, 0, 1, 1]);
});
