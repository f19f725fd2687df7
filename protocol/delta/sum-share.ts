import type { SumKernel } from '../kernel/sum-kernel.js';
import { flength, type SumHead } from './blocks.js';
import type { ReadFrom } from './lookout.js';

/**
 * Two threads make the block sums of one basis: each takes the next piece of it that nobody has taken, reads it and sums it
 * in its own processor's cache. One of them, the sender of the sums, needs the pieces in order; it never waits for the
 * other one, but does itself what that has not finished.
 *
 * Memory that both share: words, a word for the state of each slot, and the slots with the sums of a piece each.
 */

/** NEXT: the first piece that nobody has taken. SENT: pieces that have been sent. */
const Word = { NEXT: 0, SENT: 1, STOP: 2 } as const;
const WORDS = 4;
/** Pieces that may be taken beyond those that were sent. */
const SLOTS = 64;
/** Bytes of a piece, unless a block is longer. */
const PIECE = 256 * 1024;
/** Longest that the helper sleeps before it looks again whether there is something to do, in milliseconds. */
const NAP = 5;

/** What becomes of a slot; later states of it are larger numbers, and the first is 0. */
const State = { LOST: 1, FILLING: 2, FULL: 3 } as const;
const STATES = 4;

function stateOf(piece: number, state: number): number {
  return piece * STATES + state;
}

/** The shared memory, and how a basis is cut into pieces. */
class SumShare {
  readonly pieces: number;
  protected readonly words: Int32Array;
  protected readonly slots: Uint8Array;
  protected readonly slotLength: number;
  /** Blocks of a piece. */
  private readonly most: number;

  constructor(
    readonly memory: SharedArrayBuffer,
    protected readonly head: SumHead,
    private readonly kernel: SumKernel,
    private readonly read: ReadFrom,
  ) {
    this.most = blocksOf(head);
    this.pieces = Math.ceil(head.count / this.most);
    this.slotLength = this.most * (4 + head.sumLength);
    this.words = new Int32Array(memory, 0, WORDS + SLOTS);
    this.slots = new Uint8Array(memory, 4 * (WORDS + SLOTS));
    kernel.setRoom(this.most * head.blockLength, this.slotLength);
  }

  static memoryFor(head: SumHead): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * (WORDS + SLOTS) + SLOTS * blocksOf(head) * (4 + head.sumLength));
  }

  /** Takes the next piece; -1: none is left, or the slots are all in use. */
  protected take(): number {
    for (;;) {
      const piece = Atomics.load(this.words, Word.NEXT);
      if (piece >= this.pieces || piece >= Atomics.load(this.words, Word.SENT) + SLOTS) return -1;
      if (Atomics.compareExchange(this.words, Word.NEXT, piece, piece + 1) === piece) return piece;
    }
  }

  /** Reads a piece and sums its blocks; the result is valid until the next call. What is missing of a basis that shrank counts as zeros. */
  protected sum(piece: number): Uint8Array {
    const { head, kernel, most } = this;
    const { bytes } = kernel.kernel;
    const offset = piece * most * head.blockLength;
    const from = kernel.dataAt;
    const length = Math.min(most * head.blockLength, flength(head) - offset);
    const have = this.read(bytes, from, length, offset);
    if (have < length) bytes.fill(0, from + have, from + length);
    const n = kernel.records(bytes, from, from + length, head.blockLength, head.sumLength);
    return bytes.subarray(kernel.recordsAt, kernel.recordsAt + n);
  }

  protected slotOf(piece: number): number {
    return WORDS + (piece % SLOTS);
  }

  /** Puts sums into the slot of their piece. */
  protected fill(piece: number, sums: Uint8Array): void {
    this.slots.set(sums, (piece % SLOTS) * this.slotLength);
    Atomics.store(this.words, this.slotOf(piece), stateOf(piece, State.FULL));
  }
}

function blocksOf(head: SumHead): number {
  return Math.min(head.count, Math.max(1, Math.floor(PIECE / head.blockLength)));
}

/** The side that sends the sums. */
export class SumLeader extends SumShare {
  private sent = 0;

  constructor(head: SumHead, kernel: SumKernel, read: ReadFrom) {
    super(SumShare.memoryFor(head), head, kernel, read);
  }

  get isDone(): boolean {
    return this.sent === this.pieces;
  }

  /** Goes a step further. Returns the sums that come next, valid until the next call, or null: there are none yet. Throws what `read` throws. */
  step(): Uint8Array | null {
    const next = this.sent;
    if (this.isFull(next)) {
      this.pass();
      const at = (next % SLOTS) * this.slotLength;
      const { head } = this;
      const count = Math.min(this.slotLength, (head.count - next * blocksOf(head)) * (4 + head.sumLength));
      return this.slots.subarray(at, at + count);
    }
    const piece = this.take();
    if (piece < 0 && !this.lose(next)) return null;
    const sums = this.sum(piece < 0 ? next : piece);
    if (piece > next) {
      this.fill(piece, sums);
      return null;
    }
    this.pass();
    return sums;
  }

  private isFull(piece: number): boolean {
    return Atomics.load(this.words, this.slotOf(piece)) === stateOf(piece, State.FULL);
  }

  private pass(): void {
    this.sent++;
    Atomics.store(this.words, Word.SENT, this.sent);
  }

  /** Takes a piece away from the other thread, which has taken it and is not done with it; false: it is about to be. */
  private lose(piece: number): boolean {
    const slot = this.slotOf(piece);
    const before = Atomics.load(this.words, slot);
    // What is being filled will be full in a moment.
    if (before >= stateOf(piece, State.FILLING)) return false;
    return Atomics.compareExchange(this.words, slot, before, stateOf(piece, State.LOST)) === before;
  }

  /** The other thread is not needed any more. */
  stop(): void {
    Atomics.store(this.words, Word.STOP, 1);
  }
}

/** The side that helps. */
export class SumHelper extends SumShare {
  /** Works until nothing is left to do. Throws what `read` throws. */
  run(): void {
    const { words } = this;
    while (Atomics.load(words, Word.STOP) === 0 && Atomics.load(words, Word.NEXT) < this.pieces) {
      const sent = Atomics.load(words, Word.SENT);
      if (!this.step()) Atomics.wait(words, Word.SENT, sent, NAP);
    }
  }

  /** Does the next piece; false: there is none, or no slot for it. */
  step(): boolean {
    const piece = this.take();
    if (piece >= 0) this.give(piece, this.sum(piece));
    return piece >= 0;
  }

  /** Unless the piece was taken away. */
  private give(piece: number, sums: Uint8Array): void {
    const slot = this.slotOf(piece);
    const before = Atomics.load(this.words, slot);
    if (before >= stateOf(piece, State.LOST)) return;
    if (Atomics.compareExchange(this.words, slot, before, stateOf(piece, State.FILLING)) === before)
      this.fill(piece, sums);
  }
}
