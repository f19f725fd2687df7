import { writev } from 'node:fs';

/** Lots that are on their way at most: their memory is what this costs. */
const MOST_LOTS = 4;
/** Pieces that one system call takes (IOV_MAX). */
export const MOST_PIECES = 1024;

/** Pieces that follow each other in the file. */
interface Lot {
  data: Uint8Array[];
  position: number;
  done: () => void;
}

/**
 * Writes a file on a thread of Node's pool while this one goes on. One call at a time, in order: a file system lets only one
 * into a file anyway, and what is there after an error has no gap.
 */
export class WriteBehind {
  /** The error that has ended the writing: what comes after it is dropped. */
  failure: NodeJS.ErrnoException | null = null;
  /** Called once, when nothing is on its way any more. */
  whenIdle: (() => void) | null = null;
  private fd = -1;
  private waiting: Lot[] = [];
  private writing: Lot[] = [];

  get isBusy(): boolean {
    return this.writing.length > 0;
  }

  get hasRoom(): boolean {
    return this.writing.length + this.waiting.length < MOST_LOTS;
  }

  /** Begins a file. Only while nothing is on its way. */
  start(fd: number): void {
    this.fd = fd;
    this.failure = null;
  }

  /** `data`, MOST_PIECES at most, goes to `position`, where the last lot ended. It stays as it is until `done` is called. */
  write(data: Uint8Array[], position: number, done: () => void): void {
    this.waiting.push({ data, position, done });
    if (!this.isBusy) this.next();
  }

  /** Begins with as much of what waits as one call takes. */
  private next(): void {
    const { waiting } = this;
    if (waiting.length === 0) return;
    const { position } = waiting[0];
    const data: Uint8Array[] = [];
    let count = 0;
    for (const lot of waiting) {
      if (data.length + lot.data.length > MOST_PIECES) break;
      for (const piece of lot.data) data.push(piece);
      count++;
    }
    this.writing = waiting.splice(0, count);
    this.put(data, position);
  }

  private put(data: Uint8Array[], position: number): void {
    writev(this.fd, data, position, (error, n) => {
      const rest = error === null ? after(data, n) : [];
      // A full disk takes a part, and says so at the next call.
      if (rest.length > 0) this.put(rest, position + n);
      else this.wrote(error);
    });
  }

  private wrote(error: NodeJS.ErrnoException | null): void {
    const done = this.writing;
    this.writing = [];
    if (error !== null) {
      this.failure = error;
      done.push(...this.waiting.splice(0));
    }
    this.next();
    for (const lot of done) lot.done();
    if (this.isBusy || this.whenIdle === null) return;
    const { whenIdle } = this;
    this.whenIdle = null;
    whenIdle();
  }
}

/** `data` without its first `n` bytes. */
function after(data: readonly Uint8Array[], n: number): Uint8Array[] {
  let index = 0;
  let left = n;
  while (index < data.length && left >= data[index].length) left -= data[index++].length;
  const rest = data.slice(index);
  if (left > 0) rest[0] = rest[0].subarray(left);
  return rest;
}
