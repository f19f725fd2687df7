import { rowOf, type Segment } from '../../protocol/flist/list.js';
import { noBatchedUpdate, skippingBatched } from '../report/messages.js';
import { Signal } from '../session/pace.js';
import type { Receiving } from './receiving.js';

/**
 * Keeps a batch file and the generator together. The file has answers to what another run has asked: some that this one
 * does not ask for, and not all that it asks for. So the receiver waits before each until the generator has come past it.
 */
export class Replay {
  /** Indexes that the generator has asked for, and those whose data did not match its sum and that may come again. */
  private readonly asked = new Set<number>();
  private readonly again = new Set<number>();
  /** All entries before this index have been looked at by the generator. */
  private passed = 0;
  private readonly changed = new Signal();
  /** The receiver waits for the generator. */
  isAwaited = false;
  /** Told of each file that was asked for and will not come. */
  onLost: (ndx: number, row: number) => void = () => {};

  constructor(private readonly receiving: Receiving) {}

  /** Generator: asks for a file. */
  ask(ndx: number): void {
    this.asked.add(ndx);
    this.notice();
  }

  /** Generator: has come to this index. */
  pass(ndx: number): void {
    this.passed = ndx;
    this.notice();
  }

  /** Something has changed that the receiver may wait for, or be about to. */
  notice(): void {
    this.changed.raise();
  }

  /** Receiver: waits until the generator has gone on. */
  async wait(): Promise<void> {
    this.isAwaited = true;
    this.receiving.lists.changed.raise();
    try {
      await this.changed.wait();
    } finally {
      this.isAwaited = false;
    }
    if (this.receiving.failure !== null) throw this.receiving.failure;
  }

  /**
   * Whether an answer is wanted; null: that is not known yet. `isRedo`: the file has come before. One that is not wanted is
   * told of. What was asked for before it comes no more.
   */
  wants(ndx: number, row: number, isRedo: boolean): boolean | null {
    const isWanted = isRedo ? this.again.delete(ndx) : this.takeAsked(ndx);
    if (isWanted === false) {
      const { receiving } = this;
      receiving.session.log.info(skippingBatched(receiving.relativePath(row), isRedo));
    }
    return isWanted;
  }

  private takeAsked(ndx: number): boolean | null {
    const isAsked = this.asked.has(ndx);
    const { list, charset } = this.receiving.session;
    if (charset !== null) {
      // Indexes come in any order then: only at the end of a list is it known what was not asked for, or is not there.
      const { firstNdx, count } = list.segments.of(ndx) as Segment;
      return isAsked || this.passed >= firstNdx + count ? this.asked.delete(ndx) : null;
    }
    if (!isAsked && this.passed <= ndx) return null;
    for (const before of this.asked) {
      if (before >= ndx) break;
      this.giveUp(this.asked, before, false);
    }
    return this.asked.delete(ndx);
  }

  /** The data of a file was not right: the batch may have it once more. */
  failed(ndx: number): void {
    this.again.add(ndx);
  }

  /**
   * The batch has no more for the lists that end now, up to index `end`; `alsoAgain`: nor what may come again. False: the
   * generator has not come that far.
   */
  endBefore(end: number, alsoAgain: boolean): boolean {
    if (this.passed < end) return false;
    for (const ndx of this.asked) if (ndx < end) this.giveUp(this.asked, ndx, false);
    if (!alsoAgain) return true;
    for (const ndx of this.again) if (ndx < end) this.giveUp(this.again, ndx, true);
    return true;
  }

  private giveUp(from: Set<number>, ndx: number, isRedo: boolean): void {
    const { session } = this.receiving;
    from.delete(ndx);
    const segment = session.list.segments.of(ndx) as Segment;
    const row = rowOf(segment, ndx);
    session.log.xferError(noBatchedUpdate(session.list.path(row), isRedo));
    this.onLost(ndx, row);
  }
}
