import type { NdxReader } from '../bytes/ndx.js';
import type { ByteReader } from '../bytes/reader.js';
import { FIRST_FREE, type Kernel, STAGE } from '../kernel/kernel.js';

/** What `read` says when there is no run. SHORT: wait for input and call again. OTHER: what comes next is for others. */
export const Answers = { SHORT: 0, OTHER: -1 } as const;

/** Answers of a run, at most. */
const MOST_ANSWERS = 256;
/** Bytes that the kernel is given: more of them while it takes them all. */
const FIRST_INPUT = 8 * 1024;
export const MOST_INPUT = 64 * 1024;
/** Words of a record, and which of them is what. FROM: where the data begins, or a descriptor where that is handed over. */
export const Record = { WORDS: 4, NDX: 4, FLAGS: 5, FROM: 6, LENGTH: 7 } as const;
/** Bytes behind a file's data: the end of its tokens, where it has any, and its sum. */
const TOKEN_END = 4;
const SUM_LENGTH = 16;

/**
 * Reads what most answers are, small files whole, in runs by a kernel, with their sums verified: without compression, with
 * XXH128, and from protocol 30 on. Nothing is consumed before `pass`; what is not plain, wrong or too long is left
 * to whoever knows all forms.
 */
export class FileAnswers {
  /** A record for each answer of a run, see `Record`. */
  readonly records: Int32Array;
  private reach = FIRST_INPUT;
  /** Bytes that the next answer needs at least. */
  private needed = 0;
  private count = 0;

  /** `room`: bytes that are wanted behind the input. */
  constructor(
    protected readonly kernel: Kernel,
    private readonly isPacked = false,
    room = 0,
  ) {
    this.kernel.reserve(FIRST_FREE + MOST_INPUT + room);
    this.kernel.wasm.xxh128Seed(BigInt(0));
    this.records = this.kernel.words.subarray(STAGE / 4);
  }

  /** The number of answers that lie ready, or one of `Answers`. */
  read(r: ByteReader, ndxIn: NdxReader): number {
    const { kernel, records } = this;
    for (;;) {
      r.begin();
      if (this.needed > 0 && !r.has(this.needed)) return Answers.SHORT;
      const length = Math.min(r.available(), Math.max(this.reach, this.needed), MOST_INPUT);
      if (length === 0) return Answers.SHORT;
      kernel.bytes.set(r.buf.subarray(r.pos, r.pos + length), FIRST_FREE);
      this.count = kernel.wasm.readAnswers(FIRST_FREE, length, ndxIn.last, MOST_ANSWERS, STAGE, this.isPacked);
      this.needed = records[0];
      if (this.count > 0) return this.count;
      if (this.needed > 0 && this.isWorthWaiting(this.needed, records[1])) continue;
      this.leave();
      return Answers.OTHER;
    }
  }

  /** Whether an answer of `needed` bytes or more is to be waited for; `ndx` is its index, -1 while that is not there. */
  protected isWorthWaiting(_needed: number, _ndx: number): boolean {
    return true;
  }

  /** Bytes behind `length` bytes of a file. */
  protected behind(length: number): number {
    return (length > 0 ? TOKEN_END : 0) + SUM_LENGTH;
  }

  /** What comes next is read by others: nothing is known about it. */
  leave(): void {
    this.needed = 0;
    this.reach = FIRST_INPUT;
  }

  /** The content of files: FROM of a record is a place in it. */
  get data(): Uint8Array {
    return this.kernel.bytes;
  }

  /** Moves the reader behind the first `count` answers. What follows them, if that are not all, is for others. */
  pass(r: ByteReader, ndxIn: NdxReader, count: number): void {
    if (count < this.count) this.leave();
    if (count === 0) return;
    const last = (count - 1) * Record.WORDS;
    const { records } = this;
    const length = records[last + Record.LENGTH];
    const used = records[last + Record.FROM] - FIRST_FREE + length + this.behind(length);
    if (count === this.count && 2 * used > this.reach) this.reach = Math.min(2 * this.reach, MOST_INPUT);
    r.pos += used;
    r.begin();
    ndxIn.passedTo(records[last + Record.NDX]);
  }
}
