import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import t from 'tap';
import {
  createBlockDigest,
  createFileDigest,
  createListDigest,
  DIGEST_LENGTH,
  type DigestName,
  loadMd4,
  oneShot,
  type SumContext,
} from '../../protocol/hash/digest.js';
import { Random } from '../lib/random.js';

const PLAIN: SumContext = { protocol: 32, seed: 0, seedFix: true, explicit: true };
const NAMES = Object.keys(DIGEST_LENGTH) as DigestName[];

async function fileSum(name: DigestName, data: Buffer, cuts: number[] = [], ctx = PLAIN): Promise<string> {
  const digest = await createFileDigest(name, ctx);
  const out = Buffer.alloc(digest.length + 2, 0xee);
  digest.init();
  let from = 0;
  for (const to of [...cuts, data.length]) {
    digest.update(data, from, to);
    from = to;
  }
  digest.final(out, 1);
  t.equal(out[0], 0xee);
  t.equal(out[out.length - 1], 0xee, `${name} writes no more than its length`);
  return out.toString('hex', 1, 1 + digest.length);
}

async function blockSum(name: DigestName, data: Buffer, ctx: SumContext): Promise<string> {
  const digest = await createBlockDigest(name, ctx);
  const out = Buffer.alloc(digest.length);
  const padded = Buffer.concat([Buffer.from('xyz'), data, Buffer.from('z')]);
  digest.sum(padded, 3, 3 + data.length, out, 0);
  return out.toString('hex');
}

t.test('known values in wire form', async (t) => {
  const hello = Buffer.from('Hello\n');
  t.equal(await fileSum('xxh128', hello), '6aaa290cd2d929a66c94af5a8f6c66a7');
  t.equal(await fileSum('xxh3', hello), '3b68926c7490c32b');
  t.equal(await fileSum('xxh64', hello), '6f8b0d068287ca8c');
  t.equal(await fileSum('md4', Buffer.alloc(0)), '31d6cfe0d16ae931b73c59d7e0c089c0');
  t.equal(await fileSum('md5', hello), createHash('md5').update(hello).digest('hex'));
  t.equal(await fileSum('sha1', hello), createHash('sha1').update(hello).digest('hex'));
  t.equal(await fileSum('none', hello), '00');
});

t.test('one object serves many files, fed in any pieces', async (t) => {
  const random = new Random(4);
  const data = random.bytes(100_000);
  for (const name of NAMES) {
    const whole = await fileSum(name, data);
    t.equal(await fileSum(name, data, [0, 1, 1, 65, 16384, 50_001]), whole, name);
    const digest = await createListDigest(name, PLAIN);
    for (const length of [0, 1, 240, 241, 100_000]) {
      const out = Buffer.alloc(digest.length);
      digest.init();
      digest.update(data, 0, length);
      digest.final(out, 0);
      t.equal(out.toString('hex'), await fileSum(name, data.subarray(0, length)), `${name} of ${length} bytes`);
    }
  }
});

t.test('long and short input agree with the hash tools', async (t) => {
  const tools: [DigestName, string, string[]][] = [
    ['md5', 'md5sum', []],
    ['sha1', 'sha1sum', []],
    ['xxh128', 'xxhsum', ['-H2', '--little-endian']],
    ['xxh64', 'xxhsum', ['-H1', '--little-endian']],
  ];
  const random = new Random(9);
  for (const [name, command, args] of tools) {
    if (spawnSync(command, ['--version']).error) {
      t.comment(`${command} is not installed`);
      continue;
    }
    for (const length of [0, 3, 16, 17, 128, 129, 240, 241, 1024, 1025, 20_000, 300_000]) {
      const data = random.bytes(length);
      const { stdout } = spawnSync(command, args, { input: data });
      t.equal(await fileSum(name, data), stdout.toString().split(' ')[0], `${name} of ${length} bytes`);
      t.equal(await blockSum(name, data, PLAIN), await fileSum(name, data), `block ${name} of ${length} bytes`);
    }
  }
});

t.test('seeds of block sums go where the algorithm wants them', async (t) => {
  const seed = Buffer.from([0xfb, 0xff, 0xff, 0xff]);
  const ctx = { ...PLAIN, seed: -5 };
  for (const length of [10, 5000]) {
    const data = new Random(length).bytes(length);
    const md5 = (...parts: Buffer[]) => oneShot('md5', parts).toString('hex');
    t.equal(await blockSum('md5', data, ctx), md5(seed, data));
    t.equal(await blockSum('md5', data, { ...ctx, seedFix: false }), md5(data, seed));
    t.equal(await blockSum('sha1', data, ctx), oneShot('sha1', [seed, data]).toString('hex'));
    await loadMd4();
    t.equal(await blockSum('md4', data, ctx), oneShot('md4', [data, seed]).toString('hex'));
    t.equal(await blockSum('none', data, ctx), '00');
  }
});

t.test('the whole-file sum is seeded only for the default MD4', async (t) => {
  await loadMd4();
  const data = new Random(1).bytes(3000);
  const old = { protocol: 29, seed: 7, seedFix: false, explicit: false };
  t.equal(await fileSum('md4', data, [], old), oneShot('md4', [Buffer.from([7, 0, 0, 0]), data]).toString('hex'));
  const unseeded = { ...old, seed: 0 };
  t.equal(await fileSum('md4', data, [], unseeded), oneShot('md4', [Buffer.alloc(4), data]).toString('hex'));
  t.equal(await fileSum('md4', data, [], { ...old, explicit: true }), oneShot('md4', [data]).toString('hex'));
  t.equal(await fileSum('md5', data, [], { ...PLAIN, seed: 7 }), oneShot('md5', [data]).toString('hex'));
});
