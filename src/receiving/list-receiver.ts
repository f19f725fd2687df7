import { Exit, IoError, NDX_DEL_STATS, NDX_DONE, NDX_FLIST_EOF, NDX_FLIST_OFFSET } from '../../protocol/constants.js';
import { ProtocolError } from '../../protocol/errors.js';
import type { EntryDecoder } from '../../protocol/flist/decode.js';
import { EntryFlag, type FileList, ndxAt, rowAt, type Segment } from '../../protocol/flist/list.js';
import { finishSegment } from '../../protocol/flist/sort.js';
import { readDelStats } from '../../protocol/stats.js';
import { type ChmodRule, tweakMode } from '../files/chmod.js';
import { duplicateName } from '../report/messages.js';
import { countListed, expectListed } from '../session/engine.js';
import { Signal } from '../session/pace.js';
import { applyDelStats, countType } from '../session/run-stats.js';
import type { Session } from '../session/session.js';
import { decode, decodeWhole } from '../transport/decode.js';
import type { ListGuard } from './list-guard.js';

/** Receives lists and makes them ready for use: sorted, ids mapped, checked (sections 7 and 8). */
export class ListReceiver {
  /** Every list has been received (always so without incremental recursion). */
  get complete(): boolean {
    return this.session.listsComplete;
  }
  /** Raised whenever a list has arrived, a file is finished or a phase has ended. */
  readonly changed = new Signal();

  constructor(
    private readonly session: Session,
    private readonly decoder: EntryDecoder,
    /** --chmod rules of a client. */
    private readonly chmod: readonly ChmodRule[],
    /** Looks at each list before anything is done with it. */
    private readonly guard: ListGuard,
  ) {}

  /** Reads the first list with what follows it (7.9). */
  async readFirst(): Promise<Segment> {
    const { session } = this;
    const { connection, options: o } = session;
    const { reader } = connection;
    const before = reader.total - reader.buffered;
    const segment = await this.readEntries(-1);
    if (!session.incremental) {
      if (!o.numericIds) {
        while (!this.decoder.readIdLists(connection.reader)) await connection.fill();
      }
      if (session.protocol < 30) {
        const ioError = await decode(connection, (reader) => reader.i32());
        if (!o.ignoreErrors) session.ioError |= ioError & IoError.MASK;
      }
    }
    this.prepare(segment);
    session.listsComplete = !session.incremental;
    // As in rsync, with whatever has arrived behind it.
    session.stats.listSize = session.replays ? 0 : reader.total - before;
    return segment;
  }

  /**
   * The next index of the data stream: an item's, NDX_DONE, or that of a list (NDX_FLIST_EOF or below) that has been
   * read and prepared. Deletion counts that stand before it go into the statistics.
   */
  async nextIndex(): Promise<number> {
    const { connection, ndxIn } = this.session;
    for (;;) {
      const ndx = await decode(connection, (reader) => ndxIn.read(reader));
      if (ndx >= NDX_DONE) return ndx;
      await this.take(ndx);
      if (ndx !== NDX_DEL_STATS) return ndx;
    }
  }

  /** Reads what `ndx`, an index below NDX_DONE, announces: deletion counts, a further list, or the end of all lists. */
  async take(ndx: number): Promise<void> {
    if (ndx === NDX_DEL_STATS) {
      await this.readDeletions();
      return;
    }
    if (this.complete || (ndx !== NDX_FLIST_EOF && ndx > NDX_FLIST_OFFSET)) {
      throw new ProtocolError('file index', ndx);
    }
    if (ndx === NDX_FLIST_EOF) this.session.listsComplete = true;
    else await this.readDirectory(ndx);
    this.changed.raise();
  }

  private async readDeletions(): Promise<void> {
    const { connection, stats, replays } = this.session;
    const counts = await decodeWhole(connection, readDelStats);
    // A batch tells of the deletions of another run.
    if (!replays) applyDelStats(stats, counts);
  }

  /** Reads the list of the directory that `ndx` announces (8.2). */
  private async readDirectory(ndx: number): Promise<void> {
    const { list } = this.session;
    const dirNdx = NDX_FLIST_OFFSET - ndx;
    if (dirNdx < 0 || dirNdx >= list.dirRows.length) throw new ProtocolError('directory number', dirNdx);
    const row = list.dirRows[dirNdx];
    if (row < 0) throw new ProtocolError('directory number', `${dirNdx} was listed already`);
    list.dirRows[dirNdx] = -1;
    const segment = await this.readEntries(row);
    this.checkDirectory(segment, row);
    this.prepare(segment);
    this.onList?.(segment);
  }

  /** Told of the list of a directory, which is ready. */
  onList: ((segment: Segment) => void) | null = null;

  /** Told about the growth of a list that comes in one piece: the number of entries so far. */
  onEntry: ((count: number) => void) | null = null;

  private async readEntries(parentRow: number): Promise<Segment> {
    const { session, decoder } = this;
    const { connection, list } = session;
    const start = list.count;
    decoder.oneByOne = this.onEntry !== null;
    for (;;) {
      const state = decoder.next(connection.reader);
      if (state === 2) break;
      if (state === 0) {
        expectListed(list.count - start);
        await connection.fill();
      } else if (this.onEntry !== null) this.onEntry(list.count);
    }
    session.ioError |= decoder.ioError & IoError.MASK;
    this.guard.check(list, start);
    countListed(list.count - start);
    return list.addSegment(parentRow, session.incremental);
  }

  /** Every entry of a directory's list lies in that directory (8.2). */
  private checkDirectory(segment: Segment, parent: number): void {
    const { list } = this.session;
    const path = list.path(parent);
    const wanted = isUnnamed(list, parent) ? null : path === '.' ? '' : path.replace(/^\//, '');
    let lastDir = -1;
    const different = segment.isPlain ? 1 : segment.count;
    for (let row = segment.start; row < segment.start + different; row++) {
      if (list.dir(row) === lastDir || isUnnamed(list, row)) continue;
      lastDir = list.dir(row);
      if (list.dirs.path(lastDir).replace(/^\//, '') !== wanted) {
        throw new ProtocolError('file list', `entry outside directory "${path}"`, Exit.UNSUPPORTED);
      }
    }
  }

  private prepare(segment: Segment): void {
    const { session, chmod } = this;
    const { list, options: o } = session;
    if (chmod.length > 0) {
      for (let row = segment.start; row < segment.start + segment.count; row++) {
        if (list.mode(row) !== 0 && !list.isLink(row)) list.setMode(row, tweakMode(list.mode(row), chmod));
      }
    }
    finishSegment(list, segment, {
      protocol: session.protocol,
      removeDuplicates: true,
      incremental: session.incremental,
      numbersAsSent: session.charset !== null,
      pruneEmptyDirs: o.pruneEmptyDirs,
    });
    if ((o.debug.dup ?? 0) >= 1) this.tellDuplicates(segment);
    if (session.incremental) this.keepDirectories(segment);
    else this.checkParents(segment);
    this.count(segment);
  }

  private tellDuplicates(segment: Segment): void {
    const { list, log } = this.session;
    for (let i = 0; i < segment.count; i++) {
      const row = rowAt(segment, i);
      if (list.flags(row) & EntryFlag.DUPLICATE) log.info(duplicateName(list.path(row), ndxAt(segment, i)));
    }
  }

  /** Directories are needed until their own lists have ended; those that take no part will have none. */
  private keepDirectories(segment: Segment): void {
    const { list } = this.session;
    if (segment.isPlain) return;
    for (let row = segment.start; row < segment.start + segment.count; row++) {
      if (!list.isDir(row)) continue;
      // The sender does not know of names that there cannot be here.
      if (list.isInactive(row) && !isUnnamed(list, row)) list.dirRows[list.extra(row)] = -1;
      else list.keepRow(row);
    }
  }

  /** Without incremental recursion the directory of each entry must be a directory of the list itself (section 15). */
  private checkParents(segment: Segment): void {
    const { list, options: o, protocol } = this.session;
    if (o.relative && protocol < 30) return;
    const directories = new Set<string>();
    let lastDir = -1;
    for (let i = 0; i < segment.count; i++) {
      const row = rowAt(segment, i);
      if (isUnnamed(list, row)) continue;
      if (list.isDir(row)) directories.add(list.path(row));
      const dir = list.dir(row);
      if (dir === lastDir) continue;
      lastDir = dir;
      const path = list.dirs.path(dir);
      if (path !== '' && !directories.has(path) && !(o.relative && !o.impliedDirs) && o.filesFrom === '') {
        throw new ProtocolError('file list', `no directory entry for "${path}"`, Exit.UNSUPPORTED);
      }
    }
  }

  /** Counts what was listed, duplicates and what is pruned among it. */
  private count(segment: Segment): void {
    const { list, stats } = this.session;
    const { files } = stats;
    if (segment.isPlain) {
      files.total += segment.count;
      files.reg += segment.count;
      stats.totalSize += list.sizeOf(segment.start, segment.count);
      return;
    }
    for (let row = segment.start; row < segment.start + segment.count; row++) {
      if (isUnnamed(list, row)) continue;
      countType(files, list.mode(row));
      if (list.isInactive(row)) continue;
      if (list.isRegular(row) || list.isLink(row)) stats.totalSize += list.size(row);
    }
  }
}

/** A row whose name there cannot be here (--iconv). */
function isUnnamed(list: FileList, row: number): boolean {
  return (list.flags(row) & EntryFlag.UNNAMED) !== 0;
}
