import fc from 'fast-check';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { BlockSums, EMPTY_HEAD, type SumHead, SumWriter } from '../../protocol/delta/blocks.js';
import { BlockSearch, type ReadNext } from '../../protocol/delta/search.js';
import type { TokenSink } from '../../protocol/delta/tokens.js';
import { type BlockDigest, createBlockDigest, createFileDigest, type Digest } from '../../protocol/hash/digest.js';
import { cutByBlocks, type Piece } from '../lib/naive.js';
import { Random } from '../lib/random.js';
import { recorder } from './recorder.js';

const CONTEXT = { protocol: 32, seed: 3, seedFix: true, explicit: true };

/** One search of its own, and the digests that it works with. */
class Bench {
  readonly search: BlockSearch;

  private constructor(
    readonly block: BlockDigest,
    readonly digest: Digest,
  ) {
    this.search = new BlockSearch(block, digest);
  }

  static async make(): Promise<Bench> {
    return new Bench(await createBlockDigest('xxh128', CONTEXT), await createFileDigest('xxh128', CONTEXT));
  }

  sums(basis: Buffer, blockLength: number, sumLength = 16): BlockSums {
    const count = Math.ceil(basis.length / blockLength);
    const head: SumHead = { count, blockLength, sumLength, remainder: basis.length % blockLength };
    const r = new ByteReader();
    const { w, bytes } = recorder();
    new SumWriter(this.block).write(w, basis, 0, basis.length, head);
    r.push(bytes());
    const sums = new BlockSums();
    sums.start(head);
    if (!sums.read(r)) throw new Error('sums are missing');
    return sums;
  }

  /** The pieces that a search makes of `file`; adjacent literals are joined. Checks what `match` hands over. */
  pieces(file: Buffer, basis: Buffer, sums: BlockSums, updating = false, most = Number.POSITIVE_INFINITY): Piece[] {
    const pieces: Piece[] = [];
    const { blockLength } = sums.head;
    const sink: TokenSink = {
      literal: (data, from, to) => {
        const text = Buffer.from(data.subarray(from, to)).toString('latin1');
        const last = pieces.length - 1;
        if (typeof pieces[last] === 'string') pieces[last] += text;
        else pieces.push(text);
      },
      match: (block, data, from, to) => {
        const expected = basis.subarray(block * blockLength, (block + 1) * blockLength);
        if (!expected.equals(data.subarray(from, to))) throw new Error(`wrong bytes for block ${block}`);
        pieces.push(block);
      },
    };
    this.run(file, sums, sink, updating, most);
    return pieces;
  }

  run(file: Buffer, sums: BlockSums, sink: TokenSink, updating = false, most = Number.POSITIVE_INFINITY): void {
    const read = reader(file, most);
    this.search.start(sums, file.length, updating);
    while (!this.search.step(read, sink));
    const out = Buffer.alloc(32);
    this.digest.final(out, 0);
    this.digest.init();
    this.digest.update(file, 0, file.length);
    this.digest.final(out, 16);
    if (!out.subarray(0, 16).equals(out.subarray(16))) throw new Error('wrong digest of the file');
  }
}

/** Reads `file` in pieces of at most `most` bytes. */
function reader(file: Buffer, most: number): ReadNext {
  let done = 0;
  return (target, at, length) => {
    const n = Math.min(length, most, file.length - done);
    target.set(file.subarray(done, done + n), at);
    done += n;
    return n;
  };
}

/** A basis of few different blocks, and a file of its pieces, shifted and mixed with new bytes. */
const related = fc
  .record({
    alphabet: fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 4 }),
    basis: fc.array(fc.nat(3), { minLength: 1, maxLength: 60 }),
    file: fc.array(fc.oneof(fc.tuple(fc.nat(2000), fc.nat(300)), fc.uint8Array({ maxLength: 5 })), { maxLength: 12 }),
    blockLength: fc.integer({ min: 1, max: 50 }),
  })
  .map(({ alphabet, basis, file, blockLength }) => {
    const old = Buffer.concat(basis.map((i) => alphabet[i % alphabet.length]));
    const parts = file.map((part) =>
      part instanceof Uint8Array ? part : old.subarray(part[0] % old.length, (part[0] % old.length) + part[1]),
    );
    return { basis: old, file: Buffer.concat(parts), blockLength };
  });

t.test('the pieces are those of the plain twin', async (t) => {
  const bench = await Bench.make();
  fc.assert(
    fc.property(related, fc.integer({ min: 1, max: 90 }), ({ basis, file, blockLength }, most) => {
      const sums = bench.sums(basis, blockLength);
      t.same(bench.pieces(file, basis, sums, false, most), cutByBlocks(file, basis, blockLength));
    }),
    { numRuns: 300 },
  );
});

t.test('an updated basis is used only where it is not overwritten', async (t) => {
  const bench = await Bench.make();
  fc.assert(
    fc.property(related, ({ basis, file, blockLength }) => {
      const sums = bench.sums(basis, blockLength);
      const pieces = bench.pieces(file, basis, sums, true);
      const disk = Buffer.alloc(Math.max(basis.length, file.length));
      basis.copy(disk);
      let at = 0;
      for (const piece of pieces) {
        if (typeof piece === 'string') {
          at += disk.write(piece, at, 'latin1');
        } else {
          const from = piece * blockLength;
          const to = Math.min(from + blockLength, basis.length);
          disk.copy(disk, at, from, to);
          at += to - from;
        }
      }
      return disk.subarray(0, at).equals(file);
    }),
    { numRuns: 500 },
  );
  const same = new Random(3).bytes(10_000);
  const all = Array.from({ length: 15 }, (_, i) => i);
  t.same(bench.pieces(same, same, bench.sums(same, 700), true), all, 'an unchanged file');
  const zeros = Buffer.alloc(10_000);
  t.same(bench.pieces(zeros, zeros, bench.sums(zeros, 700), true), all, 'blocks stay in their places');
  const later = Buffer.concat([same.subarray(700), same.subarray(0, 700)]);
  const moved = bench.pieces(later, same, bench.sums(same, 700), true);
  t.same(moved.filter((piece) => typeof piece === 'number')[0], 1, 'blocks move towards the beginning');
  t.notOk(moved.includes(0), 'and not towards the end');
});

t.test('windows: matches across their borders, and blocks of every size', async (t) => {
  const bench = await Bench.make();
  const random = new Random(21);
  const basis = random.bytes(2_000_000);
  const file = Buffer.concat([random.bytes(333), basis.subarray(0, 900_000), random.bytes(1), basis.subarray(900_000)]);
  for (const blockLength of [700, 16_384, 131_072, 300_000]) {
    const sums = bench.sums(basis, blockLength, 8);
    const pieces = bench.pieces(file, basis, sums, false, 50_021);
    const blocks = pieces.filter((piece) => typeof piece === 'number');
    const { count } = sums.head;
    t.ok(blocks.length >= count - 1, `${blocks.length} of ${count} blocks of ${blockLength} bytes`);
    t.equal(pieces[0], file.toString('latin1', 0, 333));
    t.equal(blocks[blocks.length - 1], count - 1, 'the short last block too');
  }
  const none = bench.sums(Buffer.alloc(0), 700);
  none.start({ ...EMPTY_HEAD });
  t.same(bench.pieces(file, basis, none, false, 7777), [file.toString('latin1')], 'without a basis');
  t.same(bench.pieces(Buffer.alloc(0), basis, bench.sums(basis, 700)), [], 'an empty file');
});

t.test('overwritten bytes: what is new is the blocks that have them, also where a window ends', async (t) => {
  const bench = await Bench.make();
  const random = new Random(22);
  const basis = random.bytes(3_000_000);
  for (const blockLength of [700, 16_384, 131_072, 300_000]) {
    const file = Buffer.from(basis);
    const sums = bench.sums(basis, blockLength, 8);
    const { count } = sums.head;
    const expected: Piece[] = Array.from({ length: count }, (_, block) => block);
    for (let block = 0; block < count - 1; block += 3) {
      const from = block * blockLength;
      random.bytes(99).copy(file, from + 5);
      expected[block] = file.toString('latin1', from, from + blockLength);
    }
    t.same(bench.pieces(file, basis, sums, false, 50_021), expected, `blocks of ${blockLength} bytes`);
    t.same(bench.pieces(file, basis, sums, true, 50_021), expected, 'in place');
    // One block in three is new, and no other place was taken for a block.
    t.equal(bench.search.check.hashHits, 2 * expected.filter((piece) => typeof piece === 'number').length);
    bench.search.check.hashHits = 0;
  }
});

t.test('a file that ends early ends the search', async (t) => {
  const bench = await Bench.make();
  const basis = new Random(2).bytes(5000);
  let size = 0;
  const sink: TokenSink = {
    literal: (_, from, to) => {
      size += to - from;
    },
    match: (_, __, from, to) => {
      size += to - from;
    },
  };
  for (const sums of [bench.sums(basis, 700), new BlockSums()]) {
    size = 0;
    bench.search.start(sums, 1_000_000, false);
    const read = reader(basis, 999);
    while (!bench.search.step(read, sink));
    t.equal(size, 5000);
  }
});

t.test('false alarms are counted and not believed', async (t) => {
  const bench = await Bench.make();
  // Bytes in other places and with the same two sums.
  const basis = Buffer.from([1, 0, 0, 1, 9, 9, 9, 9]);
  const file = Buffer.from([0, 1, 1, 0, 9, 9, 9, 9]);
  const sums = bench.sums(basis, 4);
  t.same(bench.pieces(file, basis, sums), [file.toString('latin1', 0, 4), 1]);
  t.equal(bench.search.check.falseAlarms, 1);
  t.equal(bench.search.matches, 1);
  t.equal(bench.search.check.hashHits, 2);
  const behind = Buffer.concat([file.subarray(4), Buffer.alloc(4, 5), basis]);
  const overwritten = Buffer.concat([file.subarray(4), Buffer.alloc(4, 7), file]);
  const pieces = bench.pieces(overwritten, behind, bench.sums(behind, 4));
  t.same(pieces, [0, overwritten.toString('latin1', 4, 12), 0], 'the block behind the one that was expected');
  t.equal(bench.search.check.falseAlarms, 3);
});

/** Milliseconds of processor time that `work` takes. */
function cpu(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const BIN: TokenSink = { literal: () => {}, match: () => {} };

t.test('the time grows with the length and no faster', async (t) => {
  const random = new Random(77);
  const cases: [string, number, (length: number, bench: Bench) => [Buffer, BlockSums]][] = [
    [
      'zeros over zeros',
      4_000_000,
      (length, bench) => [Buffer.alloc(length), bench.sums(Buffer.alloc(length), 700, 2)],
    ],
    ['unrelated bytes', 4_000_000, (length, bench) => [random.bytes(length), bench.sums(random.bytes(length), 700, 2)]],
    [
      'rolling sums that fit everywhere, strong sums that fit nowhere',
      1_000_000,
      (length, bench) => {
        const sums = bench.sums(random.bytes(length), 700, 16);
        sums.rolling.fill(0);
        return [Buffer.alloc(length), sums];
      },
    ],
  ];
  for (const [name, length, make] of cases) {
    const bench = await Bench.make();
    const [small, smallSums] = make(length, bench);
    const [large, largeSums] = make(4 * length, bench);
    bench.run(small, smallSums, BIN);
    const short = cpu(() => bench.run(small, smallSums, BIN));
    const long = cpu(() => bench.run(large, largeSums, BIN));
    t.ok(long < 50 + short * 4 * 2.5, `${name}: ${short.toFixed(0)} ms, four times as much ${long.toFixed(0)} ms`);
    t.ok(long < 8000, name);
  }
});

t.test('a million blocks', async (t) => {
  const bench = await Bench.make();
  const basis = new Random(6).bytes(16_000_000);
  const sums = bench.sums(basis, 16, 8);
  t.equal(sums.head.count, 1_000_000);
  let matched = 0;
  const sink: TokenSink = {
    literal: () => {},
    match: (_, __, from, to) => {
      matched += to - from;
    },
  };
  const file = Buffer.concat([basis.subarray(5, 8_000_000), Buffer.from('new'), basis.subarray(8_000_000)]);
  bench.run(file, sums, sink);
  t.ok(matched > basis.length - 100, `${matched} bytes matched`);
});
