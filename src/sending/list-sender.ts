import { NDX_FLIST_EOF, NDX_FLIST_OFFSET } from '../../protocol/constants.js';
import type { EntryEncoder } from '../../protocol/flist/encode.js';
import { EntryFlag, rowAt, type Segment } from '../../protocol/flist/list.js';
import { finishSegment } from '../../protocol/flist/sort.js';
import type { ByteString } from '../../protocol/options.js';
import { nowMs } from '../session/clock.js';
import { countListed } from '../session/engine.js';
import { sharesTurns } from '../session/hand-over.js';
import { Pace } from '../session/pace.js';
import type { Session } from '../session/session.js';
import type { Scanner } from './scan/scan.js';
import type { WantedEntry } from './scan/wanted.js';

/** Entries that should lie beyond the list being worked on (8.4): at least, and while there is nothing else to do. */
const LOOKAHEAD = 1000;
const IDLE_LOOKAHEAD = 10000;
/** As many are announced together when there are fewer than LOOKAHEAD, so that several directories are listed in one turn. */
const REFILL = 4000;
/** rsync states the size of its list as what has left a buffer of so many bytes when the list is done. */
const RSYNC_BUFFER = 65536;

/** What a sender is asked for. */
export interface WhatToList {
  sources: readonly ByteString[];
  /** --files-from: the names, relative to the only source; null without it. */
  names: AsyncIterable<ByteString> | null;
  /** Single entries instead of sources. */
  wanted?: readonly WantedEntry[];
}

/** Lists the sources and sends the lists: all at once, or directory by directory with incremental recursion (section 8). */
export class ListSender {
  /** Rows of directories that have no list yet: depth first, the next one last. Equal names form one group. */
  private readonly waiting: number[][] = [];
  private readonly pace = new Pace();
  /** True once every list has been announced. */
  get complete(): boolean {
    return this.session.listsComplete;
  }

  /** Told about the growth of a list that comes in one piece: the number of entries so far. */
  onEntry: ((count: number) => void) | null = null;

  constructor(
    private readonly session: Session,
    private readonly scanner: Scanner,
    private readonly encoder: EntryEncoder,
  ) {}

  /** Sends the first list: the arguments, and everything below them without incremental recursion. */
  async sendFirst(what: WhatToList): Promise<void> {
    const { session, scanner } = this;
    const started = nowMs();
    const { writer } = session.connection;
    const before = writer.total + writer.unflushed;
    await this.listAll(what);
    const segment = this.closeSegment(-1);
    session.stats.listBuildMs = Math.max(1, Math.round(nowMs() - started));
    if (session.incremental) {
      this.pushDirectories(segment);
      // A receiver must know more than one entry before it decides what its destination is (8.3).
      if (segment.count === 1 || this.waiting.length === 0) this.sendNext();
    } else {
      if (!session.options.numericIds) this.encoder.writeIdLists(writer);
      if (session.protocol < 30) writer.i32(session.options.ignoreErrors ? 0 : scanner.ioError);
      session.listsComplete = true;
    }
    const size = writer.total + writer.unflushed - before;
    session.stats.listSize = size - (size % RSYNC_BUFFER);
  }

  /** Lists one argument after the other, each with what is below it: of equal names the first one counts. */
  private async listAll(what: WhatToList): Promise<void> {
    const { sources, names, wanted } = what;
    const { scanner } = this;
    let row = 0;
    if (wanted !== undefined) {
      for (const entry of wanted) {
        scanner.addWanted(entry);
        row = await this.encodeTree(row);
      }
    } else if (names !== null) {
      scanner.startNames(sources[0] ?? '.');
      for await (const name of names) {
        scanner.addName(name);
        row = await this.encodeTree(row);
      }
    } else {
      for (const source of sources) {
        scanner.addArgument(source);
        row = await this.encodeTree(row);
      }
    }
  }

  /** Encodes the rows from `from` on and, without incremental recursion, lists and encodes what is below them. */
  private async encodeTree(from: number): Promise<number> {
    let row = await this.encodeFrom(from);
    while (!this.session.incremental && this.scanner.step()) row = await this.encodeFrom(row);
    return row;
  }

  private async encodeFrom(from: number): Promise<number> {
    const { list, connection } = this.session;
    let row = from;
    while (row < list.count) {
      if (this.onEntry !== null) this.onEntry(row);
      row = this.encodeSome(row);
      if (connection.congested) await connection.drain();
      if (this.pace.due()) await this.pace.rest();
    }
    return row;
  }

  /** Encodes rows from `row` on, one or many; returns the row behind them. */
  private encodeSome(row: number): number {
    const { scanner, encoder, session } = this;
    // Below protocol 30 hard links travel as device and inode numbers; the columns are replaced as they grow.
    if (session.protocol < 30 && session.options.hardLinks) encoder.setDevIno(scanner.devs, scanner.inos);
    const end = this.onEntry === null ? session.list.count : row + 1;
    return encoder.encodeSome(session.connection.writer, row, end);
  }

  private closeSegment(parentRow: number): Segment {
    const { session, scanner } = this;
    const { list, options: o } = session;
    const segment = list.addSegment(parentRow, session.incremental);
    countListed(segment.count);
    finishSegment(list, segment, {
      protocol: session.protocol,
      removeDuplicates: false,
      incremental: session.incremental,
      numbersAsSent: session.charset !== null,
      pruneEmptyDirs: false,
    });
    this.encoder.end(session.connection.writer, o.ignoreErrors ? 0 : scanner.ioError);
    session.ioError |= scanner.ioError;
    session.listIoError |= scanner.ioError;
    // Progress shows how much of the list is known so far.
    scanner.applyCounts(session.stats);
    return segment;
  }

  /** Puts the directories of a list in front of those that wait, so that the order is depth first. */
  private pushDirectories(segment: Segment): void {
    const { list } = this.session;
    if (segment.isPlain) return;
    const groups: number[][] = [];
    let last = '';
    for (let i = 0; i < segment.count; i++) {
      const row = rowAt(segment, i);
      if (!list.isDir(row)) continue;
      const path = list.path(row);
      // The root of the transfer was listed with the arguments and is known by index 0 (8.1).
      if (path === '.') continue;
      list.keepRow(row);
      if (groups.length > 0 && path === last) groups[groups.length - 1].push(row);
      else groups.push([row]);
      last = path;
    }
    for (let i = groups.length - 1; i >= 0; i--) this.waiting.push(groups[i]);
  }

  /** Announces and sends the list of the next directory, or the end of all lists. */
  private sendNext(): void {
    const { session, scanner } = this;
    const { list, connection, ndxOut } = session;
    const { writer } = connection;
    const rows = this.waiting.pop();
    if (rows === undefined) {
      ndxOut.write(writer, NDX_FLIST_EOF);
      session.listsComplete = true;
      return;
    }
    const start = list.count;
    ndxOut.write(writer, NDX_FLIST_OFFSET - list.extra(rows[0]));
    for (const row of rows) {
      if ((list.flags(row) & EntryFlag.DIR_LISTED) === 0) scanner.scanDirectory(row);
    }
    for (let row = start; row < list.count; ) row = this.encodeSome(row);
    for (const row of rows.slice(1)) list.releaseRow(row);
    this.pushDirectories(this.closeSegment(rows[0]));
    if (this.waiting.length === 0) this.sendNext();
  }

  /**
   * Entries announced beyond the segment that is being worked on: that of the last request, or the oldest open one. It
   * does not count itself, however long it is, because a receiver keeps it open until it knows of another one.
   */
  private ahead(current: Segment | null): number {
    const { list } = this.session;
    return list.count - Math.max(endOf(current), endOf(list.segments.oldest));
  }

  /** Further lists should be announced, with `topUp`, before the next request is answered. */
  isShort(current: Segment | null): boolean {
    return !this.complete && this.ahead(current) < LOOKAHEAD;
  }

  /** Keeps the receiver supplied; `idle` when there is nothing else to do. */
  async topUp(current: Segment | null, idle: boolean): Promise<void> {
    const { connection } = this.session;
    const goal = idle ? IDLE_LOOKAHEAD : REFILL;
    // Between two calls the caller rests by a pace of its own: a flush for each list would wake the peer for little.
    // Before the first request, the other side learns of many files as soon as there are some.
    this.pace.isLong = current !== null && sharesTurns(this.session);
    this.pace.begin();
    while (!this.complete && this.ahead(current) < goal) {
      this.sendNext();
      if (connection.congested) await connection.drain();
      if (this.pace.dueNow()) {
        connection.flush();
        await this.pace.rest();
        if (idle && connection.reader.buffered > 0) return;
      }
    }
  }
}

/** The row behind a segment. */
function endOf(segment: Segment | null): number {
  return segment === null ? 0 : segment.start + segment.count;
}
