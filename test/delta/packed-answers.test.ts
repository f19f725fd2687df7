import fc from 'fast-check';
import t from 'tap';
import { NdxReader, NdxWriter } from '../../protocol/bytes/ndx.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import type { ByteWriter } from '../../protocol/bytes/writer.js';
import { Basis, Item, NDX_DONE } from '../../protocol/constants.js';
import { EMPTY_HEAD, writeSumHead } from '../../protocol/delta/blocks.js';
import { CompressedTokenReader, CompressedTokenWriter, type Compressor } from '../../protocol/delta/compressed.js';
import { Answers, MOST_INPUT, Record } from '../../protocol/delta/file-answers.js';
import { MOST_OUTPUT, PackedAnswers } from '../../protocol/delta/packed-answers.js';
import type { WholeInput } from '../../protocol/delta/tokens.js';
import { createFileDigest, type Digest } from '../../protocol/hash/digest.js';
import { FIRST_FREE, Kernel } from '../../protocol/kernel/kernel.js';
import { writeItem } from '../../protocol/request.js';
import { createCompressor, createDecompressor } from '../../src/codec/index.js';
import { Random } from '../lib/random.js';
import { framed, PROTOCOL, pieces, Reading, type Runs, SUM_LENGTH } from './answer-reading.js';
import { recorder } from './recorder.js';

/*
 * Answers in a stream of zstd: in runs they are what they are one by one, whatever is wrong with them.
 */
const PLAIN = Item.TRANSFER | Item.IS_NEW;
const LARGEST = 64 * 1024;
const TOGETHER = 32;
const NOISE = new Random(4).bytes(50_000);
const CONTENT = Buffer.concat([NOISE, Buffer.from('words that come again, '.repeat(3000)), NOISE]);
const ZEROS = Buffer.alloc(2 << 20);
/** What is odd about an answer; the last two only with what a real sender never does. */
const Odd = {
  NONE: -1,
  NO_TRANSFER: 0,
  FLAGS: 1,
  NAME: 2,
  MATCH: 3,
  SUM: 4,
  SIZE: 5,
  SHORTER: 6,
  BOMB: 7,
  DAMAGE: 8,
} as const;
const KINDS = 9;

/** A compressor whose frames are cut into smaller ones, some of them empty, and may be damaged. */
function cut(random: Random, inner: Compressor, state: { isDamaged: boolean }): Compressor {
  return {
    reset: () => inner.reset(),
    write: (data, from, to, flush, emit) => {
      const most = random.chance(20) ? 1 + random.int(300) : 16_383;
      inner.write(data, from, to, flush, (b, start, end) => {
        const bytes = Buffer.from(b.subarray(start, end));
        if (state.isDamaged) bytes[random.int(bytes.length)] ^= 1 << random.int(8);
        for (let at = 0; at < bytes.length; at += most) emit(bytes, at, Math.min(bytes.length, at + most));
        if (random.chance(5)) emit(bytes, 0, 0);
      });
    },
  };
}

/** What a sender may answer, and what the list says of the sizes. */
class Sender {
  readonly sizes = new Map<number, number>();
  private readonly recorded = recorder();
  private readonly ndxOut = new NdxWriter(PROTOCOL);
  private readonly state = { isDamaged: false };
  private readonly tokens: CompressedTokenWriter;

  constructor(
    private readonly random: Random,
    private readonly digest: Digest,
  ) {
    const codec = createCompressor({ name: 'zstd', level: null, protocol: PROTOCOL, threads: 0 });
    this.tokens = new CompressedTokenWriter(this.w, cut(random, codec, this.state));
  }

  private get w(): ByteWriter {
    return this.recorded.w;
  }

  answers(count: number, oddPercent: number): Buffer {
    const { random, ndxOut, w } = this;
    let ndx = random.int(10);
    for (let i = 0; i < count; i++) {
      this.answer(ndx, random.chance(oddPercent) ? random.int(KINDS) : Odd.NONE);
      if (random.chance(4)) ndxOut.write(w, NDX_DONE);
      ndx += random.chance(5) ? random.pick([252, 253, 254, 70_000, -1]) : 1;
      if (ndx < 0) ndx = 0;
    }
    ndxOut.write(w, NDX_DONE);
    return this.recorded.bytes();
  }

  private answer(ndx: number, odd: number): void {
    const { random, w } = this;
    const iflags = odd === Odd.NO_TRANSFER ? Item.REPORT_TIME : PLAIN | (odd === Odd.FLAGS ? Item.REPORT_CHANGE : 0);
    const xname = odd === Odd.NAME ? random.bytes(random.int(20)) : null;
    writeItem(w, this.ndxOut, PROTOCOL, ndx, iflags, odd === Odd.NAME ? Basis.FUZZY : Basis.FNAME, xname);
    if (odd === Odd.NO_TRANSFER) return;
    const hasBlocks = odd === Odd.MATCH;
    writeSumHead(w, hasBlocks ? { count: 2, blockLength: 700, sumLength: 2, remainder: 1 } : EMPTY_HEAD);
    const size = random.chance(5) ? random.int(100_000) : random.pick([0, 1, 3, 16, 240, 4096, random.int(9000)]);
    const from = random.int(CONTENT.length - size);
    const data = odd === Odd.BOMB ? ZEROS : CONTENT.subarray(from, from + size);
    const wrong = odd === Odd.SIZE ? 1 + random.int(9) : odd === Odd.SHORTER ? -1 - random.int(9) : 0;
    this.sizes.set(ndx, Math.max(0, size + wrong));
    this.state.isDamaged = odd === Odd.DAMAGE;
    this.file(data, hasBlocks, odd === Odd.SUM);
  }

  private file(data: Buffer, hasBlocks: boolean, isSumWrong: boolean): void {
    const { random, digest, tokens, w } = this;
    digest.init();
    digest.update(data, 0, data.length);
    tokens.start();
    tokens.literal(data, 0, data.length);
    if (hasBlocks) tokens.match(1, data, 0, 0);
    tokens.end();
    const sum = Buffer.alloc(SUM_LENGTH);
    digest.final(sum, 0);
    if (isSumWrong) sum[random.int(SUM_LENGTH)] ^= 1 << random.int(8);
    w.bytes(sum);
  }
}

/** Takes files as the receiver does: by their sizes in the list, so many together, all there are or fewer. */
class PackedRuns implements Runs {
  readonly answers: PackedAnswers;
  private readonly contents: Buffer[] = [];

  constructor(
    input: WholeInput,
    private readonly sizes: Map<number, number>,
    private readonly wanted: (count: number) => number,
  ) {
    this.answers = new PackedAnswers(new Kernel(), input, (ndx) => (this.sizes.get(ndx) ?? Infinity) <= LARGEST);
  }

  taken(count: number): number {
    const most = this.wanted(count);
    this.contents.length = 0;
    for (let from = 0; from < most; ) {
      const sizes = this.together(from, most);
      const places = new Int32Array(sizes.length);
      const right = sizes.length === 0 ? 0 : this.answers.unpack(from, sizes.length, sizes, places);
      for (let k = 0; k < right; k++) {
        this.contents.push(Buffer.from(this.answers.data.subarray(places[k], places[k] + sizes[k])));
      }
      from += right;
      if (right === 0 || right < sizes.length) return from;
    }
    return most;
  }

  private together(from: number, to: number): Int32Array {
    const sizes: number[] = [];
    let room = MOST_OUTPUT;
    for (let k = from; k < to && sizes.length < TOGETHER; k++) {
      const size = this.sizes.get(this.answers.records[k * Record.WORDS + Record.NDX]) ?? Infinity;
      room -= size;
      if (size > LARGEST || room < 0) break;
      sizes.push(size);
    }
    return Int32Array.from(sizes);
  }

  content(k: number): Uint8Array {
    return this.contents[k];
  }
}

function reading(
  chunks: Buffer[],
  digest: Digest,
  runs: { sizes: Map<number, number>; wanted: (count: number) => number } | null,
): Reading {
  const tokens = new CompressedTokenReader(createDecompressor('zstd', PROTOCOL));
  return new Reading(chunks, digest, tokens, runs && new PackedRuns(tokens.wholeInput!, runs.sizes, runs.wanted)).all();
}

async function fileDigest(): Promise<Digest> {
  return createFileDigest('xxh128', { protocol: PROTOCOL, seed: 1, seedFix: true, explicit: true });
}

t.test('compressed answers that are read in runs are the same as one by one, however they come', async (t) => {
  const digest = await fileDigest();
  let inRuns = 0;
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 90_000 }), fc.boolean(), (seed, longest, takesAll) => {
      const random = new Random(seed);
      const sender = new Sender(random, digest);
      const bytes = framed(random, sender.answers(longest < 500 ? 10 : 100, random.pick([0, 3, 10])), longest);
      const wanted = (count: number) => (takesAll || random.chance(80) ? count : random.int(count));
      const expected = reading([bytes], digest, null);
      const actual = reading(pieces(random, bytes, longest), digest, { sizes: sender.sizes, wanted });
      t.same(actual.lines, expected.lines, `seed ${seed}`);
      inRuns += actual.inRuns;
    }),
    { numRuns: 60, endOnFailure: true },
  );
  t.ok(inRuns > 1000, `${inRuns} answers were taken in runs`);
});

t.test('a connection that is cut at any byte leaves what was whole', async (t) => {
  const digest = await fileDigest();
  const random = new Random(7);
  const sender = new Sender(random, digest);
  const bytes = framed(random, sender.answers(4, 0), 3000);
  const runs = { sizes: sender.sizes, wanted: (n: number) => n };
  for (let length = 0; length <= bytes.length; length += length < 200 ? 1 : 13) {
    const part = bytes.subarray(0, length);
    const [expected, actual] = [null, runs].map((r) => reading([part], digest, r).lines);
    t.same(actual.slice(0, -1), expected.slice(0, -1), `${length} bytes`);
  }
});

/** The answer of a sender that sends these bytes. */
function single(digest: Digest, b: Buffer): Buffer {
  const { w, bytes } = recorder();
  writeItem(w, new NdxWriter(PROTOCOL), PROTOCOL, 0, PLAIN, Basis.FNAME, null);
  writeSumHead(w, EMPTY_HEAD);
  const codec = createCompressor({ name: 'zstd', level: null, protocol: PROTOCOL, threads: 0 });
  const tokens = new CompressedTokenWriter(w, codec);
  tokens.start();
  tokens.literal(b, 0, b.length);
  tokens.end();
  const sum = Buffer.alloc(SUM_LENGTH);
  digest.init();
  digest.update(b, 0, b.length);
  digest.final(sum, 0);
  w.bytes(sum);
  return bytes();
}

t.test('a file of another size is not unpacked beyond one byte more than the list says', async (t) => {
  const digest = await fileDigest();
  for (const [what, b, listed] of [
    ['a bomb', ZEROS, 100],
    ['one byte too many', CONTENT.subarray(0, 101), 100],
    ['one byte too few', CONTENT.subarray(0, 99), 100],
    ['an empty file that is not', CONTENT.subarray(0, 5), 0],
  ] as const) {
    const kernel = new Kernel();
    const answers = new PackedAnswers(kernel, createDecompressor('zstd', PROTOCOL).wholeInput!, () => true);
    const reader = new ByteReader();
    reader.push(single(digest, b));
    t.equal(answers.read(reader, new NdxReader(PROTOCOL)), 1, what);
    const start = FIRST_FREE + MOST_INPUT;
    kernel.bytes.fill(0xa5, start);
    t.equal(answers.unpack(0, 1, Int32Array.of(listed), new Int32Array(1)), 0, what);
    const behind = kernel.bytes.subarray(start + listed + 1);
    t.ok(
      behind.every((byte) => byte === 0xa5),
      `${what}: nothing is behind`,
    );
  }
});

t.test('what is not worth being waited for is left to others', async (t) => {
  const digest = await fileDigest();
  const read = (bytes: Buffer, length: number, mayBeTaken: boolean): number => {
    const input = createDecompressor('zstd', PROTOCOL).wholeInput!;
    const reader = new ByteReader();
    reader.push(bytes.subarray(0, length));
    return new PackedAnswers(new Kernel(), input, () => mayBeTaken).read(reader, new NdxReader(PROTOCOL));
  };
  const small = single(digest, NOISE.subarray(0, 500));
  t.equal(read(small, small.length, false), 1, 'one that is there already');
  t.equal(read(small, 20, true), Answers.SHORT);
  t.equal(read(small, 24, false), Answers.OTHER);
  const large = single(digest, new Random(5).bytes(100_000));
  t.equal(read(large, large.length, true), Answers.OTHER, 'more than there is room for, whatever the list says');
});
