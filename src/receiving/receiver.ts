import { Basis, Item, NDX_DONE } from '../../protocol/constants.js';
import { EMPTY_HEAD, readSumHead, type SumHead } from '../../protocol/delta/blocks.js';
import { Answers } from '../../protocol/delta/file-answers.js';
import { ProtocolError } from '../../protocol/errors.js';
import { EntryFlag, rowAt, rowOf, type Segment } from '../../protocol/flist/list.js';
import { DIGEST_LENGTH } from '../../protocol/hash/digest.js';
import { movesData } from '../../protocol/options.js';
import { ItemHeader, readItemHeader } from '../../protocol/request.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { countTransferred } from '../session/engine.js';
import { itemOf } from '../session/item-log.js';
import { countCreated } from '../session/run-stats.js';
import type { Session } from '../session/session.js';
import { Ends } from './ends.js';
import { type FileReport, IncomingFile } from './incoming-file.js';
import type { FileReceiver } from './landing/file-receiver.js';
import type { Landing } from './landing/landing.js';
import { WholeFiles } from './new-files/whole-files.js';
import type { Receiving } from './receiving.js';
import type { Settlement } from './settlement.js';

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
  /** The head of the sums that its answer begins with. */
  private head: SumHead = EMPTY_HEAD;
  /** Takes what most answers are; null where each may have something special about it. */
  private readonly wholeFiles: WholeFiles | null;
  private readonly settlement: Settlement;
  private readonly ends: Ends;
  /** Takes the data of one file after the other. */
  private readonly file: IncomingFile;
  /** The answer to the end of the last phase has come. */
  private isOver = false;
  /** An answer of a batch file has come before it is known whether it is wanted. */
  private isEarly = false;
  /** The end of a phase has come, and waits for files that are set aside. */
  private isDraining = false;

  constructor(
    private readonly receiving: Receiving,
    private readonly landing: Landing,
    private readonly files: FileReceiver,
    private readonly report: FileReport,
  ) {
    const { session } = receiving;
    const isPlain = report.progress === null && report.itemLog.isSilent && WholeFiles.applies(session, files);
    this.session = session;
    this.wholeFiles = isPlain ? new WholeFiles(receiving, landing.aside, files) : null;
    this.file = new IncomingFile(receiving, landing, files, report);
    this.settlement = this.file.settlement;
    landing.aside.listener = this.settlement;
    this.ends = new Ends(receiving, landing, report.progress);
    if (this.replay !== null) this.replay.onLost = (ndx, row) => this.lose(ndx, row);
    session.onNoSend = (ndx) => this.notSent(ndx);
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
        else await this.receiving.lists.take(this.item.ndx);
      }
    } catch (error) {
      this.file.abandon();
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
          const isWanted = this.replay === null || this.replay.wants(item.ndx, this.row, this.isRedo);
          this.isEarly = isWanted === null;
          if (isWanted === null) return true;
          this.next = this.file.open(item, this.head, isWanted) ? Next.DATA : Next.INDEX;
          break;
        }
        default:
          if (!this.file.takeData(item)) return false;
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
    const { list } = session;
    const { ndx } = item;
    const row = this.rowOf(ndx);
    this.row = row;
    if (list.isInactive(row)) throw new ProtocolError('file index', `${ndx} is not in use`);
    if ((list.flags(row) & EntryFlag.FILE_SENT) === 0) countCreated(session.stats, list.mode(row), item.iflags);
    if ((item.iflags & Item.TRANSFER) === 0) {
      this.report.itemLog.change(itemOf(list, row, item));
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
    this.file.announce(row);
    // A server is sent nothing with --only-write-batch; what a batch file has is there in any case.
    if (this.replay !== null || (movesData(session.options) && !(session.isServer && session.options.dryRun)))
      return true;
    this.report.itemLog.transfer(itemOf(list, row, item));
    return false;
  }

  private get replay() {
    return this.receiving.replay;
  }

  /** The file of `row` has come once already. */
  private get isRedo(): boolean {
    return (this.session.list.flags(this.row) & EntryFlag.FILE_SENT) !== 0;
  }

  /** A file that was asked for will not come. */
  private lose(ndx: number, row: number): void {
    if (!this.session.options.dryRun) this.settlement.settle(ndx, row, 'failed');
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
