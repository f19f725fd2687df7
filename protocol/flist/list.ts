import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../constants.js';
import { RsyncError } from '../errors.js';
import type { ByteString } from '../options.js';

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
} as const;

const FIRST_ROWS = 256;
const FIRST_ARENA = 8 * 1024;
/** Bytes of all names together: what one buffer can hold. */
const MAX_ARENA = 2 ** 32;

/**
 * A run of entries that were transmitted together (8.1). Index `firstNdx + i` is the entry `row(i)` in sorted order;
 * `firstNdx - 1` stands for the directory that the run lists.
 */
export interface Segment {
  firstNdx: number;
  /** First row in the columns, and the number of rows. */
  start: number;
  count: number;
  /** Row of the i-th entry in sorted order; null when the rows are in that order already. */
  order: Int32Array | null;
  /** Row of the directory that this segment lists, -1 for the first one. */
  parentRow: number;
}

/**
 * The file list of one direction of a session as columns: an entry is a row number, a column is a typed array.
 * All name bytes lie in one arena; a name is the id of its directory's path plus its last component.
 * Rows are only appended. Arrays are replaced when they grow, so do not keep a reference to one across an append.
 */
export class FileList {
  /** Number of rows in use. */
  count = 0;

  arena: Buffer = Buffer.allocUnsafeSlow(FIRST_ARENA);
  arenaUsed = 0;

  /** Last component of the name: offset and length in the arena. */
  nameOffset = new Uint32Array(FIRST_ROWS);
  nameLength = new Uint16Array(FIRST_ROWS);
  /** Directory part: id of a path in `dirPaths`; 0 is the empty path. */
  dir = new Int32Array(FIRST_ROWS);
  /** Unix st_mode; 0 for a missing argument. */
  mode = new Uint32Array(FIRST_ROWS);
  /** Bytes. */
  size = new Float64Array(FIRST_ROWS);
  /** Seconds since 1970, and nanoseconds. */
  mtime = new Float64Array(FIRST_ROWS);
  nsec = new Uint32Array(FIRST_ROWS);
  uid = new Uint32Array(FIRST_ROWS);
  gid = new Uint32Array(FIRST_ROWS);
  /** EntryFlag bits. */
  flags = new Uint16Array(FIRST_ROWS);
  /** Symlink: index in `targets`. Device: index in `rdevs`. Directory: its dir_ndx (8.1) or -1. Otherwise -1. */
  extra = new Int32Array(FIRST_ROWS);
  /** Hard-link group of an HLINKED entry, else -1: the transmission number of the first member (7.6). */
  group = new Int32Array(FIRST_ROWS);
  /** Sender: which source argument's base directory the name is relative to. */
  base = new Uint16Array(FIRST_ROWS);
  /** Access time in seconds (only meaningful with -U). */
  atime = new Float64Array(0);
  /** `sumLength` bytes a row (only with -c). */
  sums: Buffer = Buffer.alloc(0);

  /** Symlink targets. */
  readonly targets: Buffer[] = [];
  /** Device numbers, major and minor. */
  readonly rdevs: { major: number; minor: number }[] = [];

  /** Directory paths by id; `dirPaths[0]` is ''. */
  readonly dirPaths: ByteString[] = [''];
  private readonly dirIds = new Map<ByteString, number>([['', 0]]);

  /** Segments in the order they were transmitted. Finished ones stay, but `live` moves past them. */
  readonly segments: Segment[] = [];
  /** Index in `segments` of the oldest one that is not finished. */
  live = 0;
  /** Rows of all directories in the order of dir_ndx (8.1). */
  readonly dirRows: number[] = [];

  constructor(
    readonly withAtime = false,
    /** Digest length of -c sums, 0 without -c. */
    readonly sumLength = 0,
    /** Highest number of rows that is accepted. */
    private readonly maxRows = 0x7fff_fff0,
  ) {
    if (withAtime) this.atime = new Float64Array(FIRST_ROWS);
    if (sumLength > 0) this.sums = Buffer.alloc(FIRST_ROWS * sumLength);
  }

  /** Appends an empty row and returns its number. */
  addRow(): number {
    const row = this.count;
    if (row === this.mode.length) this.grow();
    this.count = row + 1;
    this.flags[row] = 0;
    this.extra[row] = -1;
    this.group[row] = -1;
    this.nsec[row] = 0;
    this.base[row] = 0;
    return row;
  }

  /** Takes back the last row. */
  dropRow(): void {
    this.count--;
  }

  private grow(): void {
    const n = this.mode.length * 2;
    if (this.mode.length >= this.maxRows) throw new RsyncError(22, 'file list too large');
    const wider = <T extends { set(from: T): void }>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.nameOffset = wider(new Uint32Array(n), this.nameOffset);
    this.nameLength = wider(new Uint16Array(n), this.nameLength);
    this.dir = wider(new Int32Array(n), this.dir);
    this.mode = wider(new Uint32Array(n), this.mode);
    this.size = wider(new Float64Array(n), this.size);
    this.mtime = wider(new Float64Array(n), this.mtime);
    this.nsec = wider(new Uint32Array(n), this.nsec);
    this.uid = wider(new Uint32Array(n), this.uid);
    this.gid = wider(new Uint32Array(n), this.gid);
    this.flags = wider(new Uint16Array(n), this.flags);
    this.extra = wider(new Int32Array(n), this.extra);
    this.group = wider(new Int32Array(n), this.group);
    this.base = wider(new Uint16Array(n), this.base);
    if (this.withAtime) this.atime = wider(new Float64Array(n), this.atime);
    if (this.sumLength > 0) {
      const sums = Buffer.alloc(n * this.sumLength);
      this.sums.copy(sums);
      this.sums = sums;
    }
  }

  /** Stores the last component of a row's name. */
  setName(row: number, source: Uint8Array, from: number, to: number): void {
    const length = to - from;
    if (this.arenaUsed + length > this.arena.length) {
      let capacity = this.arena.length * 2;
      while (capacity < this.arenaUsed + length) capacity *= 2;
      if (capacity > MAX_ARENA) throw new RsyncError(22, 'file list too large');
      const arena = Buffer.allocUnsafeSlow(capacity);
      this.arena.copy(arena, 0, 0, this.arenaUsed);
      this.arena = arena;
    }
    const { arena, arenaUsed } = this;
    for (let i = 0; i < length; i++) arena[arenaUsed + i] = source[from + i];
    this.nameOffset[row] = arenaUsed;
    this.nameLength[row] = length;
    this.arenaUsed = arenaUsed + length;
  }

  /** The id of a directory path ('' for none); the same path always has the same id. */
  dirId(path: ByteString): number {
    let id = this.dirIds.get(path);
    if (id === undefined) {
      id = this.dirPaths.length;
      this.dirPaths.push(path);
      this.dirIds.set(path, id);
    }
    return id;
  }

  /** The id of a directory path that has one already, else -1. */
  knownDirId(path: ByteString): number {
    return this.dirIds.get(path) ?? -1;
  }

  /** The last component of a row's name as a byte string. */
  baseName(row: number): ByteString {
    const at = this.nameOffset[row];
    return this.arena.toString('latin1', at, at + this.nameLength[row]);
  }

  /** The whole name of a row as a byte string. */
  path(row: number): ByteString {
    const dir = this.dirPaths[this.dir[row]];
    return dir === '' ? this.baseName(row) : dir === '/' ? `/${this.baseName(row)}` : `${dir}/${this.baseName(row)}`;
  }

  isDir(row: number): boolean {
    return (this.mode[row] & S_IFMT) === S_IFDIR;
  }

  isRegular(row: number): boolean {
    return (this.mode[row] & S_IFMT) === S_IFREG;
  }

  isLink(row: number): boolean {
    return (this.mode[row] & S_IFMT) === S_IFLNK;
  }

  /** True for rows that take no part: duplicates and pruned directories. */
  isInactive(row: number): boolean {
    return (this.flags[row] & (EntryFlag.DUPLICATE | EntryFlag.CLEARED)) !== 0;
  }

  /** The row behind the i-th sorted entry of a segment. */
  static rowAt(segment: Segment, i: number): number {
    return segment.order === null ? segment.start + i : segment.order[i];
  }

  /** The segment that `ndx` belongs to (its own `firstNdx - 1` included), among those that are not finished. */
  segmentOf(ndx: number): Segment | null {
    const { segments } = this;
    let low = this.live;
    let high = segments.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const s = segments[middle];
      if (ndx < s.firstNdx - 1) high = middle - 1;
      else if (ndx >= s.firstNdx + s.count) low = middle + 1;
      else return s;
    }
    return null;
  }

  /** The index that the next segment starts at: one number is left out for its directory (8.1). */
  nextNdx(incremental: boolean): number {
    const last = this.segments.at(-1);
    if (last === undefined) return incremental ? 1 : 0;
    return last.firstNdx + last.count + 1;
  }
}
