import { NDX_DONE } from '../../protocol/constants.js';
import { rowOf } from '../../protocol/flist/list.js';
import { writeDelStats } from '../../protocol/stats.js';
import type { ExtraneousFiles } from './deleting/extraneous.js';
import type { LinkQueue } from './hard-links/link-queue.js';
import type { TouchUp } from './landing/touch-up.js';
import type { Receiving } from './receiving.js';
import type { Requests } from './requests.js';

/** The generator's word that lists and phases have come to their end, with what is left to do then (8.5, 13.1). */
export class Closing {
  /** Lists that were worked through completely, in order. */
  worked = 0;
  /** Lists that were said to be finished; `list.live` follows when the sender has answered. */
  private closed = 0;

  constructor(
    private readonly receiving: Receiving,
    private readonly extraneous: ExtraneousFiles,
    private readonly links: LinkQueue,
    private readonly requests: Requests,
    private readonly touchUp: TouchUp,
  ) {}

  private sendDone(): void {
    const { session } = this.receiving;
    session.ndxOut.write(session.connection.writer, NDX_DONE);
    this.receiving.donesOpen++;
    this.receiving.replay?.notice();
  }

  /** Waits for news from the receiver, which may have failed. */
  async waitForReceiver(): Promise<void> {
    this.receiving.session.connection.flush();
    await this.receiving.lists.changed.wait();
    if (this.receiving.failure !== null) throw this.receiving.failure;
  }

  /** Says that lists are finished, oldest first, once all their files have arrived (8.5). */
  async lists(): Promise<void> {
    const { receiving } = this;
    const { session } = receiving;
    const { list } = session;
    await this.links.settle();
    await this.redoWaiting();
    if (!session.incremental) return;
    while (this.closed < this.worked) {
      // The list being worked on stays open until it is known whether another one follows.
      if (this.closed === list.segments.length - 1 && !receiving.lists.complete) return;
      const segment = list.segments.at(this.closed);
      if (segment.inProgress > 0 || segment.toRedo > 0) return;
      this.touchUp.list(segment);
      this.closed++;
      this.sendDone();
    }
  }

  /** Waits until all of them are. */
  async allLists(): Promise<void> {
    const { list, incremental } = this.receiving.session;
    if (!incremental) {
      this.sendDone();
      return;
    }
    for (await this.lists(); this.closed < list.segments.length; await this.lists()) await this.waitForReceiver();
  }

  private async redoWaiting(): Promise<void> {
    const { receiving } = this;
    const { list } = receiving.session;
    for (let ndx = receiving.redo.shift(); ndx !== undefined; ndx = receiving.redo.shift()) {
      const segment = list.segments.of(ndx)!;
      segment.toRedo--;
      this.requests.redo(ndx, rowOf(segment, ndx));
      await this.requests.sendSums();
    }
  }

  /** Goes through the phases that follow the lists, to the end of the generator's work (13.1). */
  async phases(): Promise<void> {
    const { receiving } = this;
    const { session } = receiving;
    const { options: o, protocol } = session;
    await this.phase(1);
    await this.links.settle();
    const again = receiving.redo.length > 0;
    await this.redoWaiting();
    this.sendDone();
    const lateDelete = o.deleteMode === 'delay' || o.deleteMode === 'after';
    if (o.delayUpdates || again || protocol < 29) await this.phase(2);
    await this.links.settle();
    // Below protocol 29 there is no phase for --delay-updates.
    if (protocol >= 29) {
      this.sendDone();
      if (protocol >= 31 && !lateDelete) this.closeDeletions();
      await this.phase(3);
    }
    if (o.deleteMode === 'delay') this.extraneous.finishDelayed();
    if (o.deleteMode === 'after') this.extraneous.everything();
    if (lateDelete && protocol >= 31) this.closeDeletions();
    this.finishLate();
  }

  private closeDeletions(): void {
    const { session } = this.receiving;
    if (session.options.deleteMode !== 'none' || session.options.force) {
      writeDelStats(session.connection.writer, session.ndxOut, this.extraneous.deleter.counts);
    }
    this.sendDone();
    session.connection.flush();
  }

  private async phase(wanted: number): Promise<void> {
    while (this.receiving.phasesDone < wanted) await this.waitForReceiver();
  }

  private finishLate(): void {
    const { session } = this.receiving;
    const { deleter } = this.extraneous;
    deleter.reportSkipped();
    if (!session.isServer || !session.stats.deleted.total) deleter.applyToStats();
    if (!session.incremental) for (const segment of session.list.segments) this.touchUp.list(segment);
    this.touchUp.late();
  }
}
