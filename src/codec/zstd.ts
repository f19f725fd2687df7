import zlib from 'node:zlib';
import { Exit } from '../../protocol/constants.js';
import { type Compressor, type Decompressor, type EmitFrame, MAX_DATA_FRAME } from '../../protocol/delta/compressed.js';
import { RsyncError } from '../../protocol/errors.js';
import { FrameBuffer } from './frames.js';
import { RawStream } from './raw-stream.js';
import { hasZstdLibrary, libraryCompressor, libraryDecompressor } from './zstd-library.js';

const DEFAULT_LEVEL = 3;
const MAX_LEVEL = 22;
const MIN_LEVEL = -131072;
const COMPRESSION_LEVEL = 100;
const WORKERS = 400;
/** End directives: ZSTD_e_continue and ZSTD_e_flush. */
const CONTINUE = 0;
const FLUSH = 1;
/** One decompressed block of zstd. */
const OUT_SIZE = 128 * 1024;

/** One implementation of zstd streams, with static buffers of the caller. */
export interface ZstdEngine {
  /** After `run`: input bytes that were taken, output bytes that were made. */
  taken: number;
  made: number;
  /** Address of the library's stream, which another thread may go on with; null: there is none. */
  readonly context: number | null;
  /** One step over input[from, to) and out[at, out.length); decompressors take no notice of `flush`. */
  run(flush: number, input: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void;
}

/** What node:zlib has from 22.15 on. */
interface NodeZstd {
  createZstdCompress?: (o: { params: Record<number, number> }) => object;
  createZstdDecompress?: () => object;
}

class NodeEngine implements ZstdEngine {
  taken = 0;
  made = 0;
  readonly context = null;
  private readonly stream: RawStream;

  constructor(stream: object) {
    this.stream = new RawStream(stream, 'zstd');
  }

  run(flush: number, input: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
    const room = out.length - at;
    this.stream.run(flush, input, from, to - from, out, at, room);
    this.taken = to - from - this.stream.inputLeft;
    this.made = room - this.stream.outputLeft;
  }
}

function nodeEngine(stream: object | undefined): ZstdEngine | null {
  return stream && RawStream.isPossible(stream) ? new NodeEngine(stream) : null;
}

function nodeCompressor(level: number, threads: number): ZstdEngine | null {
  const params: Record<number, number> = { [COMPRESSION_LEVEL]: level };
  if (threads > 0) params[WORKERS] = threads;
  return nodeEngine((zlib as NodeZstd).createZstdCompress?.({ params }));
}

function nodeDecompressor(): ZstdEngine | null {
  return nodeEngine((zlib as NodeZstd).createZstdDecompress?.());
}

/** Whether zstd works here, by Node itself or by the system's library. */
export function hasZstd(): boolean {
  return nodeDecompressor() !== null || hasZstdLibrary();
}

function found(engine: ZstdEngine | null): ZstdEngine {
  if (!engine) throw new RsyncError(Exit.UNSUPPORTED, 'zstd: neither Node.js nor a system library offers it');
  return engine;
}

/** zstd (10.4): one stream for the whole session; a run ends with a flush. */
export class ZstdCompressor implements Compressor {
  private readonly engine: ZstdEngine;
  private readonly frames = new FrameBuffer(0);

  /** `context`: that of another one, which goes on here; null: a new stream. */
  constructor(level: number | null, threads: number, context: number | null = null) {
    const chosen = Math.max(MIN_LEVEL, Math.min(MAX_LEVEL, level || DEFAULT_LEVEL));
    // Only a stream of the library can go on in another thread.
    this.engine = found(libraryCompressor(chosen, threads, context) ?? nodeCompressor(chosen, threads));
  }

  get context(): number | null {
    return this.engine.context;
  }

  move(): Uint8Array {
    const { bytes, used } = this.frames;
    return Uint8Array.prototype.slice.call(bytes, 0, used);
  }

  hold(data: Uint8Array, from: number, to: number): void {
    this.frames.bytes.set(data.subarray(from, to), this.frames.used);
    this.frames.used += to - from;
  }

  reset(): void {}

  write(data: Uint8Array, from: number, to: number, flush: boolean, emit: EmitFrame): void {
    const { engine, frames } = this;
    let isFull: boolean;
    do {
      engine.run(flush ? FLUSH : CONTINUE, data, from, to, frames.bytes, frames.used);
      from += engine.taken;
      frames.used += engine.made;
      isFull = frames.room === 0;
      frames.spill(emit);
    } while (from < to || isFull);
    if (flush) frames.end(emit);
  }
}

/** The other side of it. */
export class ZstdDecompressor implements Decompressor {
  readonly out: Uint8Array = Buffer.allocUnsafeSlow(OUT_SIZE);
  private readonly engine = found(nodeDecompressor() ?? libraryDecompressor());
  private readonly input = Buffer.allocUnsafeSlow(MAX_DATA_FRAME);
  private at = 0;
  private end = 0;
  private wasFull = false;

  reset(): void {}

  feed(data: Uint8Array, from: number, to: number): void {
    this.input.set(data.subarray(from, to));
    this.at = 0;
    this.end = to - from;
  }

  pull(): number {
    const { engine, out } = this;
    // A step may take input without making output.
    while (this.at < this.end || this.wasFull) {
      engine.run(CONTINUE, this.input, this.at, this.end, out, 0);
      this.at += engine.taken;
      this.wasFull = engine.made === out.length;
      if (engine.made > 0) return engine.made;
      if (engine.taken === 0 && this.at < this.end) throw new RsyncError(Exit.STREAMIO, 'zstd: damaged data');
    }
    return 0;
  }
}
