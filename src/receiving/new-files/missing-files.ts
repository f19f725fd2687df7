import { Item } from '../../../protocol/constants.js';
import { type Chunk, rowIn } from '../../../protocol/flist/chunk.js';
import { EntryFlag, ndxAt, rowAt, type Segment } from '../../../protocol/flist/list.js';
import { NewFileRequests } from '../../../protocol/request.js';
import { countLooks } from '../../files/stat.js';
import { Errno } from '../../libc/errno.js';
import { addressOf } from '../../libc/libc.js';
import { allows, Shortcut } from '../../session/shortcuts.js';
import type { EntryMaker } from '../entries.js';
import type { Receiving } from '../receiving.js';
import type { Sweep } from '../right-files/sweep.js';

/** Files that are asked for before the socket is served again, at most. */
const LONGEST_RUN = 256;
const STATX_BYTES = 256;
const NOT_PLAIN = EntryFlag.DUPLICATE | EntryFlag.CLEARED | EntryFlag.HLINKED;

/**
 * Asks for files that are not there in runs: those of a directory that this run has made, and others after a look at each. All
 * that a file costs is a flag and the bytes of a request. Whatever is not plainly so is left to the generator.
 */
export class MissingFiles {
  private readonly applies: boolean;
  private readonly requests: NewFileRequests;
  /** Where a look puts what it finds. */
  private readonly found = Buffer.allocUnsafeSlow(STATX_BYTES);

  constructor(
    private readonly receiving: Receiving,
    private readonly entries: EntryMaker,
    private readonly sweep: Sweep,
  ) {
    const { session, parts } = receiving;
    const { options: o } = session;
    this.applies = allows(o, Shortcut.MISSING) && parts.localName === null && parts.moduleHides === null;
    this.requests = new NewFileRequests(Item.TRANSFER | Item.IS_NEW | (o.checksum ? Item.REPORT_CHANGE : 0));
  }

  /** How many entries of a list that was worked through up to its `i`-th one were asked for. 0 says nothing about the next one. */
  ask(segment: Segment, i: number): number {
    if (!this.applies || !segment.isPlain || this.entries.leavesOut) return 0;
    const { session } = this.receiving;
    const most = Math.min(segment.count - i, LONGEST_RUN);
    const count = this.mark(segment, i, this.isNew(segment) ? most : this.missing(segment, i, most));
    if (count === 0) return 0;
    countLooks(count);
    this.receiving.onAsked?.(rowAt(segment, i), count);
    segment.inProgress += count;
    this.requests.write(session.connection.writer, session.ndxOut, ndxAt(segment, i), count);
    return count;
  }

  /**
   * True when this run has made the directory of a list. What somebody else puts there at this moment may be seen or not, by
   * whoever looks, and is replaced either way.
   */
  private isNew({ parentRow }: Segment): boolean {
    return parentRow >= 0 && (this.receiving.session.list.flags(parentRow) & EntryFlag.DIR_CREATED) !== 0;
  }

  /** How many entries, `most` at most and from the `i`-th on, are not there: that is asked when the one before was missing. */
  private missing(segment: Segment, i: number, most: number): number {
    const { list } = this.receiving.session;
    if (!this.sweep.foundNothing) return 0;
    const place = this.sweep.placeOf(rowAt(segment, i));
    if (place === null || !place.isHeld) return 0;
    const out = addressOf(this.found);
    let last: Chunk | null = null;
    let base = 0;
    for (let k = 0; k < most; k++) {
      const row = rowAt(segment, i + k);
      const chunk = list.chunkOf(row);
      if (chunk !== last) base = addressOf(chunk.arena);
      last = chunk;
      if (place.statxAt(base + chunk.nameOffset[rowIn(row)], out) !== Errno.ENOENT) return k;
    }
    return most;
  }

  /** Notes that entries are asked for: as many of them as are plain. */
  private mark(segment: Segment, i: number, count: number): number {
    const { list } = this.receiving.session;
    const { further } = this.receiving.parts;
    for (let k = 0; k < count; k++) {
      const row = rowAt(segment, i + k);
      const { flags, xattrs } = list.chunkOf(row);
      const at = rowIn(row);
      if ((flags[at] & NOT_PLAIN) !== 0 || further?.hasXattrs(xattrs.get(at)) === true) return k;
      flags[at] |= EntryFlag.REQUESTED;
    }
    return count;
  }
}
