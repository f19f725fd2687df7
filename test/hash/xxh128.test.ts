import fc from 'fast-check';
import { createXXHash128 } from 'hash-wasm';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { SumWriter } from '../../protocol/delta/blocks.js';
import { createBlockDigest, createFileDigest } from '../../protocol/hash/digest.js';
import { Kernel } from '../../protocol/kernel/kernel.js';
import { recorder } from '../delta/recorder.js';
import { rollingSum } from '../lib/naive.js';
import { naiveXxh128 } from '../lib/naive-xxh128.js';
import { Random } from '../lib/random.js';

const context = (seed: number) => ({ protocol: 32, seed, seedFix: true, explicit: true });

/** Lengths around every border of the formula, and those that the streams are cut at. */
const length = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 900, max: 5000 }),
  fc.constantFrom(1023, 1024, 1025, 1088, 1089, 2048, 2049, 24_576, 24_577),
);
const seed = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

t.test('the plain twin is the XXH128 of others', async (t) => {
  const random = new Random(4);
  for (const n of [0, 1, 3, 4, 8, 9, 16, 17, 33, 65, 97, 128, 129, 160, 240, 241, 256, 1024, 1025, 1088, 5000]) {
    const data = random.bytes(n);
    for (const value of [0, 7, -7]) {
      const other = await createXXHash128(value >>> 0, value < 0 ? 0xffffffff : 0);
      const expected = Buffer.from(other.update(data).digest('binary')).reverse();
      t.same(naiveXxh128(data, value), expected, `${n} bytes, seed ${value}`);
    }
  }
});

t.test('blocks: every length and seed, wherever they lie', async (t) => {
  const random = new Random(5);
  await fc.assert(
    fc.asyncProperty(length, seed, async (n, value) => {
      const kernel = new Kernel();
      const digest = await createBlockDigest('xxh128', context(value), kernel);
      const data = random.bytes(n + 3);
      const out = Buffer.alloc(34);
      digest.sum(data, 3, n + 3, out, 1);
      kernel.reserve(100_000);
      kernel.bytes.set(data, 70_001);
      digest.sum(kernel.bytes, 70_004, 70_004 + n, out, 18);
      const expected = naiveXxh128(data.subarray(3), value);
      return out.subarray(1, 17).equals(expected) && out.subarray(18).equals(expected);
    }),
    { numRuns: 150 },
  );
  t.pass();
});

t.test('streams: any pieces, from outside and from the memory of the kernel', async (t) => {
  const digest = await createFileDigest('xxh128', context(9));
  const kernel = digest.kernel!;
  const random = new Random(6);
  const out = Buffer.alloc(16);
  fc.assert(
    fc.property(length, fc.array(fc.integer({ min: 1, max: 3000 })), (n, cuts) => {
      const data = random.bytes(n);
      kernel.reserve(100_000);
      kernel.bytes.set(data, 65_536);
      digest.init();
      let at = 0;
      for (const [index, cut] of cuts.entries()) {
        const to = Math.min(n, at + cut);
        if (index % 2 === 0) digest.update(data, at, to);
        else digest.update(kernel.bytes, 65_536 + at, 65_536 + to);
        at = to;
      }
      digest.update(data, at, n);
      digest.final(out, 0);
      return out.equals(naiveXxh128(data, 0));
    }),
    { numRuns: 150 },
  );
  t.pass();
});

t.test('records of many blocks in one call', async (t) => {
  const random = new Random(7);
  await fc.assert(
    fc.asyncProperty(
      length,
      fc.integer({ min: 1, max: 1500 }),
      fc.integer({ min: 0, max: 16 }),
      fc.boolean(),
      async (n, blockLength, sumLength, isInPlace) => {
        fc.pre(n > 0 && n < 6000);
        const sums = new SumWriter(await createBlockDigest('xxh128', context(-3)));
        const data = random.bytes(n);
        const { w, bytes } = recorder();
        const head = { count: Math.ceil(n / blockLength), blockLength, sumLength, remainder: n % blockLength };
        if (isInPlace) {
          const room = sums.room(n, head.count, head);
          room.bytes.set(data, room.at);
          const middle = room.at + (head.count >> 1) * blockLength;
          // The results of the first half must not lie in the second one.
          if (head.count > 1) sums.write(w, room.bytes, room.at, middle, head);
          sums.write(w, room.bytes, middle, room.at + n, head);
        } else {
          sums.write(w, data, 0, n, head);
        }
        const r = new ByteReader();
        r.push(bytes());
        for (let at = 0; at < n; at += blockLength) {
          const block = data.subarray(at, at + blockLength);
          if (r.i32() !== rollingSum(block)) return false;
          if (!r.bytes(sumLength).equals(naiveXxh128(block, -3).subarray(0, sumLength))) return false;
        }
        return r.buffered === 0;
      },
    ),
    { numRuns: 100 },
  );
  t.pass();
});
