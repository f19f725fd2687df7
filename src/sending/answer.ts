import { Basis, Compat, IoError, Item, Msg } from '../../protocol/constants.js';
import { BlockSums, readSumHead, type SumHead, writeSumHead } from '../../protocol/delta/blocks.js';
import { ProtocolError } from '../../protocol/errors.js';
import { EntryFlag } from '../../protocol/flist/list.js';
import { DIGEST_LENGTH } from '../../protocol/hash/digest.js';
import { movesData } from '../../protocol/options.js';
import { ItemHeader, writeItem } from '../../protocol/request.js';
import { deviceLength } from '../files/device.js';
import { FileStat, fstatInto } from '../files/stat.js';
import { Errno } from '../libc/errno.js';
import { closeFile } from '../libc/files.js';
import { errnoText } from '../report/errno.js';
import { digestHex, type ReportItem } from '../report/item.js';
import { vanished } from '../report/messages.js';
import type { Progress } from '../report/progress.js';
import { countTransferred } from '../session/engine.js';
import { handsOver, streamLength } from '../session/hand-over.js';
import type { ItemLog } from '../session/item-log.js';
import { countCreated } from '../session/run-stats.js';
import type { Session } from '../session/session.js';
import type { FileSender } from './file-sender.js';
import type { Scanner } from './scan/scan.js';
import { SourceFiles } from './sources/source-files.js';
import type { XattrAnswers } from './xattr-answers.js';

/** Bytes of a block sum header (9.6). */
const HEAD_BYTES = 16;

/** What the sender waits for when it cannot go on. */
export const Wait = { NOTHING: 0, INPUT: 1, OUTPUT: 2, LISTS: 3, SEARCH: 4, REST: 5, END: 6, COPY: 7 } as const;

/** The answer to one request after the other: item, block sums, data (9.1 to 9.4). Nothing in it waits. */
export class Answer {
  readonly item = new ItemHeader();
  private readonly sums = new BlockSums();
  private readonly stat = new FileStat();
  readonly sources: SourceFiles;
  /** Row of `item`, and the head of its sums while these are being read. */
  private row = -1;
  private head: SumHead | null = null;
  /** Bytes of the block sums of the request. */
  private sumBytes = 0;
  /** The file that is being sent, its size, and the place in the output where its answer began. */
  private fd = -1;
  private size = 0;
  private began = 0;
  /** Whole files go past the stream; the present one does. */
  private readonly handsOver: boolean;
  private isHanded = false;

  constructor(
    private readonly session: Session,
    private readonly scanner: Scanner,
    private readonly itemLog: ItemLog,
    private readonly progress: Progress | null,
    private readonly files: FileSender,
    /** Null without -X. */
    private readonly xattrs: XattrAnswers | null,
  ) {
    this.sources = new SourceFiles(session.list, scanner);
    this.handsOver = handsOver(session, itemLog);
    session.bytesLeft = () => this.bytesLeft;
    if (!this.handsOver) return;
    session.connection.handOver!.source = {
      copied: (offset) => {
        session.connection.carried(0, 0);
        this.progress?.update(offset);
      },
      resized: (given, size) => {
        files.counts.literalBytes += size - given;
        session.connection.carried(streamLength(session, size) - streamLength(session, given), 0);
      },
      done: (row, error) => {
        if (error !== null) this.readFailed(row, error);
      },
    };
  }

  private get bytesLeft(): number {
    const handed = this.session.connection.handOver?.bytesLeft ?? 0;
    return this.fd >= 0 ? handed + this.size - this.files.offset : handed;
  }

  /** True when values of extended attributes are asked for behind the header in `item`; they are read by `takeXattrs`. */
  get hasXattrRequest(): boolean {
    return this.xattrs?.isAsked(this.item.iflags) === true;
  }

  /** Reads which values are asked for; false when bytes are missing. */
  takeXattrs(row: number): boolean {
    return this.xattrs!.read(this.session.connection.reader, row);
  }

  /** Deals with the request in `item`; true when data is asked for. `mayTransfer` false: the phases with data are over. */
  takeItem(ndx: number, row: number, mayTransfer: boolean): boolean {
    const { session, item, itemLog } = this;
    const { list } = session;
    item.ndx = ndx;
    this.row = row;
    if ((list.flags(row) & EntryFlag.FILE_SENT) === 0) countCreated(session.stats, list.mode(row), item.iflags);
    const isTransfer = (item.iflags & Item.TRANSFER) !== 0;
    if (isTransfer && !(mayTransfer && list.isRegular(row))) {
      throw new ProtocolError('request', `index ${ndx} cannot be transferred`);
    }
    if (isTransfer) {
      session.stats.transferredFiles++;
      countTransferred();
      session.stats.transferredSize += list.size(row);
      if (movesData(session.options)) return true;
    }
    if (!itemLog.isSilent) {
      if (isTransfer) itemLog.transfer(this.report(row));
      else itemLog.change(this.report(row));
    }
    this.echo();
    return false;
  }

  private report(row: number): ReportItem {
    const { session, scanner, item } = this;
    return { list: session.list, row, iflags: item.iflags, xname: item.xname, sourcePath: scanner.writtenDir(row) };
  }

  private echo(): void {
    const { session, item } = this;
    const { writer } = session.connection;
    writeItem(writer, session.ndxOut, session.protocol, item.ndx, item.iflags, item.basisType, item.xname);
    if (this.hasXattrRequest) this.xattrs!.write(writer, this.row);
  }

  /** Reads the block sums of the request; what must be waited for, NOTHING when all have come. */
  takeSums(): number {
    const { session, sums, files } = this;
    const { reader } = session.connection;
    const hasSums = this.appendMode() === 0;
    if (this.head === null) {
      const head = readSumHead(reader, session.protocol, DIGEST_LENGTH[session.algorithms.transferSum]);
      if (head === null) return Wait.INPUT;
      this.head = head;
      sums.start(head);
      this.sumBytes = HEAD_BYTES + (hasSums ? head.count * (4 + head.sumLength) : 0);
    }
    if (hasSums) {
      if (this.head.count > 0 && !files.canSearch) return Wait.SEARCH;
      if (!sums.read(reader)) return Wait.INPUT;
    }
    this.head = null;
    return Wait.NOTHING;
  }

  /** Append is off when a file is asked for again (9.9). */
  private appendMode(): number {
    const { session } = this;
    const { append } = session.options;
    if (append === 0 || session.list.flags(this.row) & EntryFlag.FILE_SENT) return 0;
    return session.protocol < 30 ? 2 : append;
  }

  /** Begins the answer: the item again and the head of the sums. False when the file cannot be opened. */
  begin(): boolean {
    const { session, item, files, row } = this;
    const { connection, list, options: o } = session;
    const fd = this.open(row);
    if (fd < 0) return false;
    this.fd = fd;
    const fault = this.faultOf(fd);
    if (fault !== null) this.cannotSend(row, fault);
    if (fault !== null || (session.keepsLinksApart && this.wasReplaced(row))) {
      this.close();
      this.refuse();
      return false;
    }
    this.size = this.stat.size;
    const append = this.appendMode();
    list.addFlags(row, EntryFlag.FILE_SENT);
    if (this.itemLog.beforeTransfer && !this.itemLog.isSilent) this.itemLog.transfer(this.report(row));
    this.began = connection.writer.data;
    this.echo();
    if (session.recorder?.isOnly) connection.writer.divert();
    writeSumHead(connection.writer, this.sums.head);
    this.progress?.startFile(this.size, this.place(item.ndx));
    this.isHanded = this.handsOver && this.sums.head.count === 0 && this.stat.isRegular;
    if (this.isHanded) {
      this.give();
      return true;
    }
    files.begin(fd, this.size, this.sums, { append, updating: this.updating(o.inplace, o.backup) });
    return true;
  }

  private give(): void {
    const { session, files, item, row, fd, size } = this;
    const { connection } = session;
    this.fd = -1;
    files.counts.literalBytes += size;
    connection.handOver!.give(item.ndx, row, fd, size);
    connection.carried(streamLength(session, size), 0);
  }

  /** Goes on with the file; what must be waited for. `isSent` tells whether that was its last piece. */
  send(): number {
    return this.isHanded ? this.passOn() : this.sendPiece();
  }

  isSent = false;

  /** A file that was handed over is waited for only where its progress is shown, or when too many are on their way. */
  private passOn(): number {
    const { progress } = this;
    const { handOver } = this.session.connection;
    this.isSent = progress === null ? !handOver!.isFull : !handOver!.isBusy;
    if (!this.isSent) return Wait.COPY;
    progress?.update(this.size);
    progress?.endFile(this.size);
    return Wait.NOTHING;
  }

  private sendPiece(): number {
    const { files, progress } = this;
    this.isSent = files.step();
    if (!this.isSent) {
      progress?.update(files.offset);
      return Wait.NOTHING;
    }
    progress?.update(this.size);
    progress?.endFile(this.size);
    if (this.session.recorder?.isOnly) this.session.connection.writer.endDiversion();
    this.logSent();
    if (files.readError !== null) this.readFailed(this.row, files.readError);
    this.close();
    return Wait.NOTHING;
  }

  private logSent(): void {
    const { session, files, row, itemLog } = this;
    if (itemLog.beforeTransfer || itemLog.isSilent) return;
    const { writer } = session.connection;
    const bytesWritten = writer.data - this.began;
    const fileSum = digestHex(files.fileSum, session.algorithms.transferSum);
    itemLog.transfer({ ...this.report(row), bytesWritten, checksumBytes: this.sumBytes, fileSum });
  }

  /** No more requests come, or they cannot be answered. */
  end(): void {
    this.files.end();
    this.close();
    this.sources.close();
  }

  private close(): void {
    const { fd } = this;
    this.fd = -1;
    if (fd >= 0) closeFile(fd);
  }

  /** Place of an index among the entries alone: lists have one number more each, for their directories (8.1). */
  private place(ndx: number): number {
    const { list, incremental } = this.session;
    const segment = incremental ? list.segments.of(ndx) : null;
    return segment === null ? ndx : ndx - 1 - segment.number;
  }

  private updating(inplace: boolean, backup: boolean): boolean {
    const { session, item } = this;
    if (inplace && (session.protocol >= 29 ? item.basisType === Basis.FNAME : !backup)) return true;
    return (session.compatFlags & Compat.INPLACE_PARTIAL_DIR) !== 0 && item.basisType === Basis.PARTIAL_DIR;
  }

  private open(row: number): number {
    const { session, scanner } = this;
    try {
      return this.sources.open(row);
    } catch (error) {
      const name = scanner.fullName(row);
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        scanner.ioError |= IoError.VANISHED;
        session.log.warning(vanished(name));
      } else {
        this.cannotSend(row, errnoText(error));
      }
      this.refuse();
      return -1;
    }
  }

  /** Why what was opened is no file that can be sent: something else may have come into its place. null: it is one. */
  private faultOf(fd: number): string | null {
    const errno = fstatInto(fd, this.stat);
    if (errno !== 0) return errnoText(errno);
    if (this.stat.isRegular) return null;
    if (this.stat.isDevice && this.session.options.copyDevices) {
      this.stat.size = deviceLength(fd);
      return null;
    }
    return this.stat.isDir ? errnoText(Errno.EISDIR) : 'it is no regular file any more';
  }

  private cannotSend(row: number, why: string): void {
    const { session, scanner } = this;
    this.fail(row);
    session.log.xferError(`rsync: [sender] send_files failed to open ${scanner.fullName(row)}: ${why}\n`);
  }

  /** There will be no answer to the request. */
  private refuse(): void {
    if (this.session.protocol >= 30) this.session.sendNumber(Msg.NO_SEND, this.item.ndx);
  }

  /** One of several names of a file leads to another one, which the opened file is, than when it was listed. */
  private wasReplaced(row: number): boolean {
    const { stat, scanner } = this;
    const { list } = this.session;
    if ((list.flags(row) & EntryFlag.HLINKED) === 0) return false;
    const isAsListed = stat.mtime === list.mtime(row) && stat.nsec === list.nsec(row) && stat.size === list.size(row);
    return !isAsListed && !scanner.isNameOf(row, stat);
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
}
