import zlib from 'node:zlib';
import { Exit } from '../../protocol/constants.js';
import { type Decompressor, type EmitFrame, MAX_DATA_FRAME } from '../../protocol/delta/compressed.js';
import type { WholeInput } from '../../protocol/delta/tokens.js';
import { RsyncError } from '../../protocol/errors.js';
import type { PackCalls } from '../../protocol/kernel/answer-kernel.js';
import { addressOf } from '../libc/libc.js';
import type { MovableCompressor } from './compression.js';
import { FrameBuffer } from './frames.js';
import { RawStream } from './raw-stream.js';
import type { ZstdEngine } from './zstd-engine.js';
import { hasZstdLibrary, libraryDecompressor, threadedCompressor } from './zstd-library.js';
import { BLOCK_ROOM, DEFAULT_PARAMETERS, LibraryStream, type StreamState } from './zstd-stream.js';

const DEFAULT_LEVEL = 3;
const MAX_LEVEL = 22;
const MIN_LEVEL = -131072;
/** Parameters: ZSTD_c_... */
const COMPRESSION_LEVEL = 100;
const WINDOW_LOG = 101;
const HASH_LOG = 102;
const CHAIN_LOG = 103;
const WORKERS = 400;
/** End directives: ZSTD_e_continue and ZSTD_e_flush. */
const CONTINUE = 0;
const FLUSH = 1;
/** One decompressed block of zstd. */
const OUT_SIZE = 128 * 1024;

/** What node:zlib has from 22.15 on. */
interface NodeZstd {
  createZstdCompress?: (o: { params: Record<number, number> }) => object;
  createZstdDecompress?: () => object;
}

class NodeEngine implements ZstdEngine {
  taken = 0;
  made = 0;
  private readonly stream: RawStream;

  constructor(stream: object) {
    this.stream = new RawStream(stream, 'zstd');
  }

  run(flush: number, input: Uint8Array, from: number, to: number, out: Uint8Array, at: number, end = out.length): void {
    const room = end - at;
    this.stream.run(flush, input, from, to - from, out, at, room);
    this.taken = to - from - this.stream.inputLeft;
    this.made = room - this.stream.outputLeft;
  }
}

function nodeEngine(stream: object | undefined): ZstdEngine | null {
  return stream && RawStream.isPossible(stream) ? new NodeEngine(stream) : null;
}

function nodeCompressor(level: number, threads: number, isDefault: boolean): ZstdEngine | null {
  const params: Record<number, number> = { [COMPRESSION_LEVEL]: level };
  if (threads > 0) params[WORKERS] = threads;
  else if (isDefault) {
    params[WINDOW_LOG] = DEFAULT_PARAMETERS.windowLog;
    params[HASH_LOG] = DEFAULT_PARAMETERS.hashLog;
    params[CHAIN_LOG] = DEFAULT_PARAMETERS.chainLog;
  }
  return nodeEngine((zlib as NodeZstd).createZstdCompress?.({ params }));
}

function nodeDecompressor(): ZstdEngine | null {
  return nodeEngine((zlib as NodeZstd).createZstdDecompress?.());
}

/**
 * Whether zstd works here, by Node itself or by the system's library. The library is looked for in any case: a compressor
 * wants it, and in another root directory a later look would take what somebody has put there.
 */
export function hasZstd(): boolean {
  return hasZstdLibrary() || nodeDecompressor() !== null;
}

function found(engine: ZstdEngine | null): ZstdEngine {
  if (!engine) throw new RsyncError(Exit.UNSUPPORTED, 'zstd: neither Node.js nor a system library offers it');
  return engine;
}

/** zstd (10.4): one stream for the whole session; a run ends with a flush. This one is Node's, or has threads of its own. */
class EngineCompressor implements MovableCompressor {
  readonly state = null;
  private readonly frames = new FrameBuffer(0);

  constructor(private readonly engine: ZstdEngine) {}

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

/** The same by a stream of the library that another thread, or a kernel, may go on with. */
class StreamCompressor implements MovableCompressor {
  private readonly out = Buffer.allocUnsafeSlow(MAX_DATA_FRAME + BLOCK_ROOM);
  private readonly outPlace = addressOf(this.out);
  /** Bytes of `out` that are less than a frame. */
  private used = 0;

  constructor(private readonly stream: LibraryStream) {}

  get state(): StreamState {
    return this.stream.state;
  }

  get calls(): PackCalls {
    return this.stream;
  }

  move(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.out, 0, this.used);
  }

  hold(data: Uint8Array, from: number, to: number): void {
    this.out.set(data.subarray(from, to), this.used);
    this.used += to - from;
  }

  reset(): void {}

  write(data: Uint8Array, from: number, to: number, flush: boolean, emit: EmitFrame): void {
    const { stream } = this;
    while (from < to) {
      const n = Math.min(stream.room, to - from);
      stream.add(data, from, from + n);
      from += n;
      if (stream.room === 0) this.compress(emit);
    }
    if (!flush) return;
    this.compress(emit);
    if (this.used > 0) emit(this.out, 0, this.used);
    this.used = 0;
  }

  /** Emits whole frames of what was added. */
  private compress(emit: EmitFrame): void {
    const { out } = this;
    const end = this.used + this.stream.compress(out, this.outPlace, this.used);
    let at = 0;
    for (; end - at >= MAX_DATA_FRAME; at += MAX_DATA_FRAME) emit(out, at, at + MAX_DATA_FRAME);
    out.copyWithin(0, at, end);
    this.used = end - at;
  }
}

/** `state`: a stream that was begun in another thread; null: a new one. */
export function zstdCompressor(level: number | null, threads: number, state: StreamState | null): MovableCompressor {
  if (state !== null) return new StreamCompressor(LibraryStream.resume(state));
  const chosen = Math.max(MIN_LEVEL, Math.min(MAX_LEVEL, level || DEFAULT_LEVEL));
  const isDefault = !level;
  const stream = threads > 0 ? null : LibraryStream.create(chosen, isDefault);
  if (stream !== null) return new StreamCompressor(stream);
  const engine = threads > 0 ? threadedCompressor(chosen, threads) : null;
  return new EngineCompressor(found(engine ?? nodeCompressor(chosen, threads, isDefault)));
}

function damaged(): RsyncError {
  return new RsyncError(Exit.STREAMIO, 'zstd: damaged data');
}

/** The other side of it. */
export class ZstdDecompressor implements Decompressor, WholeInput {
  readonly out: Uint8Array = Buffer.allocUnsafeSlow(OUT_SIZE);
  private readonly engine = found(nodeDecompressor() ?? libraryDecompressor());
  private readonly input = Buffer.allocUnsafeSlow(MAX_DATA_FRAME);
  private at = 0;
  private end = 0;
  private wasFull = false;
  /** Of a file that was unpacked at once: input that was taken, and what was wrong with the stream. */
  private taken = 0;
  private damage: unknown = null;
  /** Of one that was given back: input that was taken already, and output that waits in `out`. */
  private ahead = 0;
  private waiting = 0;

  readonly wholeInput = this;

  reset(): void {}

  begin(): void {
    this.taken = 0;
  }

  unpack(b: Uint8Array, from: number, to: number, out: Uint8Array, at: number, end: number): number {
    const { engine } = this;
    try {
      while (from < to && at < end) {
        engine.run(CONTINUE, b, from, to, out, at, end);
        from += engine.taken;
        at += engine.made;
        this.taken += engine.taken;
        if (engine.taken === 0 && engine.made === 0) throw damaged();
      }
    } catch (error) {
      this.damage = error;
      return -1;
    }
    this.wasFull = at === end;
    return at;
  }

  giveBack(b: Uint8Array, from: number, to: number): void {
    this.out.set(b.subarray(from, to));
    this.waiting = to - from;
    this.ahead = this.taken;
  }

  feed(data: Uint8Array, from: number, to: number): void {
    const before = Math.min(this.ahead, to - from);
    this.ahead -= before;
    this.input.set(data.subarray(from + before, to));
    this.at = 0;
    this.end = to - from - before;
  }

  pull(): number {
    const { engine, out, waiting } = this;
    if (waiting > 0) {
      this.waiting = 0;
      return waiting;
    }
    if (this.damage !== null) throw this.damage;
    // A step may take input without making output.
    while (this.at < this.end || this.wasFull) {
      engine.run(CONTINUE, this.input, this.at, this.end, out, 0);
      this.at += engine.taken;
      this.wasFull = engine.made === out.length;
      if (engine.made > 0) return engine.made;
      if (engine.taken === 0 && this.at < this.end) throw damaged();
    }
    return 0;
  }
}
