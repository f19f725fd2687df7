import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { createBlockDigest } from '../../protocol/hash/digest.js';
import { FIRST_FREE, Kernels } from '../../protocol/kernel/kernel.js';
import { SearchKernel } from '../../protocol/kernel/search-kernel.js';
import { SumKernel } from '../../protocol/kernel/sum-kernel.js';
import { rollingSum } from '../lib/naive.js';
import { Random } from '../lib/random.js';

/** Bytes with long runs and few values as well as arbitrary ones: the lanes of the sums overflow in different ways. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc
    .array(fc.tuple(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.integer({ min: 1, max: 900 })), { maxLength: 8 })
    .map((runs) => Buffer.concat(runs.map(([value, length]) => Buffer.alloc(length, value)))),
);

t.test('known values', async (t) => {
  const kernel = new SumKernel();
  const sum = (data: Buffer) =>
    data.length === 0 ? rollingSum(data) : kernel.sums(data, 0, data.length, data.length)[0];
  const known: [Buffer, number][] = [
    [Buffer.from(''), 0],
    [Buffer.from('a'), 0x00610061],
    [Buffer.from('abc'), 0x024a0126],
    [Buffer.from([0xff]), 0xffffffff],
    [Buffer.from('Hello\n'), 0x078501fe],
    [Buffer.from(Array.from({ length: 256 }, (_, i) => i)), 0x6a80ff80],
  ];
  for (const [data, expected] of known) {
    t.equal(rollingSum(data) >>> 0, expected);
    t.equal(sum(data) >>> 0, expected);
  }
});

t.test('sums of many blocks are those of the plain twin', async (t) => {
  const kernel = new SumKernel();
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 700 }), fc.nat(20), (data, blockLength, from) => {
      const start = Math.min(from, data.length);
      const sums = kernel.sums(data, start, data.length, blockLength);
      let i = 0;
      for (let at = start; at < data.length; at += blockLength) {
        const expected = rollingSum(data.subarray(at, Math.min(at + blockLength, data.length)));
        if (sums[i++] !== expected) return false;
      }
      return sums.length === i;
    }),
  );
  t.pass();
});

t.test('blocks that are longer than one call takes', async (t) => {
  const kernel = new SumKernel();
  const data = new Random(5).bytes(1_500_000);
  for (const blockLength of [1000, 200_000, 262_144, 300_000, 1_000_000, 2_000_000]) {
    const sums = kernel.sums(data, 3, data.length, blockLength);
    t.equal(sums.length, Math.ceil((data.length - 3) / blockLength));
    for (let i = 0; i < sums.length; i += Math.ceil(sums.length / 5)) {
      const at = 3 + i * blockLength;
      t.equal(sums[i], rollingSum(data.subarray(at, at + blockLength)), `${blockLength}, block ${i}`);
    }
  }
});

/** All positions at which the kernel stops, with the blocks of equal sum. */
function stops(kernel: SearchKernel, data: Uint8Array, blockLength: number, rolling: Int32Array): [number, number[]][] {
  kernel.prepare(data.length, blockLength, rolling, rolling.length);
  kernel.bytes.set(data, kernel.windowAt);
  const found: [number, number[]][] = [];
  const note = (position: number, head: number) => {
    const blocks: number[] = [];
    for (let block = head; block >= 0; block = kernel.next(block)) blocks.push(block);
    found.push([position, blocks]);
  };
  kernel.seek(0);
  if (kernel.head() >= 0) note(0, kernel.head());
  for (let at = 0; ; ) {
    at = kernel.scan(at, data.length - blockLength);
    if (at < 0) return found;
    note(at, kernel.foundHead());
  }
}

function naiveStops(data: Uint8Array, blockLength: number, rolling: Int32Array): [number, number[]][] {
  const found: [number, number[]][] = [];
  for (let at = 0; at + blockLength <= data.length; at++) {
    const sum = rollingSum(data.subarray(at, at + blockLength));
    const blocks = Array.from(rolling.keys()).filter((i) => rolling[i] === sum);
    if (blocks.length > 0) found.push([at, blocks]);
  }
  return found;
}

t.test('the scan stops exactly where the plain twin does', async (t) => {
  const kernel = new SearchKernel();
  const sum = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  fc.assert(
    fc.property(
      bytes,
      fc.integer({ min: 1, max: 100 }),
      fc.array(fc.nat(2900), { maxLength: 12 }),
      fc.array(sum),
      (data, blockLength, places, others) => {
        fc.pre(data.length >= blockLength);
        const real = places.map((p) => p % (data.length - blockLength + 1));
        const sums = real.map((p) => rollingSum(data.subarray(p, p + blockLength)));
        const rolling = Int32Array.from([...sums, ...others]);
        t.same(stops(kernel, data, blockLength, rolling), naiveStops(data, blockLength, rolling));
      },
    ),
    { numRuns: 60 },
  );
});

t.test('the memory grows with the index and nothing is lost', async (t) => {
  const kernel = new SearchKernel();
  const random = new Random(8);
  const data = random.bytes(5000);
  const few = Int32Array.of(rollingSum(data.subarray(77, 177)));
  t.same(stops(kernel, data, 100, few), [[77, [0]]]);
  const before = kernel.bytes;
  const many = new Int32Array(300_000);
  for (let i = 0; i < many.length; i++) many[i] = random.next();
  many[299_999] = few[0];
  const found = stops(kernel, data, 100, many);
  t.not(kernel.bytes, before, 'the view is a new one');
  t.same(
    found.filter(([at]) => at === 77),
    [[77, [299_999]]],
  );
  t.same(stops(kernel, data, 100, few), [[77, [0]]], 'a small index after a large one');
});

t.test('the generated bytes are what the sources compile to', async (t) => {
  const { status, stderr } = spawnSync(process.execPath, ['protocol/kernel/build.mjs', '--check']);
  t.equal(status, 0, stderr.toString());
});

t.test('the kernels of a session that is over serve the next one, whatever lies in their memory', async (t) => {
  const over = new Kernels();
  const kernel = over.take();
  kernel.reserve(FIRST_FREE + (1 << 19));
  kernel.bytes.fill(0xa5, FIRST_FREE);
  kernel.wasm.xxh128Seed(BigInt(7));
  over.release();
  const next = new Kernels();
  t.equal(next.take(), kernel);
  t.not(next.take(), kernel, 'as long as nobody has it');
  const data = new Random(9).bytes(5000);
  const rolling = new SumKernel(kernel).sums(data, 0, data.length, 500).slice();
  t.same(rolling, new SumKernel().sums(data, 0, data.length, 500));
  t.same(stops(new SearchKernel(kernel), data, 500, rolling), stops(new SearchKernel(), data, 500, rolling));
  next.release();

  const context = { protocol: 32, seed: 3, seedFix: true, explicit: true };
  const [fresh, used] = [Buffer.alloc(16), Buffer.alloc(16)];
  (await createBlockDigest('xxh128', context)).sum(data, 0, data.length, fresh, 0);
  (await createBlockDigest('xxh128', { ...context, kernels: next })).sum(data, 0, data.length, used, 0);
  t.same(used, fresh);
});

t.test('a kernel whose memory has grown large is not kept', async (t) => {
  const over = new Kernels();
  const kernel = over.take();
  kernel.reserve(2 << 20);
  over.release();
  const next = new Kernels();
  for (let i = 0; i < 20; i++) t.not(next.take(), kernel);
});
