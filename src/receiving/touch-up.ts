import { EntryFlag, FileList, type Segment } from '../../protocol/flist/list.js';
import { FileStat } from '../files/stat.js';
import type { EntryMaker } from './entries.js';
import type { Receiving } from './receiving.js';

/** Sets times and permissions of directories again, which making their contents has changed. */
export class TouchUp {
  private readonly stat = new FileStat();
  /** Directories that something may still be done in after the last list. */
  private readonly waiting: number[] = [];

  constructor(
    private readonly receiving: Receiving,
    private readonly entries: EntryMaker,
  ) {}

  /** Does the directories whose contents end with a list. */
  list(segment: Segment): void {
    const { list, incremental, options: o } = this.receiving.session;
    if (o.dryRun) return;
    if (incremental && segment.parentRow >= 0) {
      this.touch(segment.parentRow);
      return;
    }
    // Deepest first: a directory's own change would otherwise show in its parent.
    for (let i = segment.count - 1; i >= 0; i--) {
      const row = FileList.rowAt(segment, i);
      if (list.isDir(row) && (!incremental || list.path(row) === '.')) this.touch(row);
    }
  }

  private touch(row: number): void {
    const { list, incremental, options: o } = this.receiving.session;
    if ((list.flags[row] & EntryFlag.TOUCH_UP) === 0 || list.isInactive(row)) return;
    const isLate = o.deleteMode === 'delay' || o.deleteMode === 'after' || o.delayUpdates;
    if (isLate && incremental) this.waiting.push(row);
    else this.apply(row);
  }

  /** Does what had to wait for the end. */
  late(): void {
    for (const row of this.waiting) this.apply(row);
  }

  private apply(row: number): void {
    const { receiving, stat, entries } = this;
    entries.look(row, stat);
    if (!stat.exists || !stat.isDir) return;
    const { session, parts } = receiving;
    parts.attrs.apply(receiving.destPath(row), session.list, row, stat, { isNew: false });
  }
}
