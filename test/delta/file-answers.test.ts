import fc from 'fast-check';
import t from 'tap';
import { NdxReader, NdxWriter } from '../../protocol/bytes/ndx.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { Basis, Item, MPLEX_BASE, NDX_DONE } from '../../protocol/constants.js';
import { EMPTY_HEAD, readSumHead, writeSumHead } from '../../protocol/delta/blocks.js';
import { Answers, FileAnswers, Record } from '../../protocol/delta/file-answers.js';
import { PlainTokenReader, PlainTokenWriter, Token } from '../../protocol/delta/tokens.js';
import { createFileDigest, type Digest, oneShot } from '../../protocol/hash/digest.js';
import { Kernel } from '../../protocol/kernel/kernel.js';
import { ItemHeader, readItemHeader, writeItem } from '../../protocol/request.js';
import { Random } from '../lib/random.js';
import { recorder } from './recorder.js';

const PROTOCOL = 32;
const SUM_LENGTH = 16;
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

/** The bytes as frames, some of them empty or with nothing for the stream. */
function framed(random: Random, bytes: Buffer, longest: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const n = Math.min(bytes.length - at, random.chance(5) ? 0 : 1 + random.int(longest));
    const head = Buffer.alloc(4);
    head.writeUInt32LE(n | (MPLEX_BASE << 24));
    parts.push(head, bytes.subarray(at, at + n));
    at += n;
  }
  return Buffer.concat(parts);
}

/** Reads what the code in TypeScript says of the answers, and what the runs say where they say something. */
class Reading {
  readonly lines: string[] = [];
  inRuns = 0;
  private next = 0;
  private readonly runs: FileAnswers | null;
  private readonly reader = new ByteReader();
  private readonly ndxIn = new NdxReader(PROTOCOL);
  private readonly item = new ItemHeader();
  private readonly sum = Buffer.alloc(SUM_LENGTH);

  constructor(
    private readonly chunks: Buffer[],
    private readonly digest: Digest,
    /** Where there are runs: says how many of the answers that lie ready are taken. */
    private readonly taken: ((count: number) => number) | null,
  ) {
    this.runs = taken === null ? null : new FileAnswers(new Kernel());
    this.reader.startFrames(() => {});
  }

  /** Repeats a step until there is enough for it; false at the end. */
  private enough(step: () => boolean): boolean {
    while (!step()) {
      const chunk = this.chunks[this.next++];
      if (chunk === undefined) return false;
      this.reader.push(chunk);
    }
    return true;
  }

  all(): this {
    while (this.takeRuns() && this.one());
    this.lines.push(`${this.reader.buffered} bytes are left`);
    return this;
  }

  private takeRuns(): boolean {
    const { runs, taken, reader, ndxIn } = this;
    if (runs === null || taken === null) return true;
    return this.enough(() => {
      for (;;) {
        const count = runs.read(reader, ndxIn);
        if (count <= 0) return count === Answers.OTHER;
        const n = taken(count);
        for (let k = 0; k < n; k++) {
          const at = k * Record.WORDS;
          const from = runs.records[at + Record.FROM];
          const data = Buffer.from(runs.data.subarray(from, from + runs.records[at + Record.LENGTH]));
          this.file(runs.records[at + Record.NDX], runs.records[at + Record.FLAGS], data, true);
        }
        runs.pass(reader, ndxIn, n);
        this.inRuns += n;
        if (n < count) return true;
      }
    });
  }

  private file(ndx: number, iflags: number, data: Buffer, isRight: boolean): void {
    this.lines.push(`${ndx} ${iflags} ${data.length} ${oneShot('sha1', [data]).toString('hex')} ${isRight}`);
  }

  private one(): boolean {
    const { reader, ndxIn, item } = this;
    let ndx = 0;
    const hasIndex = this.enough(() => {
      reader.begin();
      ndx = ndxIn.read(reader);
      return reader.done();
    });
    if (!hasIndex) return false;
    if (ndx === NDX_DONE) {
      this.lines.push('done');
      return true;
    }
    if (!this.enough(() => readItemHeader(reader, PROTOCOL, item))) return false;
    if ((item.iflags & Item.TRANSFER) === 0) {
      this.lines.push(`${ndx} ${item.iflags}`);
      return true;
    }
    return this.enough(() => readSumHead(reader, PROTOCOL, SUM_LENGTH) !== null) && this.content(ndx);
  }

  private content(ndx: number): boolean {
    const { reader, digest, sum } = this;
    const tokens = new PlainTokenReader();
    const parts: Buffer[] = [];
    tokens.start();
    digest.init();
    const isWhole = this.enough(() => {
      for (;;) {
        const kind = tokens.next(reader);
        if (kind === Token.SHORT || kind === Token.END) return kind === Token.END;
        if (kind === Token.MATCH) continue;
        digest.update(tokens.data, tokens.from, tokens.to);
        parts.push(Buffer.from(tokens.data.subarray(tokens.from, tokens.to)));
      }
    });
    const hasSum =
      isWhole &&
      this.enough(() => {
        reader.begin();
        reader.copyTo(sum, 0, SUM_LENGTH);
        return reader.done();
      });
    if (!hasSum) return false;
    const own = Buffer.alloc(SUM_LENGTH);
    digest.final(own, 0);
    this.file(ndx, this.item.iflags, Buffer.concat(parts), own.equals(sum));
    return true;
  }
}

function pieces(random: Random, bytes: Buffer, longest: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunks[chunks.length - 1].length) {
    chunks.push(bytes.subarray(at, at + 1 + random.int(longest)));
  }
  return chunks;
}

t.test('answers that are read in runs are the same as one by one, however they come', async (t) => {
  const digest = await createFileDigest('xxh128', { protocol: PROTOCOL, seed: 1, seedFix: true, explicit: true });
  let inRuns = 0;
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 90_000 }), fc.boolean(), (seed, longest, takesAll) => {
      const random = new Random(seed);
      const bytes = framed(random, answers(random, longest < 500 ? 5 : 100, digest), longest);
      const taken = (count: number) => (takesAll || random.chance(80) ? count : random.int(count));
      const expected = new Reading([bytes], digest, null).all();
      const actual = new Reading(pieces(random, bytes, longest), digest, taken).all();
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
    const [expected, actual] = [null, (n: number) => n].map((taken) => new Reading([cut], digest, taken).all().lines);
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
