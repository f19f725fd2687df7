import type { ByteReader } from '../bytes/reader.js';
import type { ByteWriter } from '../bytes/writer.js';
import { CHUNK_SIZE } from '../constants.js';

/** Takes the pieces of a file in order: bytes that are new, and blocks that the basis has. */
export interface TokenSink {
  /** data[from, to) is valid only during the call. */
  literal(data: Uint8Array, from: number, to: number): void;
  /** The block's bytes are data[from, to). */
  match(block: number, data: Uint8Array, from: number, to: number): void;
}

/** A sink that writes tokens to the wire. */
export interface TokenWriter extends TokenSink {
  /** Begins a file. */
  start(): void;
  /** Ends it. */
  end(): void;
}

/** What `TokenReader.next` found. */
export const Token = { SHORT: 0, LITERAL: 1, MATCH: 2, END: 3 } as const;

/**
 * A compressed stream, between two files, for one that has come whole: it may be unpacked at once, past the reader. What
 * that file turns out not to be like is the reader's business after all, by `giveBack`.
 */
export interface WholeInput {
  /** Begins a file. */
  begin(): void;
  /**
   * Takes the payload b[from, to) of the file's next frame, and puts what it makes to out[at, end). Returns where that ends: at
   * `end`, there may be more of it. -1: the stream is damaged.
   */
  unpack(b: Uint8Array, from: number, to: number, out: Uint8Array, at: number, end: number): number;
  /** The reader is to read the file from its start: what was made of it so far, b[from, to), comes once more, and damage is told. */
  giveBack(b: Uint8Array, from: number, to: number): void;
}

/** Reads the tokens of one file after the other. */
export interface TokenReader {
  /** null where files can only be read by `next`. */
  readonly wholeInput: WholeInput | null;
  start(): void;
  /** Nobody wants the content of the file that has begun; blocks are not handed to `matched`. */
  drop(): void;
  /**
   * The next token. LITERAL: the bytes are data[from, to), valid until the next call. MATCH: `block` is the number of a
   * block (0 or more; the caller compares it with the count). SHORT: wait for input and call again.
   */
  next(r: ByteReader): number;
  /** Takes those blocks behind `block`, `most` at most, that come next in the stream and have arrived; returns how many. */
  further(r: ByteReader, most: number): number;
  data: Uint8Array;
  from: number;
  to: number;
  block: number;
  /** Whether the bytes of each matched block must be handed to `matched` before the next call of `next`. */
  readonly wantsMatched: boolean;
  /** The bytes of a literal stay where they are until more input comes in. */
  readonly keepsData: boolean;
  matched(data: Uint8Array, from: number, to: number): void;
}

/** The uncompressed form (10.1). */
export class PlainTokenWriter implements TokenWriter {
  constructor(private readonly w: ByteWriter) {}

  start(): void {}

  literal(data: Uint8Array, from: number, to: number): void {
    const { w } = this;
    while (from < to) {
      const n = Math.min(CHUNK_SIZE, to - from);
      w.ensure(4 + n);
      w.i32(n);
      w.bytes(data, from, from + n);
      from += n;
    }
  }

  match(block: number, _data: Uint8Array, _from: number, _to: number): void {
    this.w.i32(-(block + 1));
  }

  end(): void {
    this.w.i32(0);
  }

  private readonly rooms: Uint8Array[] = [];

  /**
   * Makes room for literals of up to `n` > 0 bytes together, and returns the places in `w.buf` where the caller may put
   * them one after the other: one for each token, CHUNK_SIZE bytes long but for the last. There may be less room than
   * asked for. Nothing is written before `commit`.
   */
  reserve(n: number): readonly Uint8Array[] {
    const { w, rooms } = this;
    w.ensure(4 + Math.min(n, CHUNK_SIZE));
    rooms.length = 0;
    let at = w.pos;
    for (let left = n; left > 0; ) {
      const length = Math.min(left, CHUNK_SIZE);
      if (at + 4 + length > w.pageEnd) break;
      rooms.push(w.buf.subarray(at + 4, at + 4 + length));
      at += 4 + length;
      left -= length;
    }
    return rooms;
  }

  /** Where in `w.buf` the `i`-th of the reserved places begins. */
  placeOf(i: number): number {
    return this.w.pos + 4 + i * (4 + CHUNK_SIZE);
  }

  /** The same for one token of up to CHUNK_SIZE bytes, `n` of them: where in `w.buf` they may be put. */
  place(n: number): number {
    this.w.ensure(4 + n);
    return this.w.pos + 4;
  }

  /** Turns the first `n` bytes in the reserved places into literal tokens. */
  commit(n: number): void {
    for (let left = n; left > 0; left -= CHUNK_SIZE) {
      const length = Math.min(left, CHUNK_SIZE);
      this.w.i32(length);
      this.w.pos += length;
    }
  }
}

const NO_BYTES = new Uint8Array(0);

/** The uncompressed form, without copies: literal bytes are those of the reader's window. */
export class PlainTokenReader implements TokenReader {
  readonly wholeInput = null;
  data: Uint8Array = NO_BYTES;
  from = 0;
  to = 0;
  block = 0;
  readonly wantsMatched = false;
  readonly keepsData = true;
  private left = 0;

  start(): void {
    this.left = 0;
  }

  drop(): void {}

  next(r: ByteReader): number {
    r.begin();
    if (this.left === 0) {
      const value = r.i32();
      if (!r.done()) return Token.SHORT;
      if (value === 0) return Token.END;
      if (value < 0) {
        this.block = -(value + 1);
        return Token.MATCH;
      }
      this.left = value;
    }
    const n = Math.min(this.left, r.available());
    if (n === 0) return Token.SHORT;
    this.data = r.buf;
    this.from = r.pos;
    this.to = r.pos + n;
    this.left -= n;
    r.pos += n;
    r.done();
    return Token.LITERAL;
  }

  further(r: ByteReader, most: number): number {
    r.begin();
    const room = Math.floor(r.available() / 4);
    const { buf, pos: first } = r;
    const end = first + 4 * Math.min(most, room);
    let at = first;
    for (let value = -(this.block + 2); at < end; at += 4, value--) {
      if ((buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24)) !== value) break;
    }
    r.pos = at;
    r.done();
    const count = (at - first) / 4;
    this.block += count;
    return count;
  }

  matched(_data: Uint8Array, _from: number, _to: number): void {}
}
