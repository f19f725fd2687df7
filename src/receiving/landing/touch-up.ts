import { EntryFlag, rowAt, type Segment } from '../../../protocol/flist/list.js';
import { Rows } from '../../../protocol/flist/rows.js';
import { needsOwnerAccess } from '../../files/modes.js';
import { FileStat } from '../../files/stat.js';
import { allows, Shortcut } from '../../session/shortcuts.js';
import type { EntryMaker } from '../entries.js';
import type { Receiving } from '../receiving.js';

const AGAIN = { isNew: false, isAgain: true };

/** Sets times and permissions of directories again, which making their contents has changed. */
export class TouchUp {
  private readonly stat = new FileStat();
  /** Directories that something may still be done in after the last list, when their own rows are forgotten. */
  private readonly waiting = new Rows();
  private readonly maySpare: boolean;

  constructor(
    private readonly receiving: Receiving,
    private readonly entries: EntryMaker,
  ) {
    this.maySpare = allows(receiving.session.options, Shortcut.SPARE_DIRS);
  }

  /** Nothing has been done in the directory of a list since its attributes were set. One that is new is looked at in any case. */
  spare({ parentRow }: Segment): void {
    const { session, parts } = this.receiving;
    if (!this.maySpare || parentRow < 0 || needsOwnerAccess(session.list.mode(parentRow), parts.isRoot)) return;
    if ((session.list.flags(parentRow) & EntryFlag.DIR_CREATED) !== 0) return;
    session.list.clearFlags(parentRow, EntryFlag.TOUCH_UP);
  }

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
      const row = rowAt(segment, i);
      if (list.isDir(row) && (!incremental || list.path(row) === '.')) this.touch(row);
    }
  }

  private touch(row: number): void {
    const { list, incremental, options: o } = this.receiving.session;
    if ((list.flags(row) & EntryFlag.TOUCH_UP) === 0 || list.isInactive(row)) return;
    const isLate = o.deleteMode === 'delay' || o.deleteMode === 'after' || o.delayUpdates;
    if (isLate && incremental) this.waiting.copyRow(list, row);
    else this.apply(row);
  }

  /** Does what had to wait for the end. */
  late(): void {
    const { waiting, stat, entries } = this;
    const { root, attrs } = this.receiving.parts;
    for (let row = 0; row < waiting.count; row++) {
      const path = waiting.path(row);
      entries.lookAtDirectory(path, stat);
      if (stat.exists && stat.isDir) attrs.apply(root.path(path), waiting, row, stat, AGAIN);
    }
  }

  private apply(row: number): void {
    const { receiving, stat, entries } = this;
    entries.look(row, stat);
    if (!stat.exists || !stat.isDir) return;
    const { session, parts } = receiving;
    parts.attrs.apply(receiving.destPath(row), session.list, row, stat, AGAIN);
  }
}
