import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { chooseSumHead, SumWriter, writeSumHead } from '../../protocol/delta/blocks.js';
import {
  createBlockDigest,
  createFileDigest,
  DIGEST_LENGTH,
  type DigestName,
  type SumContext,
} from '../../protocol/hash/digest.js';
import { recorder } from '../delta/recorder.js';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { startRelay } from '../lib/relay.js';
import { run } from '../lib/run.js';
import { type Teardown, tempDir } from '../lib/temp.js';

const BASIS = 20 * 700 + 123;

interface Wire {
  basis: Buffer;
  file: Buffer;
  /** What passed to the server and back. */
  sent: Buffer;
  got: Buffer;
}

/** A pair of real rsyncs with a listener in between; `capture` pushes a file over a basis with the given options. */
async function startPair(t: Teardown): Promise<(options: string[]) => Promise<Wire>> {
  const dir = tempDir(t);
  const [source, target] = [join(dir, 'file'), join(dir, 'to')];
  mkdirSync(target);
  const module = { path: target, 'read only': 'no' };
  const daemon = await startDaemon(t, RSYNC, { dir: join(dir, 'daemon'), modules: { to: module } });
  const relay = await startRelay(t, daemon.port);
  return async (options) => {
    const random = new Random(relay.sessions.length);
    const basis = random.bytes(BASIS);
    const file = Buffer.concat([basis.subarray(0, 5000), random.bytes(100), basis.subarray(5000)]);
    writeFileSync(source, file);
    writeFileSync(join(target, 'file'), basis);
    const url = `rsync://127.0.0.1:${relay.port}/to/`;
    const result = await run('rsync', ['-I', '--no-whole-file', ...options, source, url]);
    if (result.code !== 0) throw new Error(result.stderr);
    const session = relay.sessions[relay.sessions.length - 1];
    return { basis, file, sent: Buffer.concat(session.c2s), got: Buffer.concat(session.s2c) };
  };
}

async function blockSums(name: DigestName, ctx: SumContext, basis: Buffer): Promise<Buffer> {
  const { w, bytes } = recorder();
  const head = chooseSumHead(basis.length, {
    protocol: ctx.protocol,
    blockSize: 0,
    digestLength: DIGEST_LENGTH[name],
    redo: false,
  });
  writeSumHead(w, head);
  new SumWriter(await createBlockDigest(name, ctx)).write(w, basis, 0, basis.length, head);
  return bytes();
}

async function endOfFile(name: DigestName, ctx: SumContext, file: Buffer): Promise<Buffer> {
  const digest = await createFileDigest(name, ctx);
  const out = Buffer.alloc(4 + digest.length);
  digest.init();
  digest.update(file, 0, file.length);
  digest.final(out, 4);
  return out;
}

t.test('block sums and file sums are those of the real rsync', async (t) => {
  const capture = await startPair(t);
  const choices: DigestName[] = ['xxh128', 'xxh3', 'xxh64', 'md5', 'md4', 'sha1'];
  for (const name of choices) {
    for (const seed of [1, -5]) {
      const wire = await capture([`--checksum-choice=${name}`, `--checksum-seed=${seed}`]);
      const ctx = { protocol: 32, seed, seedFix: true, explicit: true };
      t.ok(wire.got.includes(await blockSums(name, ctx, wire.basis)), `block sums, ${name}, seed ${seed}`);
      t.ok(wire.sent.includes(await endOfFile(name, ctx, wire.file)), `file sum, ${name}, seed ${seed}`);
    }
  }
});

t.test('and so is the default of old protocols', async (t) => {
  const capture = await startPair(t);
  for (const protocol of [27, 29]) {
    const name = 'md4';
    const wire = await capture([`--protocol=${protocol}`, '--checksum-seed=77']);
    const ctx = { protocol, seed: 77, seedFix: false, explicit: false };
    t.ok(wire.got.includes(await blockSums(name, ctx, wire.basis)), `block sums, protocol ${protocol}`);
    t.ok(wire.sent.includes(await endOfFile(name, ctx, wire.file)), `file sum, protocol ${protocol}`);
  }
});
