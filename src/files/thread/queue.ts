import {
  createWorkMemory,
  JOB_BYTES,
  RING_BYTES as RING,
  type WorkMemory,
  WorkPlace,
} from '../../../protocol/kernel/work-kernel.js';

/**
 * The memory that a thread for file work shares with the thread that gives it work: a ring of jobs, each in one piece,
 * and a place for what became of each. One side puts in, the other one takes out, in order, by a kernel
 * (protocol/kernel/assembly/work).
 *
 *     control   32-bit words, see `Word`
 *     results   two words for each job that may be under way: attributes, landing (see `Step`)
 *     ring      jobs: 32-bit words as in `Field`, the name with a NUL behind it, data from a multiple of 8 on
 *     job       one that the giving side does itself
 */

/** Jobs that may be under way; a power of two. Positions in the ring wrap around at 2^32. */
export const MOST_JOBS = 1024;

/** Words that both sides see. Positions count bytes (HEAD, TAIL) or jobs (DONE) from the start on. */
const Word = { HEAD: 0, TAIL: 1, DONE: 2, ASLEEP: 3, WANTED: 4, STOP: 5 } as const;
const WORDS = 16;

/** What a job is. FILLER: the rest of the ring, up to its end. LEAVE: no more jobs in DIR, which is to be closed. */
export const Kind = { FILLER: 0, LEAVE: 1, WRITE: 2, COPY: 3 } as const;

/**
 * Words of a job. DIR: descriptor of the directory. FD: the file to copy; the job owns it. MODE: the permissions at the end.
 * UID, GID: -1 leaves them. HAS_TIME: 1 when SECONDS (64 bits) and NSEC are to be set. NAME: length of the name without the
 * NUL. SIZE: bytes of content, which is at DATA in `bytes`: in this job, or in one that comes behind it. NO_FURTHER: 1 when a file that has
 * extended attributes by itself is to be told of (`Step.FURTHER`). IS_LISTED: 1 when a file is copied as long as it is by now, SIZE being what was listed: another length is told of
 * (`Step.RESIZED`).
 */
export const Field = {
  LENGTH: 0,
  KIND: 1,
  DIR: 2,
  FD: 3,
  MODE: 4,
  UID: 5,
  GID: 6,
  HAS_TIME: 7,
  SECONDS: 8,
  NSEC: 10,
  NAME: 11,
  SIZE: 12,
  DATA: 13,
  NO_FURTHER: 14,
  IS_LISTED: 15,
} as const;

/** Bytes of the shortest job. */
const FILLER_BYTES = 8;
/** Bytes in front of a job's name. */
export const HEAD_BYTES = 64;
/** Where the job is in `bytes` that the giving side does itself, and how long it may be. */
export const OWN_JOB = RING;
export const OWN_JOB_BYTES = JOB_BYTES;

/** What failed, in the upper half of a result, with the errno in the lower one. 0: nothing. A file that was RESIZED is in its place. */
export const Step = {
  CREATE: 1,
  WRITE: 2,
  RENAME: 3,
  READ: 4,
  DROPPED: 5,
  RESIZED: 6,
  CHOWN: 1,
  CHGRP: 2,
  TIMES: 3,
  MODE: 4,
  FURTHER: 5,
} as const;

/** Bytes of a job whose name is so long, without its data. A multiple of 8, as all jobs are. */
export function jobBytes(name: number): number {
  return (HEAD_BYTES + name + 1 + 7) & ~7;
}

/** Views of the shared memory. */
class Shared {
  protected readonly control: Int32Array;
  protected readonly results: Int32Array;
  readonly words: Int32Array;
  readonly bytes: Buffer;

  constructor(readonly memory: WorkMemory) {
    const { buffer } = memory;
    this.control = new Int32Array(buffer, WorkPlace.CONTROL, WORDS);
    this.results = new Int32Array(buffer, WorkPlace.RESULTS, MOST_JOBS * 2);
    this.words = new Int32Array(buffer, WorkPlace.RING, (RING + JOB_BYTES) / 4);
    this.bytes = Buffer.from(buffer, WorkPlace.RING, RING + JOB_BYTES);
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
    super(createWorkMemory());
  }

  /** Number of the next job, and of the oldest whose result was not taken, below MOST_JOBS. */
  get next(): number {
    return this.given & (MOST_JOBS - 1);
  }

  get oldest(): number {
    return this.taken & (MOST_JOBS - 1);
  }

  /** Jobs that are not done yet. */
  get waiting(): number {
    return (this.given - Atomics.load(this.control, Word.DONE)) | 0;
  }

  /** Jobs whose results were not taken yet. */
  get underWay(): number {
    return this.given - this.taken;
  }

  /** Room in one piece for `count` jobs, together `length` bytes: its place in `bytes`, or -1 when there is none now. */
  reserve(length: number, count = 1): number {
    if (this.underWay + count > MOST_JOBS) return -1;
    const start = this.head & (RING - 1);
    const filler = start + length > RING ? RING - start : 0;
    const used = (this.head - Atomics.load(this.control, Word.TAIL)) | 0;
    if (used + filler + length > RING) return -1;
    this.filler = filler;
    this.at = filler > 0 ? 0 : start;
    return this.at;
  }

  /**
   * Gives what was reserved last: jobs of together `length` bytes, a multiple of 8, that say in LENGTH how long each is. `count` of
   * them have a result.
   */
  commit(length: number, count: number): void {
    const { words, filler } = this;
    if (filler > 0) {
      const start = (this.head & (RING - 1)) / 4;
      words[start + Field.LENGTH] = filler;
      words[start + Field.KIND] = Kind.FILLER;
    }
    this.head = (this.head + filler + length) | 0;
    this.given += count;
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
    return this.results[this.oldest * 2];
  }

  get landing(): number {
    return this.results[this.oldest * 2 + 1];
  }

  /** How many jobs, from the oldest one on and before MOST_JOBS, are done with nothing to tell of. */
  right(): number {
    const { results, oldest } = this;
    const done = (Atomics.load(this.control, Word.DONE) - this.taken) | 0;
    const end = 2 * Math.min(MOST_JOBS, oldest + done);
    let at = 2 * oldest;
    while (at < end && results[at] === 0 && results[at + 1] === 0) at += 2;
    return at / 2 - oldest;
  }

  /** The results of `count` jobs were used. */
  take(count: number): void {
    this.taken += count;
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
      this.words[at / 4 + Field.LENGTH] = FILLER_BYTES;
      this.words[at / 4 + Field.KIND] = Kind.FILLER;
      this.commit(FILLER_BYTES, 0);
    }
    Atomics.notify(this.control, Word.HEAD);
  }
}

/** The side that works: what there is to it beside the kernel. */
export class JobSink extends Shared {
  /** Waits for a job when there is none; false: the end. `rest` is called before a wait. */
  wait(rest: () => void): boolean {
    const { control } = this;
    const tail = Atomics.load(control, Word.TAIL);
    if (Atomics.load(control, Word.HEAD) !== tail) return true;
    if (Atomics.load(control, Word.STOP) !== 0) return false;
    rest();
    Atomics.store(control, Word.ASLEEP, 1);
    Atomics.wait(control, Word.HEAD, tail);
    Atomics.store(control, Word.ASLEEP, 0);
    return true;
  }

  /** Jobs were done. */
  noteDone(): void {
    Atomics.notify(this.control, Word.DONE);
  }

  /** True when the other side wants to be told, once. */
  isAsked(): boolean {
    return Atomics.load(this.control, Word.WANTED) !== 0 && Atomics.exchange(this.control, Word.WANTED, 0) !== 0;
  }
}
