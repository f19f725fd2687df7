import { AclTable } from '../attributes/acl.js';
import { XattrTable } from '../attributes/xattr-set.js';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../constants.js';
import type { ListKernel } from '../kernel/list-kernel.js';
import { CHUNK_SHIFT } from './chunk.js';
import { Rows } from './rows.js';
import { type Segment, Segments } from './segments.js';

export { ndxAt, rowAt, rowOf, type Segment } from './segments.js';

/** Local flags of an entry; none of them is a wire value. */
export const EntryFlag = {
  /** Named on the command line. */
  TOP_DIR: 0x01,
  /** A directory whose content is part of the transfer. */
  CONTENT_DIR: 0x02,
  /** A parent that -R brought along. */
  IMPLIED_DIR: 0x04,
  /** A second entry of the same name; it keeps its number and is never used. */
  DUPLICATE: 0x08,
  HLINKED: 0x10,
  /** First of its hard-link group. */
  HLINK_FIRST: 0x20,
  /** A mount point met with -x. */
  MOUNT_DIR: 0x40,
  /** The sender has sent it once (a further request is a redo), or the receiver has got it. */
  FILE_SENT: 0x80,
  /** The directory's list was announced or received. */
  DIR_LISTED: 0x100,
  /** The directory was created in this run. */
  DIR_CREATED: 0x200,
  /** Mode or time of the directory must be set again when all its entries are done. */
  TOUCH_UP: 0x400,
  /** Removed by prune-empty-dirs or by a check of the receiver: behaves like a duplicate. */
  CLEARED: 0x800,
  /** Receiver: the sender was asked for it and has not answered yet. */
  REQUESTED: 0x1000,
  /** A directory that is kept beyond its list, because its own one has not ended. */
  KEPT: 0x2000,
  /** Receiver: its name or target cannot be converted (--iconv). It takes no part, and keeps its numbers. */
  UNNAMED: 0x4000,
} as const;

/**
 * The file list of one direction of a session: rows that form lists (`Segment`). With incremental recursion a list is ended
 * when both sides are done with it, and a chunk of rows is forgotten with the last list in it. Directories are needed until
 * their own lists have ended: `keepRow` keeps their chunks that long.
 */
export class FileList extends Rows {
  readonly segments = new Segments();
  /** -X: the sets of attributes that rows have. */
  readonly xattrTable = new XattrTable();
  /** -A: the access lists, and those for new entries of directories. */
  readonly aclTable = new AclTable();
  readonly defaultAclTable = new AclTable();
  /** Rows of all directories in the order of dir_ndx (8.1); -1 when a directory's list has come. */
  readonly dirRows: number[] = [];

  protected override get listStart(): number {
    return this.segments.nextRow;
  }

  // --- kinds -------------------------------------------------------------------------------------------------------

  isDir(row: number): boolean {
    return (this.mode(row) & S_IFMT) === S_IFDIR;
  }

  isRegular(row: number): boolean {
    return (this.mode(row) & S_IFMT) === S_IFREG;
  }

  isLink(row: number): boolean {
    return (this.mode(row) & S_IFMT) === S_IFLNK;
  }

  /** True for rows that take no part: duplicates, pruned directories, and names that there cannot be here. */
  isInactive(row: number): boolean {
    return (this.flags(row) & (EntryFlag.DUPLICATE | EntryFlag.CLEARED | EntryFlag.UNNAMED)) !== 0;
  }

  /**
   * Appends the first `count` rows of a kernel's run, regular files of the directory `dir`. `isAscending`: each name is greater
   * than the one before, also than that of the row before if `plainFrom` counts that.
   */
  appendFiles(kernel: ListKernel, count: number, dir: number, base: number, isAscending: boolean): void {
    const first = this.count;
    if (first === this.segments.nextRow || (this.filesFrom < first && this.dir(first - 1) !== dir)) {
      this.filesFrom = this.plainFrom = first;
    }
    this.appendRun(kernel, count, dir, base);
    if (!isAscending) this.plainFrom = this.count;
  }

  // --- lists -------------------------------------------------------------------------------------------------------

  /** Makes the rows since the last list a list; `parentRow` is that of the directory they lie in, -1 for the first. */
  addSegment(parentRow: number, incremental: boolean): Segment {
    const { segments } = this;
    const start = segments.nextRow;
    const segment = segments.add(this.count - start, parentRow, incremental);
    segment.isPlain = this.filesFrom <= start && start < this.count;
    for (let at = firstChunk(segment); at < endChunk(segment); at++) this.chunkOf(at << CHUNK_SHIFT).holds++;
    return segment;
  }

  /** Notes which directories a finished list has entries in, so that their paths can be forgotten with it. */
  holdPaths(segment: Segment): void {
    this.eachDir(segment, (id) => this.dirs.hold(id));
  }

  private eachDir({ start, count, isPlain }: Segment, visit: (id: number) => void): void {
    if (isPlain) {
      visit(this.dir(start));
      return;
    }
    let last = -1;
    for (let row = start; row < start + count; row++) {
      const id = this.dir(row);
      if (id !== last) visit(id);
      last = id;
    }
  }

  /** Ends the oldest list: its rows may not be used any more, nor that of the directory that it is the list of. */
  endSegment(): Segment {
    const segment = this.segments.shift();
    this.eachDir(segment, (id) => this.dirs.release(id));
    for (let at = firstChunk(segment); at < endChunk(segment); at++) this.release(at);
    if (segment.parentRow >= 0) this.releaseRow(segment.parentRow);
    return segment;
  }

  /** Keeps a row until `releaseRow`, or until the list ends that belongs to this directory. */
  keepRow(row: number): void {
    this.addFlags(row, EntryFlag.KEPT);
    this.dirs.hold(this.dir(row));
    this.chunkOf(row).holds++;
  }

  releaseRow(row: number): void {
    if ((this.flags(row) & EntryFlag.KEPT) === 0) return;
    this.clearFlags(row, EntryFlag.KEPT);
    this.dirs.release(this.dir(row));
    this.release(row >> CHUNK_SHIFT);
  }

  private release(at: number): void {
    const chunk = this.chunkOf(at << CHUNK_SHIFT);
    // Rows that are in no list yet are not counted.
    if (--chunk.holds === 0 && at < this.segments.nextRow >> CHUNK_SHIFT) this.forgetChunk(at);
  }
}

function firstChunk({ start }: { start: number }): number {
  return start >> CHUNK_SHIFT;
}

/** The chunk behind the last one of a segment. */
function endChunk({ start, count }: Segment): number {
  return count === 0 ? firstChunk({ start }) : ((start + count - 1) >> CHUNK_SHIFT) + 1;
}
