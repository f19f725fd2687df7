/**
 * The memory that a thread for file work shares with the thread that gives it work: a ring of jobs, each in one piece,
 * and a place for what became of each. One side puts in, the other one takes out, in order.
 *
 *     control   32-bit words, see `Word`
 *     results   two words for each job that may be under way: attributes, landing (see `Step`)
 *     ring      jobs: 32-bit words as in `Field`, names with a NUL behind each, data from a multiple of 8 on
 */

/** Bytes of the ring; a power of two, so that positions may wrap around at 2^32. */
const RING = 1 << 22;
/** Jobs that may be under way; a power of two as well. */
export const MOST_JOBS = 1024;

/** Words that both sides see. Positions count bytes (HEAD, TAIL) or jobs (DONE) from the start on. */
const Word = { HEAD: 0, TAIL: 1, DONE: 2, ASLEEP: 3, WANTED: 4, STOP: 5 } as const;

const CONTROL_AT = 0;
const RESULTS_AT = 64;
const RING_AT = RESULTS_AT + MOST_JOBS * 8;

/** What a job is. FILLER: the rest of the ring, up to its end. */
export const Kind = { FILLER: 0, ENTER: 1, WRITE: 2, COPY: 3 } as const;

/**
 * Words of a job. FD: the directory to go to, or the file to copy; the job owns it. RIGHTS: the mode to create with. MODE:
 * the permissions at the end. UID, GID: -1 leaves them. TIMES: 1 when the two struct timespec at TIMESPEC are to be set.
 * TEMP, NAME: lengths of the temporary name and of the real one, without the NUL behind each. DATA: bytes of content.
 */
export const Field = {
  LENGTH: 0,
  KIND: 1,
  FD: 2,
  RIGHTS: 3,
  MODE: 4,
  UID: 5,
  GID: 6,
  TIMES: 7,
  TIMESPEC: 8,
  TEMP: 16,
  NAME: 17,
  DATA: 18,
} as const;

/** Bytes of the shortest job. */
const FILLER_BYTES = 8;
/** Bytes in front of a job's names. */
export const HEAD_BYTES = 80;

/** What failed, in the upper half of a result, with the errno in the lower one. 0: nothing. */
export const Step = {
  CREATE: 1,
  WRITE: 2,
  RENAME: 3,
  READ: 4,
  DROPPED: 5,
  CHOWN: 1,
  CHGRP: 2,
  TIMES: 3,
  MODE: 4,
} as const;

export function result(step: number, errno: number): number {
  return (step << 16) | errno;
}

/** Where a job's data begins, counted from its start. */
export function dataAt(temp: number, name: number): number {
  return (HEAD_BYTES + temp + name + 2 + 7) & ~7;
}

/** Views of the shared memory. */
class Shared {
  protected readonly control: Int32Array;
  protected readonly results: Int32Array;
  readonly words: Int32Array;
  readonly bytes: Buffer;

  constructor(readonly memory: SharedArrayBuffer) {
    this.control = new Int32Array(memory, CONTROL_AT, (RESULTS_AT - CONTROL_AT) / 4);
    this.results = new Int32Array(memory, RESULTS_AT, MOST_JOBS * 2);
    this.words = new Int32Array(memory, RING_AT, RING / 4);
    this.bytes = Buffer.from(memory, RING_AT, RING);
  }
}

/** The side that gives work. */
export class JobSource extends Shared {
  private head = 0;
  /** Where the reserved job begins in the ring, and the filler in front of it. */
  private at = 0;
  private filler = 0;
  private given = 0;
  private taken = 0;

  constructor() {
    super(new SharedArrayBuffer(RING_AT + RING));
  }

  /** Jobs whose results were not taken yet. */
  get underWay(): number {
    return this.given - this.taken;
  }

  /** Room in one piece for a job of `length` bytes: its place in `bytes`, or -1 when there is none now. */
  reserve(length: number): number {
    if (this.underWay >= MOST_JOBS) return -1;
    const start = this.head & (RING - 1);
    const filler = start + length > RING ? RING - start : 0;
    const used = (this.head - Atomics.load(this.control, Word.TAIL)) | 0;
    if (used + filler + length > RING) return -1;
    this.filler = filler;
    this.at = filler > 0 ? 0 : start;
    return this.at;
  }

  /** True when there is room for `count` more jobs, together `length` bytes long, however they lie. */
  hasRoom(count: number, length: number): boolean {
    const used = (this.head - Atomics.load(this.control, Word.TAIL)) | 0;
    return this.underWay + count <= MOST_JOBS && used + 2 * length <= RING;
  }

  /** Gives what was reserved last, `length` bytes of it. One without result is not counted. */
  commit(length: number, hasResult: boolean): void {
    const { words, filler } = this;
    if (filler > 0) {
      const start = (this.head & (RING - 1)) / 4;
      words[start + Field.LENGTH] = filler;
      words[start + Field.KIND] = Kind.FILLER;
    }
    const whole = (length + 7) & ~7;
    words[this.at / 4 + Field.LENGTH] = whole;
    this.head = (this.head + filler + whole) | 0;
    if (hasResult) this.given++;
    Atomics.store(this.control, Word.HEAD, this.head);
  }

  /** Wakes the other side if it sleeps. */
  wake(): void {
    if (Atomics.load(this.control, Word.ASLEEP) !== 0) Atomics.notify(this.control, Word.HEAD);
  }

  /** True when a result can be taken. */
  get hasResult(): boolean {
    return this.taken !== this.given && ((Atomics.load(this.control, Word.DONE) - this.taken) | 0) > 0;
  }

  /** The attribute result of the oldest job under way; only when `hasResult`. */
  get attributes(): number {
    return this.results[(this.taken & (MOST_JOBS - 1)) * 2];
  }

  get landing(): number {
    return this.results[(this.taken & (MOST_JOBS - 1)) * 2 + 1];
  }

  /** Its results were used. */
  take(): void {
    this.taken++;
  }

  /** Asks to be told when work is done. False when all is done already. */
  ask(): boolean {
    Atomics.store(this.control, Word.WANTED, 1);
    return ((Atomics.load(this.control, Word.DONE) - this.given) | 0) < 0;
  }

  /** Waits, with this thread, until all jobs are done; at most `ms`. */
  waitForAll(ms: number): void {
    const deadline = performance.now() + ms;
    for (;;) {
      this.wake();
      const done = Atomics.load(this.control, Word.DONE);
      const left = deadline - performance.now();
      if (((done - this.given) | 0) >= 0 || left <= 0) return;
      Atomics.wait(this.control, Word.DONE, done, left);
    }
  }

  /** The other side drops what it has not begun, tells so, and ends. */
  stop(): void {
    Atomics.store(this.control, Word.STOP, 1);
    // A side that is about to sleep sees that something has come. Where there is no room, it is not about to.
    const at = this.reserve(FILLER_BYTES);
    if (at >= 0) {
      this.words[at / 4 + Field.KIND] = Kind.FILLER;
      this.commit(FILLER_BYTES, false);
    }
    Atomics.notify(this.control, Word.HEAD);
  }
}

/** The side that works. */
export class JobSink extends Shared {
  private tail = 0;
  private done = 0;

  /** The place of the next job in `words`; waits for it. -1: the end. `rest` is called before a wait. */
  next(rest: () => void): number {
    for (;;) {
      const head = Atomics.load(this.control, Word.HEAD);
      if (head === this.tail) {
        if (this.isStopped) return -1;
        rest();
        Atomics.store(this.control, Word.ASLEEP, 1);
        Atomics.wait(this.control, Word.HEAD, head);
        Atomics.store(this.control, Word.ASLEEP, 0);
        continue;
      }
      const at = (this.tail & (RING - 1)) / 4;
      if (this.words[at + Field.KIND] !== Kind.FILLER) return at;
      this.release(at);
    }
  }

  /** What is still there is only to be taken out. */
  get isStopped(): boolean {
    return Atomics.load(this.control, Word.STOP) !== 0;
  }

  /** The job's memory may be used again. */
  release(at: number): void {
    this.tail = (this.tail + this.words[at + Field.LENGTH]) | 0;
    Atomics.store(this.control, Word.TAIL, this.tail);
  }

  /** A job is done. Returns how many were. */
  finish(attributes: number, landing: number): number {
    const at = (this.done & (MOST_JOBS - 1)) * 2;
    this.results[at] = attributes;
    this.results[at + 1] = landing;
    this.done = (this.done + 1) | 0;
    Atomics.store(this.control, Word.DONE, this.done);
    Atomics.notify(this.control, Word.DONE);
    return this.done;
  }

  /** True when the other side wants to be told, once. */
  isAsked(): boolean {
    return Atomics.load(this.control, Word.WANTED) !== 0 && Atomics.exchange(this.control, Word.WANTED, 0) !== 0;
  }
}
