import { closeSync, fstatSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { chooseSumHead, type SumHead, SumWriter } from '../../protocol/delta/blocks.js';
import { type BlockDigest, createBlockDigest, type DigestName } from '../../protocol/hash/digest.js';
import { BasisSums } from '../../src/receiving/basis/sums.js';
import { connectMemory } from '../../src/transport/memory.js';
import { recorder } from '../delta/recorder.js';
import { Random } from '../lib/random.js';
import { tempDir } from '../lib/temp.js';

const CONTEXT = { protocol: 32, seed: 3, seedFix: true, explicit: true };
/** More than another thread is asked to help with, and no multiple of anything. */
const LARGE = 16 * 1024 * 1024 + 654_321;

const head = (size: number, digest: BlockDigest, blockSize = 0): SumHead =>
  chooseSumHead(size, { protocol: 32, blockSize, digestLength: digest.length, redo: false });

/** What is sent for a file by one that may, or may not, use another thread. */
async function sent(path: string, what: SumHead, digest: BlockDigest, hasHelp: boolean): Promise<Buffer> {
  const [here, there] = connectMemory();
  await new BasisSums(here, new SumWriter(digest), CONTEXT.seed, hasHelp).send(openSync(path, 'r'), what);
  here.flush();
  return there.reader.takeRest();
}

async function expected(bytes: Buffer, what: SumHead, name: DigestName): Promise<Buffer> {
  const recorded = recorder();
  const digest = await createBlockDigest(name, CONTEXT);
  new SumWriter(digest).write(recorded.w, bytes, 0, bytes.length, what);
  return recorded.bytes();
}

t.test('the sums are those of the file, whoever reads it', async (t) => {
  const path = join(tempDir(t), 'basis');
  const bytes = new Random(1).bytes(LARGE);
  for (const size of [1, 700, 300_000, LARGE]) {
    writeFileSync(path, bytes.subarray(0, size));
    for (const name of ['xxh128', 'md5'] as const) {
      const digest = await createBlockDigest(name, CONTEXT);
      for (const blockSize of [0, 100_000]) {
        const what = head(size, digest, blockSize);
        const right = await expected(bytes.subarray(0, size), what, name);
        for (const aside of [true, false]) {
          const same = right.equals(await sent(path, what, digest, aside));
          t.ok(same, `${name}, ${size} bytes, blocks of ${what.blockLength}${aside ? ', aside' : ''}`);
        }
      }
    }
  }
});

t.test('what is missing of a basis that shrank counts as zeros', async (t) => {
  const path = join(tempDir(t), 'basis');
  const bytes = new Random(2).bytes(LARGE);
  const digest = await createBlockDigest('xxh128', CONTEXT);
  const what = head(LARGE, digest);
  writeFileSync(path, bytes);
  truncateSync(path, LARGE - 3_000_001);
  bytes.fill(0, LARGE - 3_000_001);
  const right = await expected(bytes, what, 'xxh128');
  for (const aside of [true, false]) t.ok(right.equals(await sent(path, what, digest, aside)), `aside: ${aside}`);
});

t.test('a basis that cannot be read, or a connection that is gone: its descriptor is closed', async (t) => {
  const dir = tempDir(t);
  const digest = await createBlockDigest('xxh128', CONTEXT);
  for (const aside of [true, false]) {
    const [here] = connectMemory();
    const sums = new BasisSums(here, new SumWriter(digest), CONTEXT.seed, aside);
    const fd = openSync(dir, 'r');
    await t.rejects(sums.send(fd, head(LARGE, digest)), { code: 'EISDIR' });
    t.throws(() => fstatSync(fd), { code: 'EBADF' });
  }
  const path = join(dir, 'basis');
  writeFileSync(path, Buffer.alloc(LARGE));
  for (const aside of [true, false]) {
    const [here] = connectMemory();
    const fd = openSync(path, 'r');
    here.fail(new Error('gone'));
    await t.rejects(new BasisSums(here, new SumWriter(digest), CONTEXT.seed, aside).send(fd, head(LARGE, digest)), {
      message: 'gone',
    });
    t.throws(() => closeSync(fd), { code: 'EBADF' });
  }
});
