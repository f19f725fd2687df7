import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { CompressedTokenReader, CompressedTokenWriter } from '../../protocol/delta/compressed.js';
import type { Codec, MovableCompressor } from '../../src/codec/compression.js';
import { createCompressor, createDecompressor } from '../../src/codec/index.js';
import { addressOf } from '../../src/libc/libc.js';
import { recorder } from '../delta/recorder.js';
import { readTokens, writePieces } from '../delta/token-streams.js';
import { PROJECT } from '../lib/project.js';
import { Random } from '../lib/random.js';

/*
 * Streams of zstd whose history lies in a ring of ours: they must be right when they go around it.
 */
const MIB = 1 << 20;

function zstd(level: number | null): Codec {
  return { name: 'zstd', level, protocol: 32, threads: 0 };
}

/** Text and noise, in which parts of what came up to 5 MiB before come again: in the window, at its end, and beyond it. */
function withHistory(length: number, seed: number): Buffer {
  const random = new Random(seed);
  const out = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; ) {
    const n = Math.min(length - at, 1 + random.int(60_000));
    const back = random.int(5 * MIB);
    if (random.chance(60) && back >= n && back <= at) out.copy(out, at, at - back, at - back + n);
    else random.bytes(n, random.chance(50)).copy(out, at);
    at += n;
  }
  return out;
}

/** Puts a file into the stream past the compressor, as a kernel does; returns the frame that it becomes. */
function packed(compressor: MovableCompressor, data: Buffer): Buffer {
  const out = Buffer.allocUnsafeSlow(data.length + 1024);
  const made = compressor.calls!.pack(addressOf(out), out.length, addressOf(data), data.length);
  if (made < 0) throw new Error('the stream failed');
  return out.subarray(0, made);
}

t.test('streams that go around the ring several times', async (t) => {
  for (const [level, length] of [
    [null, 40 * MIB],
    [1, 6 * MIB],
    [3, 20 * MIB],
    [-5, 6 * MIB],
  ] as const) {
    const data = withHistory(length, 3);
    const random = new Random(4);
    const compressor = createCompressor(zstd(level));
    const decompressor = createDecompressor('zstd', 32);
    let at = 0;
    let isRight = true;
    const take = (b: Uint8Array, from: number, to: number): void => {
      decompressor.feed(b, from, to);
      for (let n = decompressor.pull(); n > 0; n = decompressor.pull()) {
        isRight &&= data.compare(decompressor.out, 0, n, at, at + n) === 0;
        at += n;
      }
    };
    for (let from = 0; from < data.length; ) {
      const isSmall = random.chance(50);
      const n = Math.min(data.length - from, 1 + random.int(isSmall ? 32_768 : 700_000));
      if (isSmall) {
        const frame = packed(compressor, Buffer.from(new Uint8Array(data.subarray(from, from + n)).buffer));
        for (let i = 0; i < frame.length; i += 16_383) take(frame, i, Math.min(frame.length, i + 16_383));
      } else {
        const middle = from + random.int(n);
        compressor.write(data, from, middle, false, take);
        compressor.write(data, middle, from + n, true, take);
      }
      from += n;
      if (at !== from || !isRight) break;
    }
    t.equal(at, data.length, `level ${level}: all that went in comes out at each flush`);
    t.ok(isRight, `level ${level}: and is what it was`);
  }
});

/** Bytes that sources become. */
function sizeOf(level: number | null): number {
  const { w, bytes } = recorder();
  const writer = new CompressedTokenWriter(w, createCompressor(zstd(level)));
  const source = readFileSync(join(PROJECT, 'node_modules/typescript/lib/typescript.js'), 'latin1');
  for (let at = 0; at < source.length; at += 20_000) writePieces(writer, [source.slice(at, at + 20_000)]);
  return bytes().length;
}

t.test('what is the default sends as little as level 3', async (t) => {
  const [usual, first, third] = [null, 1, 3].map(sizeOf);
  t.ok(usual <= 1.01 * third, `${usual} and ${third} bytes`);
  t.ok(third < 0.97 * first, 'a level that is asked for is that level');
});

t.test('a stream that has nothing in it', async (t) => {
  const { w, bytes } = recorder();
  const writer = new CompressedTokenWriter(w, createCompressor(zstd(null)));
  for (const file of [[], [''], ['x'], []]) writePieces(writer, file);
  const r = new ByteReader();
  r.push(bytes());
  const reader = new CompressedTokenReader(createDecompressor('zstd', 32));
  t.same(
    [1, 2, 3, 4].map(() => readTokens(r, reader)),
    [[], [], ['x'], []],
  );
});
