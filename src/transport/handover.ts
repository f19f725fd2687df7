import { closeSync } from 'node:fs';
import { Record } from '../../protocol/delta/file-answers.js';
import { descriptorLimit } from '../libc/descriptor-limit.js';

/** Files that may wait for the receiver, where this process may have many open, and at least. */
const MOST = 1600;
const FEWEST = 2;
/** Files that a run has open besides, and the part of the others that may wait. */
const BASE = 32;
const SHARE = 3 / 8;
/** What systems allow that do not tell. */
const USUAL_LIMIT = 1024;
const LARGEST_RECORDED = 0x7fff_ffff;

function mostWaiting(): number {
  const limit = descriptorLimit() ?? USUAL_LIMIT;
  return Math.max(FEWEST, Math.min(MOST, Math.floor((limit - BASE) * SHARE)));
}

/** The sender's part: it is told how a copy goes. */
export interface HandOverSource {
  /** Bytes copied so far. */
  copied(offset: number): void;
  /** A file that was given as `given` bytes is `size` bytes long. */
  resized(given: number, size: number): void;
  /** The file of a row is copied and closed; `error` is what made reading it fail. */
  done(row: number, error: NodeJS.ErrnoException | null): void;
}

/**
 * What a sender gives to the receiver beside the stream, when both are in one process: whole files, open, in the place of
 * their tokens and sum. They come in the order of their items, which do stand in the stream.
 */
export class HandOver {
  source: HandOverSource | null = null;
  /** The file that was taken last: descriptor, bytes to copy, and row. */
  fd = -1;
  size = 0;
  /** Bytes of it that are copied. */
  private copied = 0;
  private row = -1;
  private readonly most = mostWaiting();
  private readonly ndxs = new Int32Array(this.most);
  private readonly fds = new Int32Array(this.most);
  private readonly rows = new Int32Array(this.most);
  private readonly sizes = new Float64Array(this.most);
  private first = 0;
  private count = 0;
  /** Files that somebody else copies and closes. */
  private passed = 0;
  private closed = false;
  private waiting: (() => void) | null = null;

  /** Hands an open file over, which the other side closes. There must be room. */
  give(ndx: number, row: number, fd: number, size: number): void {
    if (this.closed) {
      closeSync(fd);
      return;
    }
    const at = (this.first + this.count++) % this.most;
    this.ndxs[at] = ndx;
    this.fds[at] = fd;
    this.rows[at] = row;
    this.sizes[at] = size;
  }

  /** The same for `count` files whose rows follow each other from `row` on. */
  giveRun(ndxs: Int32Array, row: number, fds: Int32Array, sizes: Int32Array, count: number): void {
    if (this.closed) {
      for (let i = 0; i < count; i++) closeSync(fds[i]);
      return;
    }
    const { most } = this;
    let at = (this.first + this.count) % most;
    for (let i = 0; i < count; i++) {
      this.ndxs[at] = ndxs[i];
      this.fds[at] = fds[i];
      this.rows[at] = row + i;
      this.sizes[at] = sizes[i];
      if (++at === most) at = 0;
    }
    this.count += count;
  }

  /** True when this item's data does not come in the stream: the file is in `fd` then, until `end`. */
  take(ndx: number): boolean {
    const { first } = this;
    if (this.count === 0 || this.ndxs[first] !== ndx) return false;
    this.fd = this.fds[first];
    this.row = this.rows[first];
    this.size = this.sizes[first];
    this.copied = 0;
    this.first = (first + 1) % this.most;
    this.count--;
    return true;
  }

  /**
   * What the first files are that wait to be taken, up to `most` of them and the first that is too large, as records
   * (`protocol/delta/file-answers.ts`). Returns their number.
   */
  look(records: Int32Array, most: number): number {
    const count = Math.min(this.count, most);
    const { ndxs, fds, sizes } = this;
    for (let i = 0, at = this.first; i < count; i++) {
      const record = i * Record.WORDS;
      if (sizes[at] > LARGEST_RECORDED) return i;
      records[record + Record.NDX] = ndxs[at];
      records[record + Record.FROM] = fds[at];
      records[record + Record.LENGTH] = sizes[at];
      if (++at === this.most) at = 0;
    }
    return count;
  }

  /** Leaves the first `count` files to somebody who closes them and tells so by `passedEnd`. */
  passOn(count: number): void {
    this.first = (this.first + count) % this.most;
    this.count -= count;
    this.passed += count;
  }

  /** So many files that were passed on are copied and closed, without an error. */
  passedWell(count: number): void {
    this.passed -= count;
    this.wake();
  }

  /** So many bytes of the file that was taken are copied. */
  tellCopied(offset: number): void {
    this.copied = offset;
    this.source?.copied(offset);
  }

  /** Bytes of what was given and is not copied yet, files that somebody else copies left out. */
  get bytesLeft(): number {
    let left = this.fd >= 0 ? this.size - this.copied : 0;
    for (let i = 0; i < this.count; i++) left += this.sizes[(this.first + i) % this.most];
    return left;
  }

  /** Closes the file that was taken. */
  end(error: NodeJS.ErrnoException | null): void {
    closeSync(this.fd);
    this.fd = -1;
    this.source?.done(this.row, error);
    this.wake();
  }

  /** Leaves the file that was taken to somebody who closes it and tells so by `passedEnd`. */
  pass(): void {
    this.fd = -1;
    this.passed++;
  }

  /** The file of a row that was passed on is copied and closed. */
  passedEnd(row: number, error: NodeJS.ErrnoException | null): void {
    this.passed--;
    this.source?.done(row, error);
    this.wake();
  }

  /** Files that the sender may give before it has to wait. */
  get room(): number {
    return this.closed ? 0 : Math.max(0, this.most - 1 - this.count - this.passed);
  }

  /** True when the sender has to wait before it gives more. */
  get isFull(): boolean {
    return this.count + this.passed >= this.most && !this.closed;
  }

  /** True while something that was given is not copied yet. */
  get isBusy(): boolean {
    return (this.count > 0 || this.fd >= 0 || this.passed > 0) && !this.closed;
  }

  /** Waits until a file is done, or all is over. */
  wait(): Promise<void> {
    if (!this.isBusy) return Promise.resolve();
    return new Promise((resolve) => {
      this.waiting = resolve;
    });
  }

  private wake(): void {
    this.waiting?.();
    this.waiting = null;
  }

  /** The run is over: what nobody took is closed. */
  close(): void {
    this.closed = true;
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
    for (; this.count > 0; this.count--) {
      closeSync(this.fds[this.first]);
      this.first = (this.first + 1) % this.most;
    }
    this.wake();
  }
}
