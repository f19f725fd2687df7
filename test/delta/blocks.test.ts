import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import {
  BlockSums,
  chooseSumHead,
  EMPTY_HEAD,
  flength,
  readSumHead,
  type SumHead,
  SumWriter,
  writeSumHead,
} from '../../protocol/delta/blocks.js';
import { createBlockDigest } from '../../protocol/hash/digest.js';
import { rollingSum } from '../lib/naive.js';
import { Random } from '../lib/random.js';
import { splits } from '../lib/splits.js';
import { recorder } from './recorder.js';

const CONTEXT = { protocol: 32, seed: 3, seedFix: true, explicit: true };

t.test('the head is the one that the reference chooses', async (t) => {
  const auto = { protocol: 32, blockSize: 0, digestLength: 16, redo: false };
  const table: [number, number[]][] = [
    [700, [1, 700, 2, 0]],
    [490_000, [700, 700, 2, 0]],
    [491_000, [702, 700, 2, 300]],
    [1e6, [1000, 1000, 2, 0]],
    [5e6, [2241, 2232, 2, 320]],
    [123_456_789, [11119, 11104, 3, 2517]],
    [5e9, [70718, 70704, 4, 25232]],
    [1e12, [7629395, 131072, 5, 69632]],
  ];
  for (const [length, [count, blockLength, sumLength, remainder]] of table) {
    const head = chooseSumHead(length, auto);
    t.same(head, { count, blockLength, sumLength, remainder }, `${length} bytes`);
    t.equal(flength(head), length);
  }
  t.same(chooseSumHead(0, auto), EMPTY_HEAD);
  t.equal(flength(EMPTY_HEAD), 0);
  t.equal(chooseSumHead(1e6, { ...auto, redo: true }).sumLength, 16);
  t.equal(chooseSumHead(1e6, { ...auto, redo: true, digestLength: 8 }).sumLength, 8);
  t.equal(chooseSumHead(1e6, { ...auto, digestLength: 1 }).sumLength, 1);
  t.same(chooseSumHead(10_000, { ...auto, blockSize: 4096 }), {
    count: 3,
    blockLength: 4096,
    sumLength: 2,
    remainder: 1808,
  });
  t.equal(chooseSumHead(1e12, { ...auto, protocol: 29 }).blockLength, 1e6, 'longer blocks below protocol 30');
  t.same(chooseSumHead(2 ** 45, { ...auto, blockSize: 700 }), EMPTY_HEAD, 'more blocks than the wire can count');
});

t.test('heads survive the wire in any pieces', async (t) => {
  const head = { count: 702, blockLength: 700, sumLength: 2, remainder: 300 };
  const { w, bytes } = recorder();
  writeSumHead(w, head);
  for (const [name, read] of splits(bytes(), readHeads)) t.same(read, [head], name);
});

function readHeads(chunks: Buffer[]): SumHead[] {
  const r = new ByteReader();
  const heads: SumHead[] = [];
  for (const chunk of chunks) {
    r.push(chunk);
    const head = readSumHead(r, 32, 16);
    if (head) heads.push(head);
  }
  return heads;
}

t.test('a head out of bounds is refused with exit code 2', async (t) => {
  const bad: [string, number[], number][] = [
    ['negative count', [-1, 700, 2, 0], 32],
    ['no block length', [1, 0, 2, 0], 32],
    ['negative block length', [0, -1, 2, 0], 32],
    ['long blocks', [1, 131073, 2, 0], 30],
    ['long blocks of old', [1, 2 ** 29 + 1, 2, 0], 29],
    ['long sums', [1, 700, 17, 0], 32],
    ['negative sums', [1, 700, -1, 0], 32],
    ['remainder', [1, 700, 2, 701], 32],
    ['negative remainder', [1, 700, 2, -1], 32],
  ];
  for (const [name, values, protocol] of bad) {
    const r = new ByteReader();
    r.push(Buffer.from(Int32Array.from(values).buffer));
    const expected = { name: 'ProtocolError', exitCode: 2 };
    t.throws(() => readSumHead(r, protocol, 16), expected, name);
  }
  const r = new ByteReader();
  r.push(Buffer.from(Int32Array.from([1, 2 ** 29, 2, 0]).buffer));
  t.equal(readSumHead(r, 29, 16)?.blockLength, 2 ** 29);
});

t.test('written sums are read back, in any pieces', async (t) => {
  const digest = await createBlockDigest('xxh128', CONTEXT);
  for (const [length, blockSize] of [
    [50_000, 700],
    [600_000, 131_072],
    [1_000_000, 33],
  ]) {
    const data = new Random(length).bytes(length);
    const head = chooseSumHead(length, { protocol: 32, blockSize, digestLength: 16, redo: false });
    const { w, bytes } = recorder();
    const padded = Buffer.concat([Buffer.alloc(5), data]);
    new SumWriter(digest).write(w, padded, 5, padded.length, head);
    const wire = bytes();
    t.equal(wire.length, head.count * (4 + head.sumLength));
    const strong = Buffer.alloc(16);
    for (const [name, sums] of splits(wire, (chunks) => readSums(head, chunks), [1])) {
      let wrong = 0;
      for (let i = 0; i < head.count; i++) {
        const block = data.subarray(i * head.blockLength, (i + 1) * head.blockLength);
        digest.sum(block, 0, block.length, strong, 0);
        const theirs = sums.strong.subarray(i * head.sumLength, (i + 1) * head.sumLength);
        if (sums.rolling[i] !== rollingSum(block) || strong.compare(theirs, 0, head.sumLength, 0, head.sumLength))
          wrong++;
      }
      t.equal(wrong, 0, `${blockSize}, ${name}`);
    }
  }
});

function readSums(head: SumHead, chunks: Buffer[]): BlockSums {
  const r = new ByteReader();
  const sums = new BlockSums();
  sums.start(head);
  let complete = false;
  for (const chunk of chunks) {
    r.push(chunk);
    complete = sums.read(r);
  }
  if (!complete) throw new Error('sums are missing');
  return sums;
}

t.test('a head that announces much takes no memory', async (t) => {
  const sums = new BlockSums();
  const r = new ByteReader();
  sums.start({ count: 0x7fffffff, blockLength: 131072, sumLength: 16, remainder: 0 });
  r.push(Buffer.alloc(20 * 3000));
  t.notOk(sums.read(r));
  t.equal(sums.filled, 3000);
  t.ok(sums.rolling.length <= 8192);
  t.ok(sums.strong.length <= 8192 * 16);
  sums.start({ count: 1, blockLength: 700, sumLength: 2, remainder: 0 });
  t.notOk(sums.read(r), 'a new start forgets the old sums');
  r.push(Buffer.from('010203040506', 'hex'));
  t.ok(sums.read(r));
  t.equal(sums.rolling[0], 0x04030201);
});
