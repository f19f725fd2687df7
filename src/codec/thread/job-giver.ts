import { copyShared } from '../../libc/files.js';
import { JOB_RING, Kind, RECORD_HEAD, RESULT_RING, recordLength, SharedRings, Word } from './ring.js';

/** Bytes of jobs after which the thread is woken: each time costs both sides some microseconds. */
const WAKE_EVERY = 64 * 1024;
/** Most bytes of one record. */
const PIECE = 256 * 1024;

/** The side that gives jobs and takes what comes of them. */
export class JobGiver {
  readonly rings = new SharedRings();
  private head = 0;
  private tail = 0;
  private unwoken = 0;

  constructor() {
    Atomics.store(this.rings.control, Word.WANTED, 1);
  }

  /** Bytes of the ring that are in use. */
  get used(): number {
    return (this.head - this.rings.load(Word.TAIL)) | 0;
  }

  /** Gives data[from, to), cut into pieces; `wait` is called, again and again, while there is no room. */
  give(kind: number, data: Uint8Array, from: number, to: number, wait: () => void): void {
    do {
      const n = Math.min(PIECE, to - from);
      const at = this.reserve(recordLength(n), wait);
      const { jobs, jobWords } = this.rings;
      jobWords[at / 4] = kind;
      jobWords[at / 4 + 1] = n;
      if (n > 0) copyShared(data, from, from + n, jobs, at + RECORD_HEAD);
      this.commit(recordLength(n));
      from += n;
    } while (from < to);
  }

  /** Room for a record in one piece. */
  private reserve(length: number, wait: () => void): number {
    const { jobWords } = this.rings;
    const at = this.head & (JOB_RING - 1);
    const filler = at + length > JOB_RING ? JOB_RING - at : 0;
    while (this.used + filler + length > JOB_RING) {
      this.wake();
      wait();
    }
    if (filler === 0) return at;
    jobWords[at / 4] = Kind.FILLER;
    jobWords[at / 4 + 1] = filler - RECORD_HEAD;
    this.commit(filler);
    return 0;
  }

  private commit(length: number): void {
    this.head = (this.head + length) | 0;
    Atomics.store(this.rings.control, Word.HEAD, this.head);
    this.unwoken += length;
    if (this.unwoken >= WAKE_EVERY) this.wake();
  }

  /** The thread looks for work, or room, if it sleeps. */
  wake(): void {
    const { control } = this.rings;
    this.unwoken = 0;
    Atomics.add(control, Word.CALLS, 1);
    if (Atomics.load(control, Word.ASLEEP) !== 0) Atomics.notify(control, Word.CALLS);
  }

  /** Waits, with this thread, until the other one is done with a job; at most a millisecond. */
  waitForJob(): void {
    const { rings } = this;
    Atomics.wait(rings.control, Word.TAIL, rings.load(Word.TAIL), 1);
  }

  /** Asks to be told of progress. */
  ask(): void {
    Atomics.store(this.rings.control, Word.WANTED, 1);
  }

  /** All that was given is done, and was taken. */
  get isIdle(): boolean {
    return this.used === 0 && this.made === 0;
  }

  /** Bytes that can be taken. */
  get made(): number {
    return (this.rings.load(Word.RESULT_HEAD) - this.tail) | 0;
  }

  /** Takes up to `n` bytes, at least one, to `at` in `into`; their number. Only when something was made. */
  take(into: Uint8Array, at: number, n: number): number {
    const { rings } = this;
    const from = this.tail & (RESULT_RING - 1);
    const length = Math.min(n, this.made, RESULT_RING - from);
    copyShared(rings.results, from, from + length, into, at);
    this.tail = (this.tail + length) | 0;
    Atomics.store(rings.control, Word.RESULT_TAIL, this.tail);
    return length;
  }

  /** The thread has ended, by itself or because it was asked to. */
  get isStopped(): boolean {
    return this.rings.load(Word.STOP) !== 0;
  }

  stop(): void {
    Atomics.store(this.rings.control, Word.STOP, 1);
    this.wake();
  }
}
