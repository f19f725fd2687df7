import type { ByteReader } from '../bytes/reader.js';
import type { ByteWriter } from '../bytes/writer.js';
import { Exit } from '../constants.js';
import { ProtocolError } from '../errors.js';
import { Token, type TokenReader, type TokenWriter, type WholeInput } from './tokens.js';

/** Longest payload of a data frame (10.2). */
export const MAX_DATA_FRAME = 16383;

/** Takes the payload of one data frame, b[from, to): 1 to MAX_DATA_FRAME bytes, valid only during the call. */
export type EmitFrame = (b: Uint8Array, from: number, to: number) => void;

/** Makes the payloads of data frames. */
export interface Compressor {
  /** Begins a file. */
  reset(): void;
  /** Takes literal bytes; with `flush`, a run of literals ends and all of it must be emitted. */
  write(data: Uint8Array, from: number, to: number, flush: boolean, emit: EmitFrame): void;
  /** Takes the bytes of a block that is sent by number, where these enter the history (zlib, 10.3). */
  matched?(data: Uint8Array, from: number, to: number): void;
}

/** The other way: give one frame with `feed`, then call `pull` until it returns 0, then give the next. */
export interface Decompressor {
  /** What the last `pull` made; its length bounds the memory that a small frame can take. */
  readonly out: Uint8Array;
  /** The stream, for files that are unpacked past `feed` and `pull`; none: there is no such way. */
  readonly wholeInput?: WholeInput;
  /** Begins a file. */
  reset(): void;
  /** Takes the payload of one frame; it is copied. */
  feed(data: Uint8Array, from: number, to: number): void;
  /** Puts the next bytes into `out` and returns their number; 0 when more input is needed. Throws an RsyncError 12. */
  pull(): number;
  /** A run of data frames has ended (zlib puts back the bytes that the sender cut off); `pull` may give more. */
  endRun?(): void;
  matched?(data: Uint8Array, from: number, to: number): void;
}

const Flag = { END: 0x00, LONG: 0x20, LONG_RUN: 0x21, DATA: 0x40, SHORT: 0x80, SHORT_RUN: 0xc0 } as const;
const KIND = 0xc0;
const VALUE = 0x3f;
/** A run has at most this many blocks after the first. */
const MAX_FURTHER = 0xffff;
const MAX_BLOCK = 0x7ffffffe;

/** Bytes in front of the payload of a data frame. */
export const FRAME_HEAD = 2;

/** Bytes of the payload of the data frame at b[at]. */
export function frameLength(b: Uint8Array, at: number): number {
  return ((b[at] & VALUE) << 8) | b[at + 1];
}

/** Writes the two bytes in front of a data frame of `length` bytes to the beginning of `b`. */
export function frameHead(b: Uint8Array, length: number): void {
  b[0] = Flag.DATA | (length >> 8);
  b[1] = length & 0xff;
}

const NO_BYTES = new Uint8Array(0);

/** The compressed form (10.2) for all algorithms. */
export class CompressedTokenWriter implements TokenWriter {
  private last = 0;
  private first = -1;
  private further = 0;
  private isOpen = false;
  private readonly emit: EmitFrame;

  constructor(
    private readonly w: ByteWriter,
    private readonly codec: Compressor,
  ) {
    this.emit = (b, from, to) => {
      const n = to - from;
      w.ensure(2);
      w.u8(Flag.DATA | (n >> 8));
      w.u8(n & 0xff);
      w.bytes(b, from, to);
    };
  }

  start(): void {
    this.last = 0;
    this.first = -1;
    this.further = 0;
    this.isOpen = false;
    this.codec.reset();
  }

  literal(data: Uint8Array, from: number, to: number): void {
    if (from === to) return;
    this.endBlocks();
    this.isOpen = true;
    this.codec.write(data, from, to, false, this.emit);
  }

  match(block: number, data: Uint8Array, from: number, to: number): void {
    if (block > MAX_BLOCK) throw new ProtocolError('block number', block, Exit.STREAMIO);
    this.endLiterals();
    if (this.first >= 0 && block === this.first + this.further + 1 && this.further < MAX_FURTHER) {
      this.further++;
    } else {
      this.endBlocks();
      this.first = block;
    }
    this.codec.matched?.(data, from, to);
  }

  end(): void {
    this.endLiterals();
    this.endBlocks();
    this.w.u8(Flag.END);
  }

  private endLiterals(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.codec.write(NO_BYTES, 0, 0, true, this.emit);
  }

  /** Writes the run of blocks that was gathered. */
  private endBlocks(): void {
    const { w, first, further } = this;
    if (first < 0) return;
    const offset = first - this.last;
    const isNear = offset >= 0 && offset <= VALUE;
    if (isNear) {
      w.u8((further > 0 ? Flag.SHORT_RUN : Flag.SHORT) | offset);
    } else {
      w.u8(further > 0 ? Flag.LONG_RUN : Flag.LONG);
      w.i32(first);
    }
    if (further > 0) w.u16(further);
    this.last = first + further;
    this.first = -1;
    this.further = 0;
  }
}

/** Reads the compressed form; runs of blocks come out block by block, data frames in pieces of bounded length. */
export class CompressedTokenReader implements TokenReader {
  data: Uint8Array = NO_BYTES;
  from = 0;
  to = 0;
  block = 0;
  readonly wantsMatched: boolean;
  readonly wholeInput: WholeInput | null;
  readonly keepsData = false;
  /** Of the run of blocks that was read last: the block that came out last, and how many are left. */
  private last = 0;
  private left = 0;
  /** Data frames were seen and the run has not ended. */
  private inRun = false;
  private isDraining = false;
  /** Data frames of this file are passed over. */
  private isDropping = false;

  constructor(private readonly codec: Decompressor) {
    this.wantsMatched = codec.matched !== undefined;
    this.wholeInput = codec.wholeInput ?? null;
  }

  start(): void {
    this.last = 0;
    this.left = 0;
    this.inRun = false;
    this.isDraining = false;
    this.isDropping = false;
    this.codec.reset();
  }

  /** Where blocks enter the history, and there are none, the data cannot be unpacked; it need not be: it lasts for a file. */
  drop(): void {
    this.isDropping = this.wantsMatched;
  }

  further(_r: ByteReader, most: number): number {
    const count = Math.min(most, this.left);
    this.left -= count;
    this.block = this.last += count;
    return count;
  }

  next(r: ByteReader): number {
    if (this.left > 0) {
      this.left--;
      this.block = ++this.last;
      return Token.MATCH;
    }
    while (true) {
      if (this.isDraining && this.drain()) return Token.LITERAL;
      if (!r.has(1)) return Token.SHORT;
      const flag = r.buf[r.pos];
      if ((flag & KIND) === Flag.DATA) {
        if (!this.takeFrame(r)) return Token.SHORT;
      } else if (this.inRun) {
        this.inRun = false;
        if (this.codec.endRun) {
          this.codec.endRun();
          this.isDraining = true;
        }
      } else {
        return this.takeToken(r);
      }
    }
  }

  private drain(): boolean {
    const n = this.codec.pull();
    this.isDraining = n > 0;
    if (n === 0) return false;
    this.data = this.codec.out;
    this.from = 0;
    this.to = n;
    return true;
  }

  private takeFrame(r: ByteReader): boolean {
    r.begin();
    const length = ((r.u8() & VALUE) << 8) | r.u8();
    if (!r.short && !r.has(length)) r.short = true;
    if (r.short) return r.done();
    if (!this.isDropping) {
      this.codec.feed(r.buf, r.pos, r.pos + length);
      this.inRun = true;
      this.isDraining = true;
    }
    r.pos += length;
    return r.done();
  }

  private takeToken(r: ByteReader): number {
    r.begin();
    const flag = r.u8();
    const kind = flag & KIND;
    let first: number;
    if (kind !== 0) first = this.last + (flag & VALUE);
    else if (flag === Flag.END) return r.done() ? Token.END : Token.SHORT;
    else if (flag === Flag.LONG || flag === Flag.LONG_RUN) first = r.i32();
    else throw new ProtocolError('token flag', flag, Exit.STREAMIO);
    const further = kind === Flag.SHORT_RUN || flag === Flag.LONG_RUN ? r.u16() : 0;
    r.bounded(first, 0, MAX_BLOCK - further, 'block number', Exit.STREAMIO);
    if (!r.done()) return Token.SHORT;
    this.block = this.last = first;
    this.left = further;
    return Token.MATCH;
  }

  matched(data: Uint8Array, from: number, to: number): void {
    this.codec.matched?.(data, from, to);
  }
}
