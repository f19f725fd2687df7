import fc from 'fast-check';
import t from 'tap';
import { NdxReader, NdxWriter } from '../../protocol/bytes/ndx.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { Basis, Item, NDX_DONE } from '../../protocol/constants.js';
import { EMPTY_HEAD, writeSumHead } from '../../protocol/delta/blocks.js';
import { Answers, FileAnswers, Record } from '../../protocol/delta/file-answers.js';
import { PlainTokenReader, PlainTokenWriter } from '../../protocol/delta/tokens.js';
import { createFileDigest, type Digest } from '../../protocol/hash/digest.js';
import { Kernel } from '../../protocol/kernel/kernel.js';
import { writeItem } from '../../protocol/request.js';
import { Random } from '../lib/random.js';
import { framed, PROTOCOL, pieces, Reading, type Runs, SUM_LENGTH } from './answer-reading.js';
import { recorder } from './recorder.js';

const PLAIN = Item.TRANSFER | Item.IS_NEW;
const CONTENT = new Random(4).bytes(100_000);

/** An answer of a kind that is plain, or of one that only looks like it. */
function writeAnswer(
  w: ReturnType<typeof recorder>['w'],
  ndxOut: NdxWriter,
  random: Random,
  ndx: number,
  digest: Digest,
) {
  const odd = random.chance(10) ? random.int(6) : -1;
  const iflags = odd === 0 ? Item.REPORT_TIME : PLAIN | (odd === 1 ? Item.REPORT_CHANGE : 0);
  const xname = odd === 2 ? random.bytes(random.int(20)) : null;
  writeItem(w, ndxOut, PROTOCOL, ndx, iflags, odd === 2 ? Basis.FUZZY : Basis.FNAME, xname);
  if (odd === 0) return;
  writeSumHead(w, odd === 3 ? { count: 2, blockLength: 700, sumLength: 2, remainder: 1 } : EMPTY_HEAD);
  const tokens = new PlainTokenWriter(w);
  const size = random.chance(5) ? random.int(70_000) : random.pick([0, 1, 3, 16, 240, 241, 4096, random.int(9000)]);
  const from = random.int(CONTENT.length - size);
  digest.init();
  digest.update(CONTENT, from, from + size);
  tokens.literal(CONTENT, from, from + size);
  if (odd === 3) tokens.match(1, CONTENT, 0, 1);
  tokens.end();
  const sum = Buffer.alloc(SUM_LENGTH);
  digest.final(sum, 0);
  if (odd === 4) sum[random.int(SUM_LENGTH)] ^= 1 << random.int(8);
  w.bytes(sum);
}

/** What a sender may answer: files, mostly one after the other, and ends of lists. */
function answers(random: Random, count: number, digest: Digest): Buffer {
  const { w, bytes } = recorder();
  const ndxOut = new NdxWriter(PROTOCOL);
  let ndx = random.int(10);
  for (let i = 0; i < count; i++) {
    writeAnswer(w, ndxOut, random, ndx, digest);
    if (random.chance(4)) ndxOut.write(w, NDX_DONE);
    ndx += random.chance(5) ? random.pick([252, 253, 254, 70_000, -1]) : 1;
    if (ndx < 0) ndx = 0;
  }
  ndxOut.write(w, NDX_DONE);
  return bytes();
}

/** Those that lie ready, or some of them. */
class PlainRuns implements Runs {
  readonly answers = new FileAnswers(new Kernel());

  constructor(readonly taken: (count: number) => number) {}

  content(k: number): Uint8Array {
    const { records, data } = this.answers;
    const from = records[k * Record.WORDS + Record.FROM];
    return data.subarray(from, from + records[k * Record.WORDS + Record.LENGTH]);
  }
}

function reading(chunks: Buffer[], digest: Digest, taken: ((count: number) => number) | null): Reading {
  return new Reading(chunks, digest, new PlainTokenReader(), taken && new PlainRuns(taken)).all();
}

t.test('answers that are read in runs are the same as one by one, however they come', async (t) => {
  const digest = await createFileDigest('xxh128', { protocol: PROTOCOL, seed: 1, seedFix: true, explicit: true });
  let inRuns = 0;
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 90_000 }), fc.boolean(), (seed, longest, takesAll) => {
      const random = new Random(seed);
      const bytes = framed(random, answers(random, longest < 500 ? 5 : 100, digest), longest);
      const taken = (count: number) => (takesAll || random.chance(80) ? count : random.int(count));
      const expected = reading([bytes], digest, null);
      const actual = reading(pieces(random, bytes, longest), digest, taken);
      t.same(actual.lines, expected.lines, `seed ${seed}`);
      inRuns += actual.inRuns;
    }),
    { numRuns: 30, endOnFailure: true },
  );
  t.ok(inRuns > 1000, `${inRuns} answers were taken in runs`);
});

t.test('a connection that is cut at any byte leaves what was whole', async (t) => {
  const digest = await createFileDigest('xxh128', { protocol: PROTOCOL, seed: 1, seedFix: true, explicit: true });
  const random = new Random(7);
  const bytes = framed(random, answers(random, 3, digest), 3000);
  for (let length = 0; length <= bytes.length; length += length < 200 ? 1 : 13) {
    const cut = bytes.subarray(0, length);
    const [expected, actual] = [null, (n: number) => n].map((taken) => reading([cut], digest, taken).lines);
    t.same(actual.slice(0, -1), expected.slice(0, -1), `${length} bytes`);
  }
});

/** One answer, byte by byte: `index` stands for the small step to its index. */
function answer(
  digest: Digest,
  size: number,
  parts: { index?: number[]; iflags?: number; head?: number[]; end?: number },
) {
  const { index = [1], iflags = PLAIN, head = [0, 0, 0, 0], end = 0 } = parts;
  const words = Buffer.alloc(22);
  words.writeUInt16LE(iflags);
  for (const [i, word] of head.entries()) words.writeInt32LE(word, 2 + 4 * i);
  words.writeInt32LE(size, 18);
  const after = Buffer.alloc(4 + SUM_LENGTH);
  after.writeInt32LE(end);
  digest.init();
  digest.update(CONTENT, 0, size);
  digest.final(after, 4);
  return Buffer.concat([Buffer.from(index), words, CONTENT.subarray(0, size), after]);
}

t.test('each way in which an answer is not plain ends a run in front of it', async (t) => {
  const digest = await createFileDigest('xxh128', { protocol: PROTOCOL, seed: 1, seedFix: true, explicit: true });
  const read = (bytes: Buffer): number[] => {
    const reader = new ByteReader();
    reader.push(Buffer.concat([bytes, Buffer.alloc(300)]));
    const { pos } = reader;
    const count = new FileAnswers(new Kernel()).read(reader, new NdxReader(PROTOCOL));
    return [count, reader.pos - pos];
  };
  const other = [Answers.OTHER, 0];
  t.same(read(answer(digest, 5000, {})), [1, 0]);
  t.same(read(answer(digest, 32 * 1024, {})), [1, 0]);
  t.same(read(answer(digest, 32 * 1024 + 1, {})), other, 'a token that is too long');
  t.same(read(answer(digest, 5000, { end: 1 })), other, 'another token');
  t.same(read(answer(digest, 5000, { end: -1 })), other, 'a match');
  t.same(read(answer(digest, 5000, { index: [0xfe] })), other, 'a large step');
  t.same(read(answer(digest, 5000, { index: [0xff] })), other, 'a negative index');
  t.same(read(answer(digest, 5000, { index: [0] })), other, 'the end of a list');
  t.same(read(answer(digest, 5000, { iflags: Item.IS_NEW })), other, 'no transfer');
  t.same(read(answer(digest, 5000, { iflags: PLAIN | Item.BASIS_TYPE_FOLLOWS })), other, 'a basis');
  t.same(read(answer(digest, 5000, { iflags: PLAIN | Item.XNAME_FOLLOWS })), other, 'a name');
  for (const i of [0, 1, 2, 3]) {
    const head = [0, 0, 0, 0];
    head[i] = 1;
    t.same(read(answer(digest, 5000, { head })), other, `word ${i} of the sum head`);
  }
});
