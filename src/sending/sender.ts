import fs from 'node:fs';
import { Basis, Compat, Exit, IoError, Item, Msg, NDX_DEL_STATS, NDX_DONE } from '../../protocol/constants.js';
import { BlockSums, readSumHead, writeSumHead } from '../../protocol/delta/blocks.js';
import { ProtocolError, RsyncError } from '../../protocol/errors.js';
import { EntryFlag, FileList, type Segment } from '../../protocol/flist/list.js';
import { DIGEST_LENGTH } from '../../protocol/hash/digest.js';
import { ItemHeader, readItemHeader, writeItem } from '../../protocol/request.js';
import { readDelStats, writeDelStats } from '../../protocol/stats.js';
import { FileStat, fstatInto, lstatInto } from '../files/stat.js';
import { errnoText } from '../report/errno.js';
import { digestHex, type ReportItem } from '../report/item.js';
import { matchReport, senderRemoved, skippedRemove, vanished } from '../report/messages.js';
import type { Progress } from '../report/progress.js';
import type { ItemLog } from '../session/item-log.js';
import { Pace } from '../session/pace.js';
import { applyDelStats, countCreated } from '../session/run-stats.js';
import type { Session } from '../session/session.js';
import { createFileSender } from './create.js';
import type { FileSender } from './file-sender.js';
import type { ListSender } from './list-sender.js';
import type { Scanner } from './scan.js';

/** Bytes of a block sum header (9.6). */
const HEAD_BYTES = 16;

/** Answers the requests of a generator: one item after another, in order (section 9). */
export class Sender {
  private readonly item = new ItemHeader();
  private readonly sums = new BlockSums();
  private readonly stat = new FileStat();
  private readonly pace = new Pace();
  private phase = 0;
  private current: Segment | null = null;
  private files!: FileSender;

  constructor(
    private readonly session: Session,
    private readonly lists: ListSender,
    private readonly scanner: Scanner,
    private readonly itemLog: ItemLog,
    private readonly progress: Progress | null,
  ) {
    session.onSuccess = (ndx) => this.removeSource(ndx);
  }

  /** Runs until the receiving side has finished its last phase. Statistics and goodbye are the caller's. */
  async run(): Promise<void> {
    const { session } = this;
    this.files = await createFileSender(session);
    session.inTransfer = true;
    for (;;) {
      if (session.incremental) await this.lists.topUp(this.current, false);
      const ndx = await this.nextIndex();
      if (ndx === NDX_DONE) {
        if (this.answerDone()) break;
      } else if (ndx === NDX_DEL_STATS) {
        await this.passDelStats();
      } else {
        await this.answer(ndx);
      }
      if (session.connection.congested) await session.connection.drain();
      if (this.pace.due()) await this.pace.rest();
    }
    if (this.lists.complete && session.protocol >= 30 && this.scanner.ioError !== 0) this.reportIoError();
    if ((session.options.debug.deltasum ?? 0) >= 1) {
      const { matches, hashHits, falseAlarms, counts } = this.files;
      session.log.info(matchReport(matches, hashHits, falseAlarms, counts.literalBytes));
    }
    session.ndxOut.write(session.connection.writer, NDX_DONE);
    session.connection.flush();
  }

  /** Adds what the sent files consisted of to the statistics. */
  applyCounts(): void {
    const { stats } = this.session;
    stats.literal = this.files.counts.literalBytes;
    stats.matched = this.files.counts.matchedBytes;
  }

  private reportedIoError = 0;

  private reportIoError(): void {
    const { session } = this;
    session.ioError |= this.scanner.ioError;
    if (session.ioError !== this.reportedIoError) session.sendNumber(Msg.IO_ERROR, session.ioError);
  }

  /** The next index of the request stream; while none is there, more lists are sent ahead. */
  private async nextIndex(): Promise<number> {
    const { session } = this;
    const { connection } = session;
    for (;;) {
      connection.reader.begin();
      const ndx = session.ndxIn.read(connection.reader);
      if (connection.reader.done()) return ndx;
      if (session.incremental && !this.lists.complete) {
        const before = connection.reader.total;
        await this.lists.topUp(this.current, true);
        if (connection.reader.total !== before) continue;
      }
      await connection.fill();
    }
  }

  /** One NDX_DONE: the end of a list or of a phase (13.1). True when it ends the loop. */
  private answerDone(): boolean {
    const { session } = this;
    const { list } = session;
    const lastList = list.live >= list.segments.length - 1;
    if (session.incremental && !(lastList && this.lists.complete)) {
      if (lastList) throw new ProtocolError('NDX_DONE', 'no list is open');
      this.endList();
      session.ndxOut.write(session.connection.writer, NDX_DONE);
      return false;
    }
    if (list.live < list.segments.length && session.incremental) this.endList();
    this.phase++;
    if (this.phase > session.maxPhase) return true;
    session.ndxOut.write(session.connection.writer, NDX_DONE);
    return false;
  }

  /** The oldest list is done; its indexes are not valid any more. */
  private endList(): void {
    const { list } = this.session;
    const ended = list.segments[list.live++];
    if (this.progress === null) return;
    // rsync counts from the list that it worked on last, not from the one that ends.
    const segment = this.current ?? ended;
    this.progress.endList(segment.firstNdx + segment.count - 2 - list.segments.indexOf(segment));
  }

  private async passDelStats(): Promise<void> {
    const { session } = this;
    const { connection } = session;
    let counts = readDelStats(connection.reader);
    while (counts === null) {
      await connection.fill();
      counts = readDelStats(connection.reader);
    }
    applyDelStats(session.stats, counts);
    if (session.isServer) writeDelStats(connection.writer, session.ndxOut, counts);
  }

  private rowOf(ndx: number): number {
    const { list } = this.session;
    const segment = list.segmentOf(ndx);
    if (segment === null) throw new ProtocolError('file index', `${ndx} is in no open list`);
    this.current = segment;
    if (ndx === segment.firstNdx - 1) {
      if (segment.parentRow >= 0) return segment.parentRow;
      const first = segment.count > 0 ? FileList.rowAt(segment, 0) : -1;
      if (first < 0 || list.path(first) !== '.') throw new ProtocolError('file index', `${ndx} has no directory`);
      return first;
    }
    return FileList.rowAt(segment, ndx - segment.firstNdx);
  }

  private async answer(ndx: number): Promise<void> {
    const { session, item } = this;
    const { connection, list, protocol } = session;
    while (!readItemHeader(connection.reader, protocol, item)) await connection.fill();
    item.ndx = ndx;
    const row = this.rowOf(ndx);
    countCreated(session.stats, list.mode[row], item.iflags);
    if ((item.iflags & Item.TRANSFER) === 0) {
      this.itemLog.change(this.report(row));
      this.echo();
      return;
    }
    if (this.phase >= 2 || !list.isRegular(row)) {
      throw new ProtocolError('request', `index ${ndx} cannot be transferred`);
    }
    session.stats.transferredFiles++;
    session.stats.transferredSize += list.size[row];
    if (session.options.dryRun) {
      this.itemLog.transfer(this.report(row));
      this.echo();
      return;
    }
    await this.readSums();
    await this.sendFile(row);
  }

  private report(row: number): ReportItem {
    const { session, scanner, item } = this;
    return { list: session.list, row, iflags: item.iflags, xname: item.xname, sourcePath: scanner.writtenDir(row) };
  }

  private echo(): void {
    const { session, item } = this;
    writeItem(
      session.connection.writer,
      session.ndxOut,
      session.protocol,
      item.ndx,
      item.iflags,
      item.basisType,
      item.xname,
    );
  }

  /** Bytes of block sums of the last request. */
  private sumBytes = 0;

  private async readSums(): Promise<void> {
    const { session, sums } = this;
    const { connection } = session;
    const length = DIGEST_LENGTH[session.algorithms.transferSum];
    let head = readSumHead(connection.reader, session.protocol, length);
    while (head === null) {
      await connection.fill();
      head = readSumHead(connection.reader, session.protocol, length);
    }
    if (head.count > 0 && this.appendMode() === 0) await this.files.prepareSearch();
    sums.start(head);
    this.sumBytes = HEAD_BYTES;
    if (this.appendMode() > 0) return;
    this.sumBytes += head.count * (4 + head.sumLength);
    while (!sums.read(connection.reader)) await connection.fill();
  }

  /** Append is off when a file is asked for again (9.9). */
  private appendMode(): number {
    const { session, item } = this;
    const { append } = session.options;
    if (append === 0) return 0;
    const segment = session.list.segmentOf(item.ndx)!;
    const row = FileList.rowAt(segment, item.ndx - segment.firstNdx);
    if (session.list.flags[row] & EntryFlag.FILE_SENT) return 0;
    return session.protocol < 30 ? 2 : append;
  }

  private async sendFile(row: number): Promise<void> {
    const { session, item, files } = this;
    const { connection, list, options: o } = session;
    const fd = this.open(row);
    if (fd < 0) return;
    try {
      const errno = fstatInto(fd, this.stat);
      const size = errno === 0 && this.stat.isRegular ? this.stat.size : 0;
      const append = this.appendMode();
      list.flags[row] |= EntryFlag.FILE_SENT;
      if (this.itemLog.beforeTransfer) {
        this.itemLog.transfer(this.report(row));
      }
      const before = connection.writer.total + connection.writer.unflushed;
      this.echo();
      writeSumHead(connection.writer, this.sums.head);
      files.begin(fd, size, this.sums, { append, updating: this.updating(o.inplace, o.backup) });
      this.progress?.startFile(size, this.place(item.ndx));
      while (!files.step()) {
        this.progress?.update(files.offset);
        if (connection.congested) await connection.drain();
        if (this.pace.dueNow()) await this.pace.rest();
      }
      if (this.progress !== null) {
        this.progress.update(size);
        this.progress.endFile(size);
      }
      if (!this.itemLog.beforeTransfer) {
        const bytesWritten = connection.writer.total + connection.writer.unflushed - before;
        const fileSum = digestHex(files.fileSum, session.algorithms.transferSum);
        this.itemLog.transfer({ ...this.report(row), bytesWritten, checksumBytes: this.sumBytes, fileSum });
      }
      if (files.readError !== null) this.readFailed(row, files.readError);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Place of an index among the entries alone: lists have one number more each, for their directories (8.1). */
  private place(ndx: number): number {
    const { list, incremental } = this.session;
    return incremental && this.progress !== null ? ndx - 1 - list.segments.indexOf(list.segmentOf(ndx)!) : ndx;
  }

  private updating(inplace: boolean, backup: boolean): boolean {
    const { session, item } = this;
    if (inplace && (session.protocol >= 29 ? item.basisType === Basis.FNAME : !backup)) return true;
    return (session.compatFlags & Compat.INPLACE_PARTIAL_DIR) !== 0 && item.basisType === Basis.PARTIAL_DIR;
  }

  private open(row: number): number {
    const { session, scanner } = this;
    const path = scanner.sourcePath(row);
    try {
      return fs.openSync(path, scanner.openFlags(row));
    } catch (error) {
      const name = scanner.fullName(row);
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        scanner.ioError |= IoError.VANISHED;
        session.log.warning(vanished(name));
      } else {
        this.fail(row);
        session.log.xferError(`rsync: [sender] send_files failed to open ${name}: ${errnoText(error)}\n`);
      }
      if (session.protocol >= 30) session.sendNumber(Msg.NO_SEND, this.item.ndx);
      return -1;
    }
  }

  private fail(row: number): void {
    this.scanner.ioError |= IoError.GENERAL;
    this.session.onFailed?.(this.scanner.shownPath(row));
  }

  private readFailed(row: number, error: NodeJS.ErrnoException): void {
    this.fail(row);
    const name = this.scanner.fullName(row);
    this.session.log.xferError(`rsync: [sender] read errors mapping ${name}: ${errnoText(error)}\n`);
  }

  /** --remove-source-files: the receiver has it safely; it goes unless it changed meanwhile (4.3). */
  private removeSource(ndx: number): void {
    const { session, scanner } = this;
    const { list } = session;
    if (!session.options.removeSourceFiles) {
      throw new RsyncError(Exit.STREAMIO, 'rsync: unexpected SUCCESS message');
    }
    const row = this.rowOf(ndx);
    const path = scanner.sourcePath(row);
    const name = list.path(row);
    const errno = lstatInto(path, this.stat);
    if (errno !== 0 || !this.stat.exists) return;
    const { stat } = this;
    if (stat.size !== list.size[row] || stat.mtime !== list.mtime[row]) {
      session.log.xferError(skippedRemove(name));
      return;
    }
    try {
      fs.unlinkSync(path);
      if (session.options.info.remove >= 1) session.log.info(senderRemoved(name));
    } catch (error) {
      session.log.xferError(`rsync: [sender] sender failed to remove ${name}: ${errnoText(error)}\n`);
    }
  }
}
