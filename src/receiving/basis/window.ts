import { FIRST_FREE, type Kernel } from '../../../protocol/kernel/kernel.js';
import { readFully } from '../../files/window.js';

/** Bytes of a basis that are read at once, at most and where a block stands by itself. */
export const BASIS_WINDOW = 256 * 1024;
const FIRST_READ = 16 * 1024;

/**
 * The part of a basis that was read last, and in it a run of blocks that follow each other and are still to be used:
 * sum and disk take few long pieces better than many short ones. With a kernel, the bytes lie in its memory.
 */
export class BasisWindow {
  /** The memory; blocks are at `bytes[place(offset)]`. */
  bytes: Uint8Array = new Uint8Array(0);
  /** The run as offsets of the basis. */
  runFrom = 0;
  runTo = 0;
  private fd = -1;
  private start = 0;
  private length = 0;
  /** Bytes of the last read that was made ahead. */
  private reach = 0;
  private readonly base: number;

  constructor(private readonly kernel: Kernel | null) {
    this.base = kernel === null ? 0 : FIRST_FREE;
  }

  open(fd: number): void {
    this.fd = fd;
    this.start = this.length = this.reach = 0;
    this.runFrom = this.runTo = 0;
  }

  place(offset: number): number {
    return this.base + offset - this.start;
  }

  get hasRun(): boolean {
    return this.runTo > this.runFrom;
  }

  endRun(): void {
    this.runFrom = this.runTo;
  }

  has(at: number, length: number): boolean {
    return at >= this.start && at + length <= this.start + this.length;
  }

  /** Where it ends in the basis. */
  get end(): number {
    return this.start + this.length;
  }

  /**
   * Reads from `at` on: `length` bytes, and where `ahead` allows it more pieces of that length, twice as many each time that
   * the basis is used in order, up to a window. Returns how many of `length` bytes there are.
   */
  load(at: number, length: number, ahead: boolean): number {
    const { end } = this;
    const isNext = at >= end && at <= end + this.reach;
    this.reach = isNext ? Math.min(Math.max(2 * this.reach, FIRST_READ), BASIS_WINDOW) : FIRST_READ;
    const size = ahead ? Math.max(1, Math.floor(this.reach / length)) * length : length;
    this.reserve(size);
    this.length = readFully(this.fd, this.bytes, this.base, size, at);
    this.start = at;
    return Math.min(this.length, length);
  }

  private reserve(size: number): void {
    if (this.kernel !== null) {
      this.kernel.reserve(FIRST_FREE + size);
      this.bytes = this.kernel.bytes;
    } else if (this.bytes.length < size) {
      this.bytes = Buffer.allocUnsafeSlow(Math.max(size, BASIS_WINDOW));
    }
  }
}
