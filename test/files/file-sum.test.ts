import { execFileSync } from 'node:child_process';
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createListDigest, type DigestName, oneShot } from '../../protocol/hash/digest.js';
import { FileSummer } from '../../src/files/file-sum.js';
import { naiveXxh128 } from '../lib/naive-xxh128.js';
import { Random } from '../lib/random.js';
import { tempDir } from '../lib/temp.js';

const CONTEXT = { protocol: 32, seed: 12345, seedFix: true, explicit: true };
/** Around the sizes that take one read, two, and the formulas of the sum. */
const SIZES = [0, 1, 240, 241, 1024, 4096, 256 * 1024, 256 * 1024 + 1, 700_000];

async function summer(name: DigestName): Promise<FileSummer> {
  return new FileSummer(await createListDigest(name, CONTEXT));
}

function sumOf(files: FileSummer, path: string, size: number): Buffer | null {
  const out = Buffer.alloc(files.length + 2, 0xee);
  const isRead = files.sum(Buffer.from(path), size, out, 1);
  t.equal(out[0] + out[out.length - 1], 2 * 0xee, 'nothing beside the sum is touched');
  return isRead ? out.subarray(1, -1) : null;
}

t.test('the sum of a file is that of its bytes', async (t) => {
  const path = join(tempDir(t), 'file');
  const [xxh128, md5] = [await summer('xxh128'), await summer('md5')];
  for (const size of SIZES) {
    const bytes = new Random(size).bytes(size);
    writeFileSync(path, bytes);
    t.same(sumOf(xxh128, path, size), naiveXxh128(bytes, 0), `xxh128 of ${size} bytes`);
    t.same(sumOf(md5, path, size), oneShot('md5', [bytes]), `md5 of ${size} bytes`);
  }
});

t.test('a file that has grown or shrunk since it was looked at', async (t) => {
  const path = join(tempDir(t), 'file');
  const bytes = new Random(1).bytes(300_000);
  writeFileSync(path, bytes);
  const files = await summer('md5');
  t.same(sumOf(files, path, 299_000), oneShot('md5', [bytes.subarray(0, 299_000)]), 'as long as it was');
  t.same(sumOf(files, path, 400_000), oneShot('md5', [bytes]), 'what is there');
});

t.test('what cannot be read has no sum', async (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'file'), 'x');
  symlinkSync('file', join(dir, 'link'));
  execFileSync('mkfifo', [join(dir, 'fifo')]);
  const files = await summer('xxh128');
  t.equal(sumOf(files, join(dir, 'missing'), 1), null, 'no file');
  t.equal(sumOf(files, join(dir, 'link'), 1), null, 'a link that has taken its place');
  t.equal(sumOf(files, dir, 1), null, 'a directory');
  t.ok(sumOf(files, join(dir, 'fifo'), 1), 'a fifo is not waited for');
  chmodSync(join(dir, 'file'), 0);
  if (process.getuid?.() !== 0) t.equal(sumOf(files, join(dir, 'file'), 1), null, 'no permission');
});
