import { EntryFlag, FileList, type Segment } from '../../protocol/flist/list.js';
import type { ByteString } from '../../protocol/options.js';

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

/** What to do with a member of a group. */
export type HardLinkVerdict = { kind: 'lead' } | { kind: 'wait' } | { kind: 'link'; to: ByteString };

/**
 * Hard-link groups of a run (8.6). One member of each is made like any other file; the others are linked to it, and
 * wait until it is there. A member that exists already, or the last one of its list, becomes the one that leads.
 */
export class HardLinks {
  private readonly groups = new Map<number, Group>();
  private lastRows = new Map<number, number>();
  private segment: Segment | null = null;

  constructor(private readonly list: FileList) {}

  /** Finds the last member of each group in a list that is about to be worked on. */
  enter(segment: Segment): void {
    this.segment = segment;
    this.lastRows = new Map();
    for (let i = 0; i < segment.count; i++) {
      const row = FileList.rowAt(segment, i);
      if (this.list.flags[row] & EntryFlag.HLINKED && !this.list.isInactive(row)) {
        this.lastRows.set(this.list.group[row], row);
      }
    }
  }

  judge(row: number, ndx: number, exists: boolean): HardLinkVerdict {
    const group = this.groupOf(row);
    if (group.finished !== null) return { kind: 'link', to: group.finished };
    if (group.leader < 0 && (exists || this.lastRows.get(this.list.group[row]) === row || this.segment === null)) {
      group.leader = ndx;
      return { kind: 'lead' };
    }
    if (group.leader === ndx) return { kind: 'lead' };
    group.waiting.push({ ndx, row });
    return { kind: 'wait' };
  }

  private groupOf(row: number): Group {
    const id = this.list.group[row];
    let group = this.groups.get(id);
    if (group === undefined) {
      group = { finished: null, leader: -1, waiting: [] };
      this.groups.set(id, group);
    }
    return group;
  }

  /** The leading member is in place: everything that waited for it may be linked. */
  finish(row: number, path: ByteString): WaitingMember[] {
    const group = this.groupOf(row);
    group.finished = path;
    const { waiting } = group;
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
