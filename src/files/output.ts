import { fsyncSync, ftruncateSync, writeSync, writevSync } from 'node:fs';
import { copyFileRange, fallocate, hasLibc, punchHole } from '../libc/libc.js';

/** Small pieces are collected up to this size; pieces of at least `DIRECT` are written as they are. */
const BUFFER = 256 * 1024;
const DIRECT = 64 * 1024;
/** Pieces from this size on are not copied when they can be kept for a while, and so many at most. */
const WORTH_HOLDING = 8 * 1024;
const MAX_HELD = 16;
/** Holes are made of whole pages of zeros, because a file system cannot make smaller ones. */
const PAGE = 4096;
const ZEROS = Buffer.alloc(PAGE);

/** One that nobody uses now: a daemon has many short sessions, and fresh memory costs each of them. */
let spareBuffer: Buffer | null = null;

function takeBuffer(): Buffer {
  const buffer = spareBuffer ?? Buffer.allocUnsafeSlow(BUFFER);
  spareBuffer = null;
  return buffer;
}

export interface WriterOptions {
  sparse: boolean;
  preallocate: boolean;
  fsync: boolean;
}

export interface OutputFile {
  fd: number;
  /** Bytes that the file has already and that may stay (in place, append); 0 for a new one. */
  existing: number;
  /** Length that is expected, for --preallocate. */
  expected: number;
  /** A device: it has no length that could be cut. */
  isDevice?: boolean;
}

/** Where the content of one file goes, from its start to its end. */
export interface FileOutput {
  /** Takes data[from, to); it may be overwritten by the caller afterwards. */
  write(data: Uint8Array, from: number, to: number): void;
  /** The same for data that stays as it is until the next `flush`. */
  writeHeld(data: Uint8Array, from: number, to: number): void;
  flush(): void;
  seek(offset: number): void;
  keep(data: Uint8Array, from: number, to: number): void;
  /** Takes bytes from where another file stands; returns how many, 0 when that is not possible. */
  copy(from: number, length: number): number;
}

/**
 * Writes what is received into one file after the other. Errors are thrown as the file system gives them (ENOSPC and
 * so on), at the latest by `finish`.
 */
export class FileWriter implements FileOutput {
  /** Position of the next byte, whether it is still in the buffer or on disk. */
  offset = 0;
  /** Set when room could not be reserved (--preallocate); the file is written all the same. */
  reserveError: unknown = null;
  /** Holds the small pieces; null while there are none. */
  private buffer: Buffer | null = null;
  private used = 0;
  private readonly held: Uint8Array[] = [];
  private fd = -1;
  private existing = 0;
  private reserved = 0;
  private isDevice = false;
  /** End of what was really written; a hole at the end must be made by setting the length. */
  private written = 0;

  constructor(private readonly o: WriterOptions) {}

  /** Begins a file at offset 0. */
  start(file: OutputFile): void {
    this.fd = file.fd;
    this.existing = file.existing;
    this.isDevice = file.isDevice === true;
    this.offset = 0;
    this.used = 0;
    this.held.length = 0;
    this.written = 0;
    this.reserved = 0;
    this.reserveError = null;
    if (this.o.preallocate && file.expected > file.existing) this.reserve(file.expected);
  }

  private reserve(length: number): void {
    try {
      // Behind the end of a file, ext4 makes no holes.
      fallocate(this.fd, 0, length, this.o.sparse);
      this.reserved = length;
    } catch (error) {
      this.reserveError = error;
    }
  }

  /** Goes to another position, over content that stays as it is (append). */
  seek(offset: number): void {
    this.flush();
    this.offset = offset;
    this.written = Math.max(this.written, Math.min(offset, this.existing));
  }

  /** Leaves the next bytes, which are data[from, to), as they are (in place: a block that is where it belongs), but for holes. */
  keep(data: Uint8Array, from: number, to: number): void {
    this.flush();
    if (this.o.sparse) this.putSparse(data, from, to - from, true);
    this.seek(this.offset + to - from);
  }

  /** Takes data[from, to); it may be overwritten by the caller afterwards. */
  write(data: Uint8Array, from: number, to: number): void {
    const length = to - from;
    if (length >= DIRECT || this.held.length > 0) this.flush();
    if (length >= DIRECT) {
      this.put(data, from, length);
      this.offset += length;
      return;
    }
    if (this.used + length > BUFFER) this.flush();
    this.buffer ??= takeBuffer();
    this.buffer.set(from === 0 && to === data.length ? data : data.subarray(from, to), this.used);
    this.used += length;
    this.offset += length;
  }

  /** The same for data that stays as it is until the next `flush`: several pieces go out in one system call. */
  writeHeld(data: Uint8Array, from: number, to: number): void {
    if (to - from < WORTH_HOLDING || this.o.sparse) {
      this.write(data, from, to);
      return;
    }
    if (this.used > 0 || this.held.length === MAX_HELD) this.flush();
    this.held.push(data.subarray(from, to));
    this.offset += to - from;
  }

  /**
   * Takes up to `length` bytes from where another file stands, without bringing them into this process; 0 when that is not
   * possible. Both files must have been read and written in no other way so far.
   */
  copy(from: number, length: number): number {
    const { o } = this;
    if (o.sparse || this.isDevice || this.existing > 0 || this.used > 0 || this.held.length > 0 || !hasLibc()) return 0;
    try {
      const n = copyFileRange(from, this.fd, length);
      this.offset += n;
      this.written = Math.max(this.written, this.offset);
      return n;
    } catch {
      // Other file systems, or a real error, which the usual way meets again.
      return 0;
    }
  }

  /** Writes what is collected. */
  flush(): void {
    if (this.held.length > 0) this.putHeld();
    const { used } = this;
    if (used === 0) return;
    this.used = 0;
    const end = this.offset;
    this.offset = end - used;
    const buffer = this.buffer as Buffer;
    this.put(buffer, 0, used);
    this.offset = end;
    spareBuffer = buffer;
    this.buffer = null;
  }

  /** After an error nothing of it is tried again: the memory has other content by then. */
  private putHeld(): void {
    const { held } = this;
    const end = this.offset;
    for (const piece of held) this.offset -= piece.length;
    try {
      this.putPieces(held, this.offset);
    } finally {
      held.length = 0;
    }
    this.offset = end;
    this.written = Math.max(this.written, end);
  }

  private putPieces(pieces: readonly Uint8Array[], from: number): void {
    let position = from;
    let done = pieces.length > 1 ? writevSync(this.fd, pieces, position) : 0;
    // Rarely, a disk takes a part only; then, and for a single piece, the rest goes out piece by piece.
    for (const piece of pieces) {
      if (done < piece.length) this.putAll(piece, done, piece.length - done, position + done);
      done = Math.max(0, done - piece.length);
      position += piece.length;
    }
  }

  /** Everything is written, the file gets its length, and with fsync it is on disk. The descriptor stays open. */
  finish(): void {
    this.flush();
    if (!this.isDevice) {
      // A file that is updated in place gets a new time this way, also when no byte of it had to be written.
      const needsLength = this.existing > 0 || this.reserved > this.offset || this.written < this.offset;
      if (needsLength) ftruncateSync(this.fd, this.offset);
    }
    if (this.o.fsync) fsyncSync(this.fd);
  }

  /** Data at `this.offset`. */
  private put(data: Uint8Array, from: number, length: number): void {
    if (this.o.sparse) this.putSparse(data, from, length, false);
    else this.putAll(data, from, length, this.offset);
  }

  private putAll(data: Uint8Array, from: number, length: number, position: number): void {
    for (let done = 0; done < length; ) {
      done += writeSync(this.fd, data, from + done, length - done, position + done);
    }
    if (position + length > this.written) this.written = position + length;
  }

  /** Runs of pages that are all zero are left out; the others are written in one go, unless they are there already. */
  private putSparse(data: Uint8Array, from: number, length: number, isThere: boolean): void {
    const base = this.offset - from;
    const end = from + length;
    let runStart = from;
    let runIsZero = false;
    for (let at = from; at < end; ) {
      // Pages lie at multiples of their size in the file, whatever the position in the data.
      const next = Math.min(end, at + PAGE - ((base + at) % PAGE));
      const zero = isZero(data, at, next);
      if (zero !== runIsZero) {
        if (runIsZero || !isThere) this.putRun(data, runStart, at, base, runIsZero);
        runStart = at;
        runIsZero = zero;
      }
      at = next;
    }
    if (runIsZero || !isThere) this.putRun(data, runStart, end, base, runIsZero);
  }

  private putRun(data: Uint8Array, from: number, to: number, base: number, isZeroRun: boolean): void {
    if (to === from) return;
    const position = base + from;
    if (!isZeroRun) this.putAll(data, from, to - from, position);
    else if (position < Math.max(this.existing, this.reserved)) this.clear(data, from, to, position);
  }

  /** Zeros where the file has something else, or reserved room. */
  private clear(data: Uint8Array, from: number, to: number, position: number): void {
    if (hasLibc()) {
      try {
        punchHole(this.fd, position, to - from);
        return;
      } catch {
        // A file system without holes gets the zeros themselves.
      }
    }
    this.putAll(data, from, to - from, position);
  }
}

function isZero(data: Uint8Array, from: number, to: number): boolean {
  if (data[from] !== 0 || data[to - 1] !== 0) return false;
  return ZEROS.compare(data, from, to, 0, to - from) === 0;
}
