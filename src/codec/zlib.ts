import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib';
import { Exit } from '../../protocol/constants.js';
import { type Compressor, type Decompressor, type EmitFrame, MAX_DATA_FRAME } from '../../protocol/delta/compressed.js';
import { RsyncError } from '../../protocol/errors.js';
import { FrameBuffer } from './frames.js';
import { RawStream } from './raw-stream.js';

const DEFAULT_LEVEL = 6;
/** What ends a sync flush; it does not travel (10.3). */
const SYNC_TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
/** Longest stored block of deflate. */
const MAX_STORED = 0xffff;
const STORED_HEADER = 5;
const OUT_SIZE = 64 * 1024;
/** Protocols below this one feed the beginning of a long block again and again (10.3). */
const FIRST_CORRECT_PROTOCOL = 31;

/**
 * Cuts a matched block into the pieces that enter the history, and gives each to `take`.
 * Below protocol 31 every piece begins where the block begins: a historic fault that both sides have to share.
 */
function forEachPiece(protocol: number, from: number, to: number, take: (from: number, to: number) => void): void {
  let start = from;
  for (let left = to - from; left > 0; ) {
    const n = Math.min(left, MAX_STORED);
    take(start, start + n);
    left -= n;
    if (protocol >= FIRST_CORRECT_PROTOCOL) start += n;
  }
}

/** With 0, data is stored in blocks, not packed. */
function chosenLevel(level: number | null): number {
  if (level === null || level === -1) return DEFAULT_LEVEL;
  return level === 0 ? 0 : Math.min(9, Math.max(1, level));
}

/** zlibx: deflate over the literal bytes of a file (10.3). */
export class DeflateCompressor implements Compressor {
  protected readonly stream: RawStream;
  private readonly frames = new FrameBuffer(SYNC_TAIL.length);

  constructor(level: number | null) {
    this.stream = new RawStream(
      createDeflateRaw({ level: chosenLevel(level), windowBits: 15, memLevel: 8 }),
      'deflate',
    );
  }

  reset(): void {
    this.stream.reset();
    this.frames.used = 0;
  }

  write(data: Uint8Array, from: number, to: number, flush: boolean, emit: EmitFrame): void {
    const { stream, frames } = this;
    const mode = flush ? constants.Z_SYNC_FLUSH : constants.Z_NO_FLUSH;
    let left = to - from;
    while (true) {
      stream.run(mode, data, to - left, left, frames.bytes, frames.used, frames.room);
      left = stream.inputLeft;
      frames.used += frames.room - stream.outputLeft;
      // Room that is left over means that everything was taken and, in a flush, given out.
      const isDone = stream.outputLeft > 0;
      frames.spill(emit);
      if (isDone) break;
    }
    if (flush) frames.end(emit);
  }
}

/** zlib: as above, and the blocks that are sent by number enter the history too. */
export class HistoryDeflateCompressor extends DeflateCompressor {
  private readonly waste = Buffer.allocUnsafeSlow(OUT_SIZE);
  private source: Uint8Array = SYNC_TAIL;

  constructor(
    level: number | null,
    private readonly protocol: number,
  ) {
    super(level);
  }

  matched(data: Uint8Array, from: number, to: number): void {
    this.source = data;
    forEachPiece(this.protocol, from, to, this.take);
  }

  /** Compresses a piece for its effect on the history alone. */
  private readonly take = (from: number, to: number): void => {
    const { stream, waste } = this;
    let left = to - from;
    do {
      stream.run(constants.Z_SYNC_FLUSH, this.source, to - left, left, waste, 0, waste.length);
      left = stream.inputLeft;
    } while (stream.outputLeft === 0);
  };
}

/** The receiving side of zlibx. */
export class InflateDecompressor implements Decompressor {
  readonly out: Uint8Array = Buffer.allocUnsafeSlow(OUT_SIZE);
  protected readonly stream = new RawStream(createInflateRaw({ windowBits: 15 }), 'inflate');
  private readonly input = Buffer.allocUnsafeSlow(MAX_DATA_FRAME);
  private at = 0;
  private end = 0;
  /** The last call filled `out`: there may be more without further input. */
  private wasFull = false;

  reset(): void {
    this.stream.reset();
    this.at = this.end = 0;
    this.wasFull = false;
  }

  feed(data: Uint8Array, from: number, to: number): void {
    this.input.set(data.subarray(from, to));
    this.at = 0;
    this.end = to - from;
  }

  pull(): number {
    const { stream, out, end } = this;
    if (this.at === end && !this.wasFull) return 0;
    stream.run(constants.Z_SYNC_FLUSH, this.input, this.at, end - this.at, out, 0, out.length);
    this.at = end - stream.inputLeft;
    this.wasFull = stream.outputLeft === 0;
    const n = out.length - stream.outputLeft;
    // A deflate stream that ends inside a file takes no more input.
    if (n === 0 && this.at < end) throw new RsyncError(Exit.STREAMIO, 'inflate: data after the end of the stream');
    return n;
  }

  endRun(): void {
    this.feed(SYNC_TAIL, 0, SYNC_TAIL.length);
  }
}

/** The receiving side of zlib: matched blocks are inflated as stored blocks. */
export class HistoryInflateDecompressor extends InflateDecompressor {
  private readonly header = Buffer.alloc(STORED_HEADER);
  private source: Uint8Array = SYNC_TAIL;

  constructor(private readonly protocol: number) {
    super();
  }

  matched(data: Uint8Array, from: number, to: number): void {
    this.source = data;
    forEachPiece(this.protocol, from, to, this.take);
  }

  private readonly take = (from: number, to: number): void => {
    const { header } = this;
    header.writeUInt16LE(to - from, 1);
    header.writeUInt16LE(~(to - from) & 0xffff, 3);
    this.absorb(header, 0, STORED_HEADER);
    this.absorb(this.source, from, to);
  };

  private absorb(data: Uint8Array, from: number, to: number): void {
    const { stream, out } = this;
    let left = to - from;
    do {
      stream.run(constants.Z_SYNC_FLUSH, data, to - left, left, out, 0, out.length);
      if (stream.inputLeft === left && stream.outputLeft === out.length) {
        throw new RsyncError(Exit.STREAMIO, 'inflate: data after the end of the stream');
      }
      left = stream.inputLeft;
    } while (left > 0 || stream.outputLeft === 0);
  }
}
