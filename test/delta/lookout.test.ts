import fc from 'fast-check';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { BlockSums, type SumHead, SumWriter } from '../../protocol/delta/blocks.js';
import { Lookout, LookoutReport, type SearchAhead } from '../../protocol/delta/lookout.js';
import { BlockSearch } from '../../protocol/delta/search.js';
import type { TokenSink } from '../../protocol/delta/tokens.js';
import { createBlockDigest, createFileDigest } from '../../protocol/hash/digest.js';
import { SearchKernel } from '../../protocol/kernel/search-kernel.js';
import type { Piece } from '../lib/naive.js';
import { Random } from '../lib/random.js';
import { recorder } from './recorder.js';

const CONTEXT = { protocol: 32, seed: 3, seedFix: true, explicit: true };
const MIB = 1024 * 1024;
const digest = await createBlockDigest('xxh128', CONTEXT);
const fileDigest = await createFileDigest('xxh128', CONTEXT);
const kernel = new SearchKernel();

function sumsOf(basis: Buffer, blockLength: number, sumLength = 8): BlockSums {
  const count = Math.ceil(basis.length / blockLength);
  const head: SumHead = { count, blockLength, sumLength, remainder: basis.length % blockLength };
  const r = new ByteReader();
  const { w, bytes } = recorder();
  new SumWriter(digest).write(w, basis, 0, basis.length, head);
  r.push(bytes());
  const sums = new BlockSums();
  sums.start(head);
  sums.read(r);
  return sums;
}

function fullBlocks(sums: BlockSums): Int32Array {
  const { count, remainder } = sums.head;
  return sums.rolling.slice(0, remainder > 0 ? count - 1 : count);
}

/** The two sides in one thread: whenever the search asks or tells something, the other side goes some steps further. */
class InTurns implements SearchAhead {
  jumped = 0;
  private readonly report = new LookoutReport();
  private readonly lookout: Lookout;

  constructor(
    seen: Buffer,
    sums: BlockSums,
    private readonly steps: () => number,
    private readonly worth = 100_000,
  ) {
    const order = { fileLength: seen.length, blockLength: sums.head.blockLength, rolling: fullBlocks(sums) };
    this.lookout = new Lookout(kernel, this.report.memory, order, (target, at, length, offset) => {
      target.set(seen.subarray(offset, offset + length), at);
      return Math.min(length, seen.length - offset);
    });
  }

  private work(): void {
    for (let left = this.steps(); left > 0 && this.lookout.step(); left--);
  }

  note(offset: number, run: number): void {
    this.report.setActive(run >= this.worth);
    this.report.note(offset);
    this.work();
  }

  clearUpTo(offset: number): number {
    this.work();
    const clear = this.report.clearUpTo(offset);
    this.jumped += clear - offset;
    return clear;
  }

  claim(offset: number, to: number): number {
    this.work();
    return this.report.claim(offset, to);
  }
}

interface Outcome {
  pieces: Piece[];
  sum: string;
  hits: number;
}

/** What a search makes of a file; adjacent literals are joined. */
function outcome(file: Buffer, sums: BlockSums, updating: boolean, ahead: SearchAhead | null): Outcome {
  const search = new BlockSearch(digest, fileDigest);
  const pieces: Piece[] = [];
  const literals: Buffer[] = [];
  const join = (): void => {
    if (literals.length > 0) pieces.push(Buffer.concat(literals).toString('latin1'));
    literals.length = 0;
  };
  const sink: TokenSink = {
    literal: (data, from, to) => {
      literals.push(Buffer.from(data.subarray(from, to)));
    },
    match: (block) => {
      join();
      pieces.push(block);
    },
  };
  let done = 0;
  search.start(sums, file.length, updating, ahead);
  const read = (target: Uint8Array, at: number, length: number): number => {
    const n = Math.min(length, file.length - done);
    target.set(file.subarray(done, done + n), at);
    done += n;
    return n;
  };
  while (!search.step(read, sink));
  join();
  const sum = Buffer.alloc(16);
  fileDigest.final(sum, 0);
  return { pieces, sum: sum.toString('hex'), hits: search.check.hashHits };
}

/** New bytes with pieces of the basis here and there. */
function mixedFile(random: Random, basis: Buffer, pieces: readonly number[]): Buffer {
  return Buffer.concat(
    pieces.flatMap((length) => {
      const from = random.int(basis.length);
      return [random.bytes(length), basis.subarray(from, from + random.int(30_000))];
    }),
  );
}

t.test('the tokens are those of a search that is alone', async (t) => {
  const basis = new Random(1).bytes(3 * MIB);
  let jumped = 0;
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 1_500_000 }), { minLength: 1, maxLength: 5 }),
      fc.constantFrom(700, 1024, 9000, 131_072),
      fc.boolean(),
      fc.integer({ min: 0, max: 2 ** 30 }),
      fc.integer({ min: 1, max: 12 }),
      (lengths, blockLength, updating, seed, speed) => {
        const random = new Random(seed);
        const file = mixedFile(random, basis, lengths);
        const sums = sumsOf(basis, blockLength);
        const ahead = new InTurns(file, sums, () => random.int(speed));
        t.same(outcome(file, sums, updating, ahead), outcome(file, sums, updating, null));
        jumped += ahead.jumped;
      },
    ),
    { numRuns: 40 },
  );
  t.ok(jumped > 5 * MIB, `${jumped} bytes were jumped over`);
});

t.test('blocks where the other side begins to look', async (t) => {
  const random = new Random(4);
  const basis = random.bytes(MIB);
  // Pieces begin at multiples of 4096; blocks that are nearer to each other are not jumped over.
  const file = random.bytes(10 * MIB);
  for (let at = 0; at < file.length; at += 3 * 4096) {
    const block = 1024 * random.int(1000);
    basis.copy(file, at, block, block + 1024);
  }
  const sums = sumsOf(basis, 1024);
  const alone = outcome(file, sums, false, null);
  t.ok(alone.pieces.length > 1600, `${alone.pieces.length} pieces`);
  t.same(outcome(file, sums, false, new InTurns(file, sums, () => random.int(3), 0)), alone);
});

t.test('a file that changes between the two looks at it', async (t) => {
  const random = new Random(5);
  const basis = random.bytes(2 * MIB);
  const sums = sumsOf(basis, 1024);
  const file = mixedFile(random, basis, [700_000, 300_000, 900_000]);
  const alone = outcome(file, sums, false, null);
  for (const seen of [random.bytes(file.length), file.subarray(0, 1_000_000), Buffer.alloc(file.length)]) {
    const { pieces, sum } = outcome(file, sums, false, new InTurns(seen, sums, () => 3));
    const bytes = pieces.map((piece) =>
      typeof piece === 'string'
        ? Buffer.from(piece, 'latin1')
        : basis.subarray(piece * 1024, Math.min(basis.length, piece * 1024 + 1024)),
    );
    t.ok(Buffer.concat(bytes).equals(file), 'the tokens make the file');
    t.equal(sum, alone.sum, 'the sum is that of what was sent');
  }
});

t.test('more places than can be told of', async (t) => {
  const sums = sumsOf(new Random(8).bytes(MIB), 700, 16);
  sums.rolling.fill(0);
  const file = Buffer.alloc(1_500_000);
  new Random(9).bytes(200_000).copy(file);
  const ahead = new InTurns(file, sums, () => 2);
  t.same(outcome(file, sums, false, ahead), outcome(file, sums, false, null));
});

t.test('a file shorter than a block, and one of a single position', async (t) => {
  const sums = sumsOf(new Random(8).bytes(MIB), 9000);
  for (const length of [0, 1, 8999, 9000, 9001, 400_000]) {
    const file = new Random(length).bytes(length);
    t.same(outcome(file, sums, false, new InTurns(file, sums, () => 9)), outcome(file, sums, false, null));
  }
});
