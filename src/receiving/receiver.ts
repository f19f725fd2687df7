import { Basis, Item, NDX_DONE } from '../../protocol/constants.js';
import { EMPTY_HEAD, readSumHead, type SumHead } from '../../protocol/delta/blocks.js';
import { Answers } from '../../protocol/delta/file-answers.js';
import { ProtocolError } from '../../protocol/errors.js';
import { EntryFlag, rowAt, rowOf, type Segment } from '../../protocol/flist/list.js';
import { DIGEST_LENGTH } from '../../protocol/hash/digest.js';
import { movesData } from '../../protocol/options.js';
import { ItemHeader, readItemHeader } from '../../protocol/request.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { digestHex, type ReportItem } from '../report/item.js';
import type { Progress } from '../report/progress.js';
import { countTransferred } from '../session/engine.js';
import type { ItemLog } from '../session/item-log.js';
import { Rest } from '../session/pace.js';
import { countCreated } from '../session/run-stats.js';
import type { Session } from '../session/session.js';
import { Ends } from './ends.js';
import type { FileReceiver } from './file-receiver.js';
import { HandedCopy } from './handed-copy.js';
import type { Landing, Place } from './landing.js';
import type { ListReceiver } from './list-receiver.js';
import type { Receiving } from './receiving.js';
import { Settlement } from './settlement.js';
import { WholeFiles } from './whole-files.js';

/** What comes next in the data stream. */
const Next = { INDEX: 0, ITEM: 1, XATTRS: 2, SUM_HEAD: 3, OPEN: 4, DATA: 5, DONE: 6 } as const;

/** Takes what the sender answers: further lists, items, file data, and the ends of phases (9.2, 13.1). */
export class Receiver {
  private readonly item = new ItemHeader();
  private readonly stat = new FileStat();
  /** The list of the last item. */
  private current: Segment | null = null;
  private readonly session: Session;
  private next: number = Next.INDEX;
  /** Row of `item`. */
  private row = -1;
  /** The file whose data is coming in, and how much data was decoded before it. */
  private place: Place | null = null;
  private head: SumHead = EMPTY_HEAD;
  private isRedo = false;
  /** Its data is only read. */
  private isDropped = false;
  /** Its data does not come in the stream. */
  private isHanded = false;
  private began = 0;
  /** Takes what most answers are; null where each may have something special about it. */
  private readonly wholeFiles: WholeFiles | null;
  private readonly settlement: Settlement;
  private readonly ends: Ends;
  private readonly handed: HandedCopy | null;
  /** The answer to the end of the last phase has come. */
  private isOver = false;
  /** Before more of the basis is used. */
  private readonly rest = new Rest(() => {
    this.files.beginTurn();
    this.session.connection.poke();
  });
  /** An answer of a batch file has come before it is known whether it is wanted. */
  private isEarly = false;
  /** The end of a phase has come, and waits for files that are set aside. */
  private isDraining = false;

  constructor(
    private readonly receiving: Receiving,
    private readonly lists: ListReceiver,
    private readonly landing: Landing,
    private readonly files: FileReceiver,
    private readonly itemLog: ItemLog,
    private readonly progress: Progress | null,
    /** Told about every file that is in its place or lost; `ok` is false when it failed for good. */
    fileDone: (ndx: number, row: number, ok: boolean) => void,
  ) {
    this.session = receiving.session;
    const { connection } = this.session;
    const isPlain = progress === null && itemLog.isSilent && WholeFiles.applies(this.session, files);
    this.wholeFiles = isPlain ? new WholeFiles(receiving, landing.aside, files) : null;
    this.handed = connection.handOver && new HandedCopy(receiving, connection.handOver, landing.aside, files);
    this.settlement = new Settlement(receiving, this.handed, fileDone);
    landing.aside.listener = this.settlement;
    this.ends = new Ends(receiving, landing, progress, fileDone);
    if (this.replay !== null) this.replay.onLost = (ndx, row) => this.lose(ndx, row);
    this.session.onNoSend = (ndx) => this.notSent(ndx);
    this.session.bytesLeft = () => (this.place === null ? 0 : this.session.list.size(this.row) - this.files.offset);
  }

  /** Runs until the sender has answered the end of the last phase before the deletions. */
  async run(): Promise<void> {
    const { connection } = this.session;
    this.landing.aside.begin();
    try {
      for (;;) {
        await connection.pump(this.advance);
        if (this.isOver) return;
        if (this.isEarly) await this.receiving.replay!.wait();
        else await this.lists.take(this.item.ndx);
      }
    } catch (error) {
      const { place } = this;
      this.place = null;
      if (place !== null) this.landing.abandon(place, this.files.offset);
      // A sender in this process must not wait for copies that are not made any more.
      this.session.connection.handOver?.close();
      throw error;
    } finally {
      this.landing.aside.stop();
    }
  }

  /** Deals with files that the thread is done with. Called at its word, between steps. */
  takeAside(lost: Error | null): void {
    try {
      if (lost !== null) throw lost;
      this.landing.aside.collect();
    } catch (error) {
      this.receiving.fail(error as Error);
      return;
    }
    this.landing.aside.rest();
    const { connection } = this.session;
    if (this.isDraining) connection.poke();
    else connection.flush();
  }

  /**
   * Takes what has arrived, without waiting: false when more is needed, true at the end, or when `item.ndx` is an index
   * that announces something else than an item.
   */
  private readonly advance = (): boolean => {
    this.landing.aside.collect();
    const enough = this.proceed();
    this.landing.aside.rest();
    return enough;
  };

  private proceed(): boolean {
    const { session, item } = this;
    const { reader } = session.connection;
    for (;;) {
      switch (this.next) {
        case Next.INDEX: {
          const state = this.wholeFiles?.take(reader) ?? Answers.OTHER;
          if (state === Answers.SHORT) return false;
          reader.begin();
          const ndx = session.ndxIn.read(reader);
          if (!reader.done()) return false;
          item.ndx = ndx;
          if (ndx < 0 && ndx !== NDX_DONE) return true;
          this.next = ndx === NDX_DONE ? Next.DONE : Next.ITEM;
          break;
        }
        case Next.DONE:
          // A phase ends when its files are in their places.
          this.isDraining = this.ends.isPhase && this.landing.aside.count > 0;
          if (this.isDraining) return false;
          this.isEarly = !this.ends.mayCome();
          if (this.isEarly) return true;
          this.next = Next.INDEX;
          this.isOver = this.ends.take(this.current);
          if (this.isOver) return true;
          break;
        case Next.ITEM:
          if (!readItemHeader(reader, session.protocol, item)) return false;
          if (this.hasXattrs) this.next = Next.XATTRS;
          else this.next = this.takeItem() ? Next.SUM_HEAD : Next.INDEX;
          break;
        case Next.XATTRS:
          if (!this.receiving.parts.xattrs!.readAnswer(reader, this.rowOf(item.ndx))) return false;
          this.next = this.takeItem() ? Next.SUM_HEAD : Next.INDEX;
          break;
        case Next.SUM_HEAD: {
          const head = readSumHead(reader, session.protocol, DIGEST_LENGTH[session.algorithms.transferSum]);
          if (head === null) return false;
          this.head = head;
          this.next = Next.OPEN;
          break;
        }
        case Next.OPEN: {
          this.isRedo = (session.list.flags(this.row) & EntryFlag.FILE_SENT) !== 0;
          const isWanted = this.replay === null || this.replay.wants(item.ndx, this.row, this.isRedo);
          this.isEarly = isWanted === null;
          if (isWanted === null) return true;
          this.next = this.openFile(this.head, isWanted) ? Next.DATA : Next.INDEX;
          break;
        }
        default:
          if (!this.takeData()) return false;
          this.next = Next.INDEX;
      }
    }
  }

  private rowOf(ndx: number): number {
    const { list } = this.session;
    const segment = list.segments.of(ndx);
    if (segment === null) throw new ProtocolError('file index', `${ndx} is in no open list`);
    this.current = segment;
    if (ndx >= segment.firstNdx) return rowOf(segment, ndx);
    if (segment.parentRow >= 0) return segment.parentRow;
    const first = segment.count > 0 ? rowAt(segment, 0) : -1;
    if (first < 0 || list.path(first) !== '.') throw new ProtocolError('file index', `${ndx} has no directory`);
    return first;
  }

  /** True when values of extended attributes follow the header in `item`. */
  private get hasXattrs(): boolean {
    return this.receiving.parts.xattrs?.isAnswered(this.item.iflags) === true;
  }

  /** The answer to an item without data has come: what is there gets its extended attributes. */
  private setXattrs(row: number, iflags: number): void {
    const { xattrs } = this.receiving.parts;
    if (xattrs === null || !xattrs.isSetBy(iflags)) return;
    const path = this.receiving.destPath(row);
    if (lstatInto(path, this.stat) === 0) xattrs.setXattrs(path, row, this.stat);
    if (!xattrs.hasCome(row)) return;
    const { ndx } = this.item;
    this.receiving.tellSuccess(ndx, row);
    this.receiving.listOf(ndx).inProgress--;
    this.receiving.lists.changed.raise();
  }

  /** Deals with an item; true when its data follows. */
  private takeItem(): boolean {
    const { session, item } = this;
    const { list, connection } = session;
    const { ndx } = item;
    const row = this.rowOf(ndx);
    this.row = row;
    if (list.isInactive(row)) throw new ProtocolError('file index', `${ndx} is not in use`);
    if ((list.flags(row) & EntryFlag.FILE_SENT) === 0) countCreated(session.stats, list.mode(row), item.iflags);
    if ((item.iflags & Item.TRANSFER) === 0) {
      this.itemLog.change(this.report());
      this.setXattrs(row, item.iflags);
      return false;
    }
    if (!list.isRegular(row) || receivingIsOver(this.receiving)) {
      throw new ProtocolError('transfer', `index ${ndx} is no regular file`);
    }
    if (this.replay === null) this.answered(ndx, row);
    if (session.protocol < 29) item.basisType = this.receiving.untoldBasis.get(ndx) ?? Basis.FNAME;
    session.stats.transferredFiles++;
    countTransferred();
    session.stats.transferredSize += list.size(row);
    this.began = connection.reader.decoded;
    // A server is sent nothing with --only-write-batch; what a batch file has is there in any case.
    if (this.replay !== null || (movesData(session.options) && !(session.isServer && session.options.dryRun)))
      return true;
    this.itemLog.transfer(this.report());
    return false;
  }

  private get replay() {
    return this.receiving.replay;
  }

  /** A file that was asked for will not come. */
  private lose(ndx: number, row: number): void {
    if (!this.session.options.dryRun) this.settlement.settle(ndx, row, 'failed');
  }

  private report(): ReportItem {
    const { item } = this;
    return { list: this.session.list, row: this.row, iflags: item.iflags, xname: item.xname };
  }

  /** Begins a file; false when there is no data to wait for. */
  private openFile(head: SumHead, isWanted: boolean): boolean {
    const { session, item, row } = this;
    const { list, options: o } = session;
    const isTold = isWanted && (this.itemLog.beforeTransfer || o.dryRun) && !this.itemLog.isSilent;
    this.isDropped = !isWanted || o.dryRun;
    if (this.replay !== null) list.addFlags(row, EntryFlag.FILE_SENT);
    if (this.isDropped) {
      if (isTold) this.itemLog.transfer(this.report());
      this.files.begin({ output: null, basis: -1, head, updating: false, append: 0, lostBasis: null }, 0);
      return true;
    }
    this.isHanded = this.handed?.take(item.ndx) === true;
    if (this.isHanded && this.maySetAside && this.handed?.setAside(item.ndx, row)) {
      if (isTold) this.itemLog.transfer(this.report());
      return false;
    }
    this.place = this.landing.open(row, item, head, this.isRedo);
    // A file that could not be made is told of by its error alone.
    if (isTold && this.place.output !== null) this.itemLog.transfer(this.report());
    this.files.begin(this.place, list.size(row));
    this.startProgress(item.ndx, list.size(row));
    return true;
  }

  private get maySetAside(): boolean {
    return !this.isRedo && this.progress === null && (this.itemLog.beforeTransfer || this.itemLog.isSilent);
  }

  /** Takes data of the open file; true when all of it was there and the file has come to its end. */
  private takeData(): boolean {
    const { session, files, landing, row, itemLog } = this;
    const { connection, list } = session;
    if (!(this.isHanded ? this.handed!.piece() : files.step(connection.reader))) {
      if (!this.isDropped) this.progress?.update(files.offset);
      if (files.isTurnOver) this.rest.begin();
      return false;
    }
    if (this.isDropped) return true;
    this.progress?.endFile(list.size(row));
    const place = this.place as Place;
    this.place = null;
    if (!itemLog.beforeTransfer && !itemLog.isSilent && place.output !== null) {
      const bytesWritten = connection.reader.decoded - this.began;
      const fileSum = digestHex(files.sum, session.algorithms.transferSum);
      itemLog.transfer({ ...this.report(), bytesWritten, fileSum });
    }
    if (files.writeError !== null) landing.writeFailed(place, files.writeError);
    const { ndx } = this.item;
    const outcome = landing.close(ndx, place, files.sumMatches, this.isRedo);
    if (outcome !== 'later') this.settlement.settle(ndx, row, outcome);
    return true;
  }

  /** Lists have one number more each than entries, for their directories (8.1). */
  private startProgress(ndx: number, size: number): void {
    const { progress } = this;
    if (progress === null) return;
    const lists = this.session.incremental ? 1 + this.receiving.listOf(ndx).number : 0;
    progress.startFile(size, ndx - lists);
    progress.update(0);
  }

  /** The sender could not open a file that was asked for (4.3). */
  private notSent(ndx: number): void {
    const row = this.rowOf(ndx);
    this.answered(ndx, row);
    this.settlement.settle(ndx, row, 'failed');
  }

  /** Each request has one answer, and there is none without a request. */
  private answered(ndx: number, row: number): void {
    const { list } = this.session;
    if ((list.flags(row) & EntryFlag.REQUESTED) === 0)
      throw new ProtocolError('transfer', `index ${ndx} was not asked for`);
    list.clearFlags(row, EntryFlag.REQUESTED);
  }

  /** Adds what the files of this run consisted of to the statistics. */
  applyCounts(): void {
    this.session.stats.literal = this.files.literalBytes;
    this.session.stats.matched = this.files.matchedBytes;
  }
}

function receivingIsOver(receiving: Receiving): boolean {
  return receiving.phasesDone >= 2;
}
