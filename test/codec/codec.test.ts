import { spawnSync } from 'node:child_process';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { CompressedTokenReader, CompressedTokenWriter, MAX_DATA_FRAME } from '../../protocol/delta/compressed.js';
import { Token } from '../../protocol/delta/tokens.js';
import { availableCompressions, createCompressor, createDecompressor } from '../../src/codec/index.js';
import { recorder } from '../delta/recorder.js';
import { joinLiterals, type Piece, readTokens, writePieces } from '../delta/token-streams.js';
import { Random } from '../lib/random.js';
import { splits } from '../lib/splits.js';

/** The exit code of the error that `work` throws. */
function exitCodeOf(work: () => unknown): number | undefined {
  try {
    work();
  } catch (error) {
    return (error as { exitCode?: number }).exitCode;
  }
  return undefined;
}

const CODECS = availableCompressions().filter((name) => name !== 'none');
const BLOCK = 50;
const BASIS: Buffer = new Random(1).bytes(300 * BLOCK, true);

t.test('everything is available in a complete installation', async (t) => {
  t.same(availableCompressions(), ['zstd', 'lz4', 'zlibx', 'zlib', 'none']);
  t.equal(
    exitCodeOf(() => createCompressor({ name: 'gzip', level: null, protocol: 32, threads: 0 })),
    4,
  );
  t.equal(
    exitCodeOf(() => createDecompressor('none', 32)),
    4,
  );
});

/** All frames' payloads and the other bytes of a compressed token stream, cut at the flags. */
function parse(wire: Buffer): { frames: Buffer[]; tokens: string } {
  const frames: Buffer[] = [];
  let tokens = '';
  for (let at = 0; at < wire.length; ) {
    const flag = wire[at];
    const kind = flag & 0xc0;
    if (kind === 0x40) {
      const length = ((flag & 0x3f) << 8) | wire[at + 1];
      frames.push(wire.subarray(at + 2, at + 2 + length));
      tokens += 'D';
      at += 2 + length;
    } else {
      const length = kind === 0xc0 ? 3 : kind === 0x80 || flag === 0 ? 1 : flag === 0x20 ? 5 : 7;
      tokens += ` ${wire.toString('hex', at, at + length)} `;
      at += length;
    }
  }
  return { frames, tokens: tokens.replace(/D+/g, 'D').replace(/ +/g, ' ').trim() };
}

function encode(
  name: string,
  files: Piece[][],
  protocol = 32,
  framed = false,
  basis: Buffer = BASIS,
  block = BLOCK,
): Buffer {
  const { w, bytes } = recorder();
  if (framed) w.startFrames();
  const writer = new CompressedTokenWriter(w, createCompressor({ name, level: null, protocol, threads: 0 }));
  for (const file of files) writePieces(writer, file, basis, block);
  return bytes();
}

function decode(
  name: string,
  chunks: Buffer[],
  count: number,
  protocol = 32,
  framed = false,
  basis: Buffer = BASIS,
  block = BLOCK,
): Piece[][] {
  const r = new ByteReader();
  if (framed) r.startFrames(() => {});
  const reader = new CompressedTokenReader(createDecompressor(name, protocol));
  const feed = [...chunks];
  const files: Piece[][] = [];
  while (files.length < count) files.push(joinLiterals(readTokens(r, reader, feed, basis, block)));
  return files;
}

t.test('flags of blocks and runs', async (t) => {
  const tokens = (pieces: Piece[]) => parse(encode('zlibx', [pieces])).tokens;
  t.equal(tokens(['L1', 5, 6, 7, 'L2', 8]), 'D c50200 D 81 00');
  t.equal(tokens([0]), '80 00');
  t.equal(tokens([63]), 'bf 00');
  t.equal(tokens([64]), '2040000000 00');
  t.equal(tokens([64, 65]), '21400000000100 00');
  t.equal(tokens([5, 5, 4]), '85 80 2004000000 00');
  t.equal(tokens([]), '00');
  const long = Array.from({ length: 65537 }, (_, i) => i);
  t.equal(tokens(long), 'c0ffff 81 00', 'a run has at most 65536 blocks');
  t.equal(
    exitCodeOf(() => tokens([0x7fffffff])),
    12,
  );
});

t.test('round trips in any pieces', async (t) => {
  const text = new Random(3).bytes(3000, true).toString('latin1');
  const noise = new Random(4).bytes(3000).toString('latin1');
  const literal = fc
    .tuple(fc.constantFrom(text, noise), fc.nat(2900), fc.integer({ min: 1, max: 400 }))
    .map(([source, from, length]) => source.slice(from, from + length));
  const file = fc.array(fc.oneof(literal, fc.nat(299), fc.constantFrom(1, 2, 3)), { maxLength: 12 });
  for (const name of CODECS) {
    fc.assert(
      fc.property(fc.array(file, { minLength: 1, maxLength: 3 }), fc.boolean(), (files, framed) => {
        const wire = encode(name, files, 32, framed);
        const expected = files.map((pieces) => joinLiterals(pieces));
        for (const [cut, read] of splits(wire, (chunks) => decode(name, chunks, files.length, 32, framed), [1])) {
          t.same(read, expected, `${name}, ${cut}`);
        }
      }),
      { numRuns: 25 },
    );
  }
});

t.test('long runs: frames of limited length, pieces of limited length', async (t) => {
  const random = new Random(11);
  const long = [random.bytes(300_000).toString('latin1'), 4, random.bytes(400_000, true).toString('latin1'), 9];
  const sparse = ['\0'.repeat(3_000_000), 1];
  for (const name of CODECS) {
    const wire = encode(name, [long, sparse]);
    const { frames } = parse(wire);
    t.ok(Math.max(...frames.map((frame) => frame.length)) <= MAX_DATA_FRAME, name);
    t.ok(Math.min(...frames.map((frame) => frame.length)) > 0, `${name}: no empty frame`);
    const r = new ByteReader();
    r.push(wire);
    const reader = new CompressedTokenReader(createDecompressor(name, 32));
    const first = readTokens(r, reader, [], BASIS, BLOCK);
    const second = readTokens(r, reader, [], BASIS, BLOCK);
    t.ok(joinLiterals(first).join() === long.join() && joinLiterals(second).join() === sparse.join(), name);
    const pieces = [...first, ...second].filter((piece) => typeof piece === 'string');
    t.ok(Math.max(...pieces.map((piece) => piece.length)) <= 128 * 1024, `${name}: bounded pieces`);
  }
});

t.test('zlib streams are raw deflate with their flush marker cut off', async (t) => {
  const text = new Random(5).bytes(100_000, true);
  const { frames } = parse(encode('zlibx', [[text.toString('latin1')]]));
  const stream = Buffer.concat([...frames, Buffer.from([0, 0, 0xff, 0xff])]);
  t.ok(inflateRawSync(stream, { finishFlush: 2 }).equals(text));
  t.notOk(frames[frames.length - 1].subarray(-4).equals(Buffer.from([0, 0, 0xff, 0xff])));
});

t.test('zlib: blocks enter the history, zlibx: they do not', async (t) => {
  // The literal after the block repeats its bytes, which do not compress by themselves.
  const basis = new Random(6).bytes(20_000);
  const pieces = [0, basis.toString('latin1', 0, 20_000)];
  const size = (name: string) => encode(name, [pieces], 32, false, basis, 20_000).length;
  t.ok(size('zlib') < 1000, `${size('zlib')} bytes`);
  t.ok(size('zlibx') > 20_000);
});

t.test('zlib below protocol 31: long blocks repeat their beginning in the history', async (t) => {
  const length = 131_072;
  const random = new Random(7);
  const basis = random.bytes(2 * length);
  // Refers to what lies at the end of the history in both cases.
  const pieces = [
    0,
    basis.toString('latin1', 40_000, 65_000),
    1,
    basis.toString('latin1', length + 110_000, 2 * length),
  ];
  for (const protocol of [29, 30, 31, 32]) {
    const wire = encode('zlib', [pieces], protocol, false, basis, length);
    t.same(decode('zlib', [wire], 1, protocol, false, basis, length), [pieces], `protocol ${protocol}`);
    const other = protocol < 31 ? 32 : 29;
    let read: Piece[] = [];
    const code = exitCodeOf(() => {
      [read] = decode('zlib', [wire], 1, other, false, basis, length);
    });
    t.ok(code === 12 || read.join() !== pieces.join(), `protocol ${protocol} is not protocol ${other}`);
  }
});

t.test('zstd and lz4 are what their own tools read', async (t) => {
  const text = new Random(8).bytes(200_000, true);
  const zstd = parse(encode('zstd', [[text.toString('latin1', 0, 150_000), 1], [text.toString('latin1', 150_000)]]));
  // The stream has no end, which the tool finds a fault after it has written everything.
  const { stdout } = spawnSync('zstd', ['-dc'], { input: Buffer.concat(zstd.frames) });
  t.ok(stdout.equals(text));
  const frames = parse(encode('lz4', [[text.toString('latin1')]])).frames;
  const parts: Buffer[] = [Buffer.from('04224d186040', 'hex'), Buffer.from([0x82])];
  for (const frame of frames) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(frame.length);
    parts.push(length, frame);
  }
  parts.push(Buffer.alloc(4));
  const lz4 = spawnSync('lz4', ['-dc'], { input: Buffer.concat(parts), maxBuffer: 1 << 22 });
  t.ok(lz4.stdout.equals(text), lz4.stderr.toString());
});

t.test('damaged data ends in exit code 12', async (t) => {
  const text = new Random(9).bytes(60_000, true).toString('latin1');
  for (const name of CODECS) {
    let failed = 0;
    for (let i = 0; i < 60; i++) {
      const wire = encode(name, [[text]]);
      const random = new Random(i);
      for (let k = 0; k < 4; k++) wire[3 + random.int(wire.length - 4)] ^= 1 + random.int(255);
      try {
        const read = decode(name, [wire], 1)[0];
        if (read[0] !== text) failed++;
      } catch (error) {
        if ((error as Error).message !== 'the tokens end early') t.equal((error as { exitCode?: number }).exitCode, 12);
        failed++;
      }
    }
    t.ok(failed > 30, `${name}: ${failed} of 60 were noticed or changed`);
  }
});

t.test('a stream that ends inside the data, and flags that do not exist', async (t) => {
  const ended = deflateRawSync(Buffer.from('some text'));
  const more = Buffer.concat([Buffer.from([0x40, ended.length]), ended, Buffer.from([0x40, 3, 1, 2, 3, 0])]);
  t.equal(
    exitCodeOf(() => decode('zlibx', [more], 1)),
    12,
  );
  for (const flag of [0x01, 0x1f, 0x22, 0x3f]) {
    t.equal(
      exitCodeOf(() => decode('zlibx', [Buffer.from([flag])], 1)),
      12,
      `flag ${flag}`,
    );
  }
  t.equal(
    exitCodeOf(() => decode('zlibx', [Buffer.from('20ffffffff', 'hex')], 1)),
    12,
    'a negative block',
  );
  const runOff = Buffer.from('21feffff7f0100', 'hex');
  t.equal(
    exitCodeOf(() => decode('zlibx', [runOff], 1)),
    12,
    'a run beyond the limit',
  );
});

t.test('a frame that expands a thousand times comes out in pieces', async (t) => {
  for (const name of ['zlibx', 'zstd']) {
    const wire = encode(name, [['\0'.repeat(10_000_000)]]);
    const r = new ByteReader();
    const reader = new CompressedTokenReader(createDecompressor(name, 32));
    r.push(wire);
    reader.start();
    let total = 0;
    let largest = 0;
    while (reader.next(r) === Token.LITERAL) {
      total += reader.to - reader.from;
      largest = Math.max(largest, reader.data.length);
    }
    t.equal(total, 10_000_000, name);
    t.ok(largest <= 128 * 1024, name);
  }
});

t.test('zstd with threads: what several of them compress is one stream, flushed at every end', async (t) => {
  const files = [3_000_000, 10, 900_000].map((length, i) => [new Random(i).bytes(length, true).toString('latin1')]);
  const { w, bytes } = recorder();
  const writer = new CompressedTokenWriter(
    w,
    createCompressor({ name: 'zstd', level: null, protocol: 32, threads: 2 }),
  );
  const chunks = files.map((file) => {
    const before = bytes().length;
    writePieces(writer, file, BASIS, BLOCK);
    return bytes().subarray(before);
  });
  t.same(decode('zstd', chunks, files.length), files);
});
