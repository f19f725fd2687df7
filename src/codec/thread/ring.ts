/**
 * The memory that a thread which compresses shares with the thread that gives it work: two rings, one each way. Positions
 * count bytes from the start on and wrap around at 2^32; one side moves the head, the other one the tail.
 *
 *     control   32-bit words, see `Word`
 *     jobs      records: kind and length (32 bits each), data, up to a multiple of 8
 *     result    bytes of the outgoing stream
 */

/** Bytes of the two rings; powers of two. */
export const JOB_RING = 1 << 22;
export const RESULT_RING = 1 << 20;

/**
 * Words that both sides see. CALLS is counted up whenever the thread may have something to do; ASLEEP: it waits for that.
 * WANTED: the other side wants to be told of progress, once.
 */
export const Word = {
  HEAD: 0,
  TAIL: 1,
  RESULT_HEAD: 2,
  RESULT_TAIL: 3,
  CALLS: 4,
  ASLEEP: 5,
  WANTED: 6,
  STOP: 7,
} as const;

/**
 * What a job is. RAW: bytes that go on as they are. RESET: a file begins. LITERAL: bytes to compress. FLUSH: the end of a run
 * of them. MATCHED: bytes of a block that is sent by number. HELD: compressed bytes that the other side had not sent yet.
 */
export const Kind = { FILLER: 0, RAW: 1, RESET: 2, LITERAL: 3, FLUSH: 4, MATCHED: 5, HELD: 6 } as const;

export const RECORD_HEAD = 8;
const CONTROL_BYTES = 64;

/** Bytes of a record that holds `n` bytes. */
export function recordLength(n: number): number {
  return RECORD_HEAD + ((n + 7) & ~7);
}

/** Views of the shared memory. */
export class SharedRings {
  readonly control: Int32Array;
  readonly jobs: Buffer;
  readonly jobWords: Int32Array;
  readonly results: Buffer;

  constructor(readonly memory = new SharedArrayBuffer(CONTROL_BYTES + JOB_RING + RESULT_RING)) {
    this.control = new Int32Array(memory, 0, CONTROL_BYTES / 4);
    this.jobs = Buffer.from(memory, CONTROL_BYTES, JOB_RING);
    this.jobWords = new Int32Array(memory, CONTROL_BYTES, JOB_RING / 4);
    this.results = Buffer.from(memory, CONTROL_BYTES + JOB_RING, RESULT_RING);
  }

  load(word: number): number {
    return Atomics.load(this.control, word);
  }

  /** Bytes between two positions. */
  between(tail: number, head: number): number {
    return (this.load(head) - this.load(tail)) | 0;
  }
}
