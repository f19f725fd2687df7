import { EntryFlag, type Segment } from '../../protocol/flist/list.js';
import { systemError } from '../libc/errno.js';
import type { Outcome } from './landing/landing.js';
import type { HandedCopy } from './new-files/handed-copy.js';
import type { AsideListener } from './new-files/set-aside.js';
import type { Receiving } from './receiving.js';

/** Keeps the lists' account of files that were asked for: each comes to an end once, and the generator waits for that. */
export class Settlement implements AsideListener {
  /** Files that are in their places are of interest one by one. */
  private readonly tellsOfEach: boolean;

  constructor(
    private readonly receiving: Receiving,
    private readonly handed: HandedCopy | null,
  ) {
    const { hardLinks, removeSourceFiles } = receiving.session.options;
    this.tellsOfEach = hardLinks || removeSourceFiles;
  }

  settle(ndx: number, row: number, outcome: Outcome): void {
    const { receiving } = this;
    const segment = receiving.listOf(ndx);
    if (outcome === 'redo') {
      receiving.session.list.addFlags(row, EntryFlag.FILE_SENT);
      if (receiving.replay !== null) {
        // Nobody can be asked: it stays in progress.
        receiving.replay.failed(ndx);
        return;
      }
      segment.toRedo++;
      receiving.redo.push(ndx);
    } else if (outcome !== 'delayed') {
      receiving.onFileDone?.(ndx, row, outcome === 'ok');
    }
    segment.inProgress--;
    receiving.lists.changed.raise();
  }

  resized(row: number): void {
    this.handed?.resized(row);
  }

  /** A file that was set aside has come to an end. */
  settled(ndx: number, row: number, outcome: Outcome, copyErrno: number): void {
    const error = copyErrno > 0 ? systemError(copyErrno, 'read') : null;
    if (copyErrno >= 0) this.receiving.session.connection.handOver?.passedEnd(row, error);
    this.settle(ndx, row, outcome);
  }

  /** The same for many that are in their places; `copied` of them were handed over. */
  landed(ndxs: Int32Array, rows: Int32Array, from: number, count: number, copied: number): void {
    const { receiving } = this;
    if (this.tellsOfEach) for (let at = from; at < from + count; at++) receiving.onFileDone?.(ndxs[at], rows[at], true);
    for (let at = from; at < from + count; ) {
      const segment = receiving.listOf(ndxs[at]);
      const inList = countInList(ndxs, at, from + count, segment);
      segment.inProgress -= inList;
      at += inList;
    }
    if (copied > 0) receiving.session.connection.handOver?.passedWell(copied);
    receiving.lists.changed.raise();
  }
}

/** How many of the indexes at [from, to), the first of which is one, are of a list, before one that is not. */
function countInList(ndxs: Int32Array, from: number, to: number, { firstNdx, count }: Segment): number {
  let at = from + 1;
  while (at < to && ndxs[at] >= firstNdx && ndxs[at] < firstNdx + count) at++;
  return at - from;
}
