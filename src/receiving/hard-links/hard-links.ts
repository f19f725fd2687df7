import { EntryFlag, type FileList, rowAt, type Segment } from '../../../protocol/flist/list.js';
import type { ByteString } from '../../../protocol/options.js';

/** A member of a group that waits for another one to be finished. */
export interface WaitingMember {
  ndx: number;
  row: number;
}

interface Group {
  /** Destination-relative name of a finished member, or null. */
  finished: ByteString | null;
  /** Index of the member whose data is on its way, or -1. */
  leader: number;
  waiting: WaitingMember[];
}

/** What to do with a member of a group: `go` means that it is dealt with like a file of its own. */
export type HardLinkVerdict = { kind: 'go' } | { kind: 'wait' } | { kind: 'link'; to: ByteString };

/**
 * Hard-link groups of a run (8.6). One member of each is made like any other file; the others are linked to it, and
 * wait until it is there. A member that exists already, or the last one that is known, becomes the one that leads.
 */
export class HardLinks {
  private readonly groups = new Map<number, Group>();
  /** Row of the last member of each group, as far as lists have arrived. */
  private readonly lastRows = new Map<number, number>();
  /** Number of lists that `lastRows` knows. */
  private known = 0;

  constructor(private readonly list: FileList) {}

  /** Finds the last member of each group in the lists that have arrived meanwhile. */
  update(): void {
    const { segments } = this.list;
    while (this.known < segments.length) this.addList(segments.at(this.known++));
  }

  private addList(segment: Segment): void {
    for (let i = 0; i < segment.count; i++) {
      const row = rowAt(segment, i);
      if (this.list.flags(row) & EntryFlag.HLINKED && !this.list.isInactive(row)) {
        this.lastRows.set(this.list.group(row), row);
      }
    }
  }

  judge(row: number, ndx: number): HardLinkVerdict {
    const group = this.groupOf(row);
    if (group.finished !== null) return { kind: 'link', to: group.finished };
    if (group.leader < 0 || group.leader === ndx) return { kind: 'go' };
    group.waiting.push({ ndx, row });
    return { kind: 'wait' };
  }

  /** A member that would have to be transferred whole waits while others follow: one of them may be there already. */
  waits(row: number, ndx: number): boolean {
    const group = this.groupOf(row);
    if (group.leader === ndx || this.lastRows.get(this.list.group(row)) === row) return false;
    group.waiting.push({ ndx, row });
    return true;
  }

  /** The data of a member is asked for. */
  lead(row: number, ndx: number): void {
    this.groupOf(row).leader = ndx;
  }

  /** Options leave a member out. When it was the last one, the one before it that waits has to be dealt with now. */
  skip(row: number): WaitingMember | null {
    const id = this.list.group(row);
    if (this.lastRows.get(id) !== row) return null;
    const group = this.groupOf(row);
    if (group.finished !== null || group.leader >= 0) return null;
    const before = group.waiting.pop() ?? null;
    if (before !== null) this.lastRows.set(id, before.row);
    return before;
  }

  private groupOf(row: number): Group {
    const id = this.list.group(row);
    let group = this.groups.get(id);
    if (group === undefined) {
      group = { finished: null, leader: -1, waiting: [] };
      this.groups.set(id, group);
    }
    return group;
  }

  /** The leading member is in place: everything that waited for it may be linked, the latest first. */
  finish(row: number, path: ByteString): WaitingMember[] {
    const group = this.groupOf(row);
    group.finished = path;
    const waiting = group.waiting.reverse();
    group.waiting = [];
    return waiting;
  }

  /** The leading member failed for good: the next one has to be tried itself. */
  fail(row: number): WaitingMember | null {
    const group = this.groupOf(row);
    group.leader = -1;
    const next = group.waiting.shift() ?? null;
    if (next !== null) group.leader = next.ndx;
    return next;
  }
}
