import { Msg, NDX_DEL_STATS, NDX_DONE } from '../../protocol/constants.js';
import { ProtocolError } from '../../protocol/errors.js';
import { rowAt, rowOf, type Segment } from '../../protocol/flist/list.js';
import { readItemHeader } from '../../protocol/request.js';
import { readDelStats, writeDelStats } from '../../protocol/stats.js';
import type { Xattrs } from '../files/xattrs.js';
import { matchReport } from '../report/messages.js';
import type { Progress } from '../report/progress.js';
import type { ItemLog } from '../session/item-log.js';
import { Pace } from '../session/pace.js';
import { applyDelStats } from '../session/run-stats.js';
import type { Session } from '../session/session.js';
import { Answer, Wait } from './answer.js';
import { AnswerRuns } from './answer-runs.js';
import { createFileSender, mayTakeLong } from './create.js';
import type { FileSender } from './file-sender.js';
import type { ListSender } from './list-sender.js';
import type { Scanner } from './scan/scan.js';
import { SourceRemover } from './sources/source-remover.js';
import { XattrAnswers } from './xattr-answers.js';

/** What comes next: what stands in the request stream, or data to be sent. */
const Next = { INDEX: 0, DEL_STATS: 1, ITEM: 2, XATTRS: 3, SUMS: 4, DATA: 5 } as const;

/** Answers the requests of a generator: one item after another, in order (section 9). */
export class Sender {
  private readonly pace = new Pace();
  private phase = 0;
  private current: Segment | null = null;
  private files!: FileSender;
  private answer!: Answer;
  private runs: AnswerRuns | null = null;
  /** The last step was a run of answers, and not one of many short ones. */
  private hasRun = false;
  private isPrepared = false;
  private next: number = Next.INDEX;
  /** Index of the last request. */
  private ndx = 0;

  constructor(
    private readonly session: Session,
    private readonly lists: ListSender,
    private readonly scanner: Scanner,
    private readonly itemLog: ItemLog,
    private readonly progress: Progress | null,
    /** Null without -X. */
    private readonly xattrs: Xattrs | null,
  ) {
    const sources = new SourceRemover(session, scanner, (ndx) => this.rowOf(ndx));
    session.onSuccess = (ndx) => sources.remove(ndx);
  }

  /** Makes what it takes to send files; the seed must be known. */
  async prepare(): Promise<void> {
    if (this.isPrepared) return;
    this.isPrepared = true;
    this.files = await createFileSender(this.session, this.itemLog.needsResult);
    const { session, scanner, itemLog, progress, files } = this;
    const xattrs = this.xattrs && new XattrAnswers(session, scanner, this.xattrs);
    this.answer = new Answer(session, scanner, itemLog, progress, files, xattrs);
    this.runs = AnswerRuns.create(session, itemLog, scanner, progress, files, this.answer.sources);
  }

  /** The same, with what finds blocks of a basis, which most runs of many files never need. */
  async prepareSearch(): Promise<void> {
    await this.prepare();
    await this.files.prepareSearch();
  }

  /** Runs until the receiving side has finished its last phase. Statistics and goodbye are the caller's. */
  async run(): Promise<void> {
    const { session } = this;
    await this.prepare();
    this.pace.isLong = mayTakeLong(session) && !this.files.canSearch;
    this.pace.begin();
    session.inTransfer = true;
    try {
      for (let wait = this.advance(); wait !== Wait.END; wait = this.advance()) await this.waitFor(wait);
      await session.connection.detour?.settle();
    } finally {
      this.answer.end();
      session.connection.detour?.drop();
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

  private reportIoError(): void {
    const { session } = this;
    session.ioError |= this.scanner.ioError;
    session.sendNumber(Msg.IO_ERROR, session.ioError);
  }

  private async waitFor(wait: number): Promise<void> {
    const { session, lists } = this;
    const { connection } = session;
    switch (wait) {
      case Wait.INPUT:
        await this.moreInput();
        break;
      case Wait.OUTPUT:
        await connection.drain();
        break;
      case Wait.LISTS:
        await lists.topUp(this.current, false);
        break;
      case Wait.COPY:
        connection.flush();
        await connection.handOver?.wait();
        break;
      case Wait.SEARCH:
        await this.files.prepareSearch();
        this.pace.isLong = false;
        break;
      default:
        // The numbers of matched blocks are few bytes for much data: the receiver goes to work on what is known so far.
        connection.flush();
        await this.pace.rest();
    }
  }

  /** While no request is there, more lists are sent ahead. */
  private async moreInput(): Promise<void> {
    const { session, lists } = this;
    const { connection } = session;
    if (this.next === Next.INDEX && session.incremental && !lists.complete) {
      const before = connection.reader.total;
      await lists.topUp(this.current, true);
      if (connection.reader.total !== before) return;
    }
    await connection.fill();
    // The event loop had its turn: what the peer took to ask is no work of this side. In one process it may have had none.
    if (!connection.isMemory) this.pace.begin();
  }

  /** Goes on as far as that is possible without waiting, and says what must be waited for. */
  private advance(): number {
    const { connection } = this.session;
    for (;;) {
      if (connection.congested) return Wait.OUTPUT;
      if (this.next === Next.DATA || this.hasRun ? this.pace.dueNow() : this.pace.due()) return Wait.REST;
      const wait = this.proceed();
      if (wait !== Wait.NOTHING) return wait;
    }
  }

  /** Takes one step. */
  private proceed(): number {
    const { session, answer } = this;
    const { reader } = session.connection;
    switch (this.next) {
      case Next.INDEX:
        return this.takeIndex();
      case Next.DEL_STATS: {
        const counts = readDelStats(reader);
        if (counts === null) return Wait.INPUT;
        this.passDelStats(counts);
        break;
      }
      case Next.ITEM:
        if (!readItemHeader(reader, session.protocol, answer.item)) return Wait.INPUT;
        if (answer.hasXattrRequest) this.next = Next.XATTRS;
        else if (this.takeItem()) this.next = Next.SUMS;
        else break;
        return Wait.NOTHING;
      case Next.XATTRS:
        if (!answer.takeXattrs(this.rowOf(this.ndx))) return Wait.INPUT;
        if (!this.takeItem()) break;
        this.next = Next.SUMS;
        return Wait.NOTHING;
      case Next.SUMS: {
        const wait = answer.takeSums();
        if (wait !== Wait.NOTHING) return wait;
        if (!answer.begin()) break;
        this.next = Next.DATA;
        return Wait.NOTHING;
      }
      default: {
        const wait = answer.send();
        if (!answer.isSent) return wait;
      }
    }
    this.next = Next.INDEX;
    return Wait.NOTHING;
  }

  /** True when the item that was read asks for data. */
  private takeItem(): boolean {
    return this.answer.takeItem(this.ndx, this.rowOf(this.ndx), this.phase < 2);
  }

  private takeIndex(): number {
    const { session } = this;
    const { reader } = session.connection;
    if (session.incremental && this.lists.isShort(this.current)) return Wait.LISTS;
    if (this.takeRun()) return Wait.NOTHING;
    reader.begin();
    const ndx = session.ndxIn.read(reader);
    if (!reader.done()) return Wait.INPUT;
    this.ndx = ndx;
    if (ndx === NDX_DONE) return this.answerDone() ? Wait.END : Wait.NOTHING;
    this.next = ndx === NDX_DEL_STATS ? Next.DEL_STATS : Next.ITEM;
    return Wait.NOTHING;
  }

  /** Answers the next requests together; false when the next one is to be answered by itself. */
  private takeRun(): boolean {
    const segment = this.runs === null || this.phase >= 2 ? null : this.runs.next();
    this.hasRun = segment !== null;
    if (segment === null) return false;
    this.current = segment;
    return true;
  }

  /** One NDX_DONE: the end of a list or of a phase (13.1). True when it ends the loop. */
  private answerDone(): boolean {
    const { session } = this;
    const { list } = session;
    const lastList = list.segments.ended >= list.segments.length - 1;
    if (session.incremental && !(lastList && this.lists.complete)) {
      if (lastList) throw new ProtocolError('NDX_DONE', 'no list is open');
      this.endList();
      session.ndxOut.write(session.connection.writer, NDX_DONE);
      return false;
    }
    if (!session.incremental) this.progress?.endList(list.count - 1);
    else if (list.segments.oldest !== null) this.endList();
    this.phase++;
    if (this.phase > session.maxPhase) return true;
    session.ndxOut.write(session.connection.writer, NDX_DONE);
    return false;
  }

  /** The oldest list is done; its indexes are not valid any more. */
  private endList(): void {
    const { list } = this.session;
    const ended = list.endSegment();
    if (this.progress === null) return;
    // rsync counts from the list that it worked on last, not from the one that ends.
    const segment = this.current ?? ended;
    this.progress.endList(segment.firstNdx + segment.count - 2 - segment.number);
  }

  private passDelStats(counts: readonly number[]): void {
    const { session } = this;
    applyDelStats(session.stats, counts);
    if (session.isServer) writeDelStats(session.connection.writer, session.ndxOut, counts);
  }

  private rowOf(ndx: number): number {
    const { list } = this.session;
    const segment = list.segments.of(ndx);
    if (segment === null) throw new ProtocolError('file index', `${ndx} is in no open list`);
    this.current = segment;
    if (ndx === segment.firstNdx - 1) {
      if (segment.parentRow >= 0) return segment.parentRow;
      const first = segment.count > 0 ? rowAt(segment, 0) : -1;
      if (first < 0 || list.path(first) !== '.') throw new ProtocolError('file index', `${ndx} has no directory`);
      return first;
    }
    return rowOf(segment, ndx);
  }
}
