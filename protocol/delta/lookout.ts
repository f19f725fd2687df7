import type { SearchKernel } from '../kernel/search-kernel.js';

/**
 * A second thread looks at a file some way ahead of the search and says where no block can lie: there the search need not
 * look. What it finds is left to the search, so that the tokens are the same with and without it. Whatever the thread has
 * read is only a hint: the search sends and sums what it reads itself.
 *
 * Memory that both share, 32-bit words: the control words, and a ring of places at which a block's rolling sum was
 * found. Offsets are in grains, so that they fit into a word.
 */

/** ACTIVE: there is something to look for. CLAIMED: where the search gets to by itself. FROM, TO: what was looked at. */
const Word = { STOP: 0, ACTIVE: 1, CALLS: 2, ASLEEP: 3, CLAIMED: 4, FROM: 5, TO: 6, HEAD: 7, TAIL: 8 } as const;
const WORDS = 16;
/** Places that the ring holds: a word for the grain, and one for the offset in it. */
const MOST_PLACES = 4096;
const GRAIN = 4096;
/** Grains that are looked at before the search is told. */
const STEP = 16;
/** Bytes that are read at once, beside those of a block. */
const PIECE = 256 * 1024;
/** Grains in front of the search at which the lookout begins: as much as the search does by itself meanwhile. */
const LEAD = (384 * 1024) / GRAIN;
/** Grains that it is ahead at most. */
const FARTHEST = (16 * 1024 * 1024) / GRAIN;
const LARGEST_FILE = GRAIN * 0x7fff_0000;

/** Somebody who looks at the file ahead of the search. Offsets are those of the file. */
export interface SearchAhead {
  /** The search has come to `offset`; the last `run` bytes in front of it are new. */
  note(offset: number, run: number): void;
  /** No block's rolling sum is at the positions from `offset` up to the result, as far as is known. */
  clearUpTo(offset: number): number;
  /** The search looks at the positions from `offset` to the result by itself, `to` at most: from there on, more is known. */
  claim(offset: number, to: number): number;
}

class Shared {
  protected readonly control: Int32Array;
  protected readonly places: Int32Array;

  constructor(readonly memory: SharedArrayBuffer) {
    this.control = new Int32Array(memory, 0, WORDS);
    this.places = new Int32Array(memory, 4 * WORDS, 2 * MOST_PLACES);
  }

  protected load(word: number): number {
    return Atomics.load(this.control, word);
  }

  protected store(word: number, value: number): void {
    Atomics.store(this.control, word, value);
  }
}

/** The side of the search. */
export class LookoutReport extends Shared implements SearchAhead {
  private tail = 0;
  private claimed = 0;
  private isActive = false;

  constructor() {
    super(new SharedArrayBuffer(4 * (WORDS + 2 * MOST_PLACES)));
  }

  static suits(fileLength: number): boolean {
    return fileLength < LARGEST_FILE;
  }

  note(offset: number): void {
    this.claimUpTo(Math.floor(offset / GRAIN));
  }

  /** Whether looking ahead is worth it. */
  setActive(isActive: boolean): void {
    if (isActive === this.isActive) return;
    this.isActive = isActive;
    this.store(Word.ACTIVE, isActive ? 1 : 0);
    this.call();
  }

  /** The file is done with. */
  stop(): void {
    this.store(Word.STOP, 1);
    this.call();
  }

  clearUpTo(offset: number): number {
    const from = this.load(Word.FROM);
    const to = this.load(Word.TO) * GRAIN;
    // The other side sets TO to 0 before it goes elsewhere, and FROM before it sets TO again.
    if (from !== this.load(Word.FROM) || offset < from * GRAIN || offset >= to) return offset;
    const head = this.load(Word.HEAD);
    const before = this.tail;
    while (this.tail !== head && this.place(this.tail) < offset) this.tail = (this.tail + 1) | 0;
    if (this.tail !== before) this.store(Word.TAIL, this.tail);
    return this.tail === head ? to : Math.min(to, this.place(this.tail));
  }

  private place(number: number): number {
    const at = 2 * (number & (MOST_PLACES - 1));
    return this.places[at] * GRAIN + this.places[at + 1];
  }

  claim(offset: number, to: number): number {
    const from = this.load(Word.FROM) * GRAIN;
    const end = from > offset && from < to ? from : to;
    this.claimUpTo(Math.ceil(end / GRAIN));
    return end;
  }

  private claimUpTo(grain: number): void {
    if (grain <= this.claimed) return;
    this.claimed = grain;
    this.store(Word.CLAIMED, grain);
    this.call();
  }

  private call(): void {
    Atomics.add(this.control, Word.CALLS, 1);
    if (this.load(Word.ASLEEP) !== 0) Atomics.notify(this.control, Word.CALLS);
  }
}

/** What is to be looked for: the rolling sums of all blocks of full length. */
export interface LookoutOrder {
  fileLength: number;
  blockLength: number;
  rolling: Int32Array;
}

/** Fills target[at, at + length) from `offset` of the file on; returns the number of bytes, fewer only at its end. */
export type ReadFrom = (target: Uint8Array, at: number, length: number, offset: number) => number;

/** The side that looks. */
export class Lookout extends Shared {
  /** Grains that have positions to look at. */
  private end: number;
  private to = 0;
  private head = 0;
  /** The piece in the window: its offset in the file, its positions, and the one that was looked at last. */
  private piece = 0;
  private positions = 0;
  private at = 0;

  constructor(
    private readonly kernel: SearchKernel,
    memory: SharedArrayBuffer,
    private readonly order: LookoutOrder,
    private readonly read: ReadFrom,
  ) {
    super(memory);
    const { fileLength, blockLength, rolling } = order;
    this.end = Math.ceil((fileLength - blockLength + 1) / GRAIN);
    this.kernel.prepare(PIECE + blockLength, blockLength, rolling, rolling.length);
  }

  /** Works until it is told to stop, or has nothing more to say. Throws what `read` throws. */
  run(): void {
    while (this.load(Word.STOP) === 0) {
      const calls = this.load(Word.CALLS);
      if (!this.step()) this.sleep(calls);
    }
  }

  /** Waits until it was called since `calls` was read. */
  private sleep(calls: number): void {
    this.store(Word.ASLEEP, 1);
    Atomics.wait(this.control, Word.CALLS, calls);
    this.store(Word.ASLEEP, 0);
  }

  /** Goes a step further; false when it has to wait for the search. */
  step(): boolean {
    if (this.load(Word.ACTIVE) === 0) return false;
    const claimed = this.load(Word.CLAIMED);
    if (claimed >= this.to) this.goTo(claimed + LEAD);
    if (this.to >= this.end || this.to - claimed > FARTHEST) return false;
    if (this.lookOn()) return true;
    // The file shrank, or has a block's sum nearly everywhere: the search does the rest.
    this.end = this.to;
    return false;
  }

  /** What was said so far is about places that the search has passed. */
  private goTo(grain: number): void {
    this.store(Word.TO, 0);
    this.to = grain;
    this.positions = 0;
    this.store(Word.FROM, grain);
    this.store(Word.TO, grain);
  }

  private lookOn(): boolean {
    const offset = this.to * GRAIN;
    if (offset === this.piece + this.positions || this.positions === 0) {
      if (!this.readPiece(offset)) return false;
    }
    const last = Math.min(this.positions, offset + STEP * GRAIN - this.piece) - 1;
    const { kernel } = this;
    for (;;) {
      const found = kernel.scan(this.at, last);
      if (found < 0) break;
      this.at = found;
      if (!this.add(this.piece + found)) return false;
    }
    this.at = last;
    this.to = Math.ceil((this.piece + last + 1) / GRAIN);
    this.store(Word.TO, this.to);
    return true;
  }

  /** Reads what the positions from `offset` on need, and looks at the first of them. */
  private readPiece(offset: number): boolean {
    const { kernel } = this;
    const { fileLength, blockLength } = this.order;
    const length = Math.min(PIECE + blockLength - 1, fileLength - offset);
    if (this.read(kernel.bytes, kernel.windowAt, length, offset) < length) return false;
    this.piece = offset;
    this.positions = length - blockLength + 1;
    this.at = 0;
    kernel.seek(0);
    return kernel.head() < 0 || this.add(offset);
  }

  /** Tells of a place with a block's sum; false when there is no room for it. */
  private add(offset: number): boolean {
    if (((this.head - this.load(Word.TAIL)) | 0) >= MOST_PLACES) return false;
    const at = 2 * (this.head & (MOST_PLACES - 1));
    this.places[at] = Math.floor(offset / GRAIN);
    this.places[at + 1] = offset % GRAIN;
    this.head = (this.head + 1) | 0;
    this.store(Word.HEAD, this.head);
    return true;
  }
}
