import { Item, NDX_DONE } from '../../protocol/constants.js';
import { readSumHead, type SumHead } from '../../protocol/delta/blocks.js';
import { ProtocolError } from '../../protocol/errors.js';
import { EntryFlag, FileList, type Segment } from '../../protocol/flist/list.js';
import { DIGEST_LENGTH } from '../../protocol/hash/digest.js';
import { ItemHeader, readItemHeader } from '../../protocol/request.js';
import { digestHex } from '../report/item.js';
import type { Progress } from '../report/progress.js';
import type { ItemLog } from '../session/item-log.js';
import { countCreated } from '../session/run-stats.js';
import type { Session } from '../session/session.js';
import { createFileReceiver } from './create.js';
import type { FileReceiver } from './file-receiver.js';
import type { Landing } from './landing.js';
import type { ListReceiver } from './list-receiver.js';
import type { Receiving } from './receiving.js';

/** Takes what the sender answers: further lists, items, file data, and the ends of phases (9.2, 13.1). */
export class Receiver {
  private readonly item = new ItemHeader();
  private files!: FileReceiver;
  /** The list of the last item. */
  private current: Segment | null = null;
  private readonly session: Session;

  constructor(
    private readonly receiving: Receiving,
    private readonly lists: ListReceiver,
    private readonly landing: Landing,
    private readonly itemLog: ItemLog,
    private readonly progress: Progress | null,
    /** Told about every file that is finished; `ok` is false when it failed for good. */
    private readonly fileDone: (ndx: number, row: number, ok: boolean) => void,
  ) {
    this.session = receiving.session;
    this.session.onNoSend = (ndx) => this.notSent(ndx);
  }

  async prepare(): Promise<void> {
    this.files = await createFileReceiver(this.session);
  }

  /** Runs until the sender has answered the end of the last phase before the deletions. */
  async run(): Promise<void> {
    for (;;) {
      const ndx = await this.lists.nextIndex();
      if (ndx === NDX_DONE) {
        if (this.endOfListOrPhase()) return;
      } else if (ndx >= 0) {
        await this.takeItem(ndx);
      }
    }
  }

  private endOfListOrPhase(): boolean {
    const { session, receiving } = this;
    const { list } = session;
    if (--receiving.donesOpen < 0) throw new ProtocolError('NDX_DONE', 'nothing has ended yet');
    if (session.incremental && list.live < list.segments.length) {
      const segment = this.current ?? list.segments[list.live];
      list.live++;
      // rsync counts from the list that it worked on last, not from the one that ends.
      this.progress?.endList(segment.firstNdx + segment.count - 2 - list.segments.indexOf(segment));
      if (list.live < list.segments.length || !receiving.lists.complete) {
        receiving.lists.changed.raise();
        return false;
      }
    }
    receiving.phasesDone++;
    if (receiving.phasesDone === 2 && session.options.delayUpdates) this.landing.releaseDelayed();
    receiving.lists.changed.raise();
    return receiving.phasesDone > session.maxPhase;
  }

  private rowOf(ndx: number): number {
    const { list } = this.session;
    const segment = list.segmentOf(ndx);
    if (segment === null) throw new ProtocolError('file index', `${ndx} is in no open list`);
    this.current = segment;
    if (ndx >= segment.firstNdx) return FileList.rowAt(segment, ndx - segment.firstNdx);
    if (segment.parentRow >= 0) return segment.parentRow;
    const first = segment.count > 0 ? FileList.rowAt(segment, 0) : -1;
    if (first < 0 || list.path(first) !== '.') throw new ProtocolError('file index', `${ndx} has no directory`);
    return first;
  }

  private async takeItem(ndx: number): Promise<void> {
    const { session, item } = this;
    const { connection, list, protocol } = session;
    while (!readItemHeader(connection.reader, protocol, item)) await connection.fill();
    item.ndx = ndx;
    const row = this.rowOf(ndx);
    if (list.isInactive(row)) throw new ProtocolError('file index', `${ndx} is not in use`);
    countCreated(session.stats, list.mode[row], item.iflags);
    if ((item.iflags & Item.TRANSFER) === 0) {
      this.itemLog.change({ list, row, iflags: item.iflags, xname: item.xname });
      return;
    }
    if (!list.isRegular(row) || receivingIsOver(this.receiving)) {
      throw new ProtocolError('transfer', `index ${ndx} is no regular file`);
    }
    this.answered(ndx, row);
    session.stats.transferredFiles++;
    session.stats.transferredSize += list.size[row];
    if (session.options.dryRun) {
      this.itemLog.transfer({ list, row, iflags: item.iflags, xname: item.xname });
      return;
    }
    await this.takeFile(ndx, row);
  }

  private async takeFile(ndx: number, row: number): Promise<void> {
    const { session, item, files, landing } = this;
    const { connection, list } = session;
    const before = connection.reader.total - connection.reader.buffered;
    const head = await this.readHead();
    const report = { list, row, iflags: item.iflags, xname: item.xname };
    if (this.itemLog.beforeTransfer) this.itemLog.transfer(report);
    const isRedo = (list.flags[row] & EntryFlag.FILE_SENT) !== 0;
    const place = landing.open(row, item, head, isRedo);
    try {
      files.begin(place.target);
      this.startProgress(ndx, list.size[row]);
      while (!files.step(connection.reader)) {
        this.progress?.update(files.offset);
        await connection.fill();
      }
      this.progress?.endFile(list.size[row]);
    } catch (error) {
      landing.abandon(place, files.offset);
      throw error;
    }
    if (!this.itemLog.beforeTransfer) {
      const bytesWritten = connection.reader.total - connection.reader.buffered - before;
      this.itemLog.transfer({ ...report, bytesWritten, fileSum: digestHex(files.sum, session.algorithms.transferSum) });
    }
    if (files.writeError !== null) landing.writeFailed(place, files.writeError);
    const outcome = landing.close(place, files.sumMatches, isRedo);
    this.settle(ndx, row, outcome);
  }

  /** Lists have one number more each than entries, for their directories (8.1). */
  private startProgress(ndx: number, size: number): void {
    const { progress } = this;
    if (progress === null) return;
    const { list, incremental } = this.session;
    const lists = incremental ? 1 + list.segments.indexOf(list.segmentOf(ndx)!) : 0;
    progress.startFile(size, ndx - lists);
    progress.update(0);
  }

  private async readHead(): Promise<SumHead> {
    const { session } = this;
    const length = DIGEST_LENGTH[session.algorithms.transferSum];
    let head = readSumHead(session.connection.reader, session.protocol, length);
    while (head === null) {
      await session.connection.fill();
      head = readSumHead(session.connection.reader, session.protocol, length);
    }
    return head;
  }

  private settle(ndx: number, row: number, outcome: 'ok' | 'redo' | 'failed'): void {
    const { receiving } = this;
    const progress = receiving.progressOf(ndx);
    if (outcome === 'redo') {
      receiving.session.list.flags[row] |= EntryFlag.FILE_SENT;
      progress.toRedo++;
      receiving.redo.push(ndx);
    } else {
      this.fileDone(ndx, row, outcome === 'ok');
    }
    progress.inProgress--;
    receiving.lists.changed.raise();
  }

  /** The sender could not open a file that was asked for (4.3). */
  private notSent(ndx: number): void {
    const row = this.rowOf(ndx);
    this.answered(ndx, row);
    this.settle(ndx, row, 'failed');
  }

  /** Each request has one answer, and there is none without a request. */
  private answered(ndx: number, row: number): void {
    const { flags } = this.session.list;
    if ((flags[row] & EntryFlag.REQUESTED) === 0) throw new ProtocolError('transfer', `index ${ndx} was not asked for`);
    flags[row] &= ~EntryFlag.REQUESTED;
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
