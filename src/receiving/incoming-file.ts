import type { SumHead } from '../../protocol/delta/blocks.js';
import { EntryFlag } from '../../protocol/flist/list.js';
import type { ItemHeader } from '../../protocol/request.js';
import { digestHex } from '../report/item.js';
import type { Progress } from '../report/progress.js';
import { type ItemLog, itemOf } from '../session/item-log.js';
import { Rest } from '../session/pace.js';
import type { FileReceiver } from './landing/file-receiver.js';
import type { Landing, Place } from './landing/landing.js';
import { HandedCopy } from './new-files/handed-copy.js';
import type { Receiving } from './receiving.js';
import { Settlement } from './settlement.js';

/** What is told of single files: a line for each item, and how far the present one is. */
export interface FileReport {
  readonly itemLog: ItemLog;
  readonly progress: Progress | null;
}

/** The file whose data is coming in, from its place in the stream to its place in the destination (9.2, 9.4). */
export class IncomingFile {
  private row = -1;
  /** How much data was decoded before it. */
  private began = 0;
  private place: Place | null = null;
  /** It was asked for again. */
  private isRedo = false;
  /** Its data is only read. */
  private isDropped = false;
  /** Its data does not come in the stream. */
  private isHanded = false;
  private readonly handed: HandedCopy | null;
  /** Who is told what has become of it. */
  readonly settlement: Settlement;
  /** Before more of the basis is used. */
  private readonly rest = new Rest(() => {
    this.files.beginTurn();
    this.receiving.session.connection.poke();
  });

  constructor(
    private readonly receiving: Receiving,
    private readonly landing: Landing,
    private readonly files: FileReceiver,
    private readonly report: FileReport,
  ) {
    const { session } = receiving;
    const { handOver } = session.connection;
    this.handed = handOver && new HandedCopy(receiving, handOver, landing.aside, files);
    this.settlement = new Settlement(receiving, this.handed);
    session.bytesLeft = () => (this.place === null ? 0 : session.list.size(this.row) - files.offset);
  }

  /** Its item has come. */
  announce(row: number): void {
    this.row = row;
    this.began = this.receiving.session.connection.reader.decoded;
  }

  /** Begins it; false when there is no data to wait for. `isWanted` false: nothing is made of it. */
  open(item: ItemHeader, head: SumHead, isWanted: boolean): boolean {
    const { row, files, report } = this;
    const { session, replay } = this.receiving;
    const { list, options: o } = session;
    const { itemLog } = report;
    const isTold = isWanted && (itemLog.beforeTransfer || o.dryRun) && !itemLog.isSilent;
    this.isRedo = (list.flags(row) & EntryFlag.FILE_SENT) !== 0;
    this.isDropped = !isWanted || o.dryRun;
    if (replay !== null) list.addFlags(row, EntryFlag.FILE_SENT);
    if (this.isDropped) {
      if (isTold) itemLog.transfer(itemOf(list, row, item));
      files.begin({ output: null, basis: -1, head, updating: false, append: 0, lostBasis: null }, 0);
      return true;
    }
    this.isHanded = this.handed?.take(item.ndx) === true;
    if (this.isHanded && this.maySetAside && this.handed?.setAside(item.ndx, row)) {
      if (isTold) itemLog.transfer(itemOf(list, row, item));
      return false;
    }
    this.place = this.landing.open(row, item, head, this.isRedo);
    // A file that could not be made is told of by its error alone.
    if (isTold && this.place.output !== null) itemLog.transfer(itemOf(list, row, item));
    files.begin(this.place, list.size(row));
    this.startProgress(item.ndx, list.size(row));
    return true;
  }

  private get maySetAside(): boolean {
    const { itemLog, progress } = this.report;
    return !this.isRedo && progress === null && (itemLog.beforeTransfer || itemLog.isSilent);
  }

  /** Takes its data; true when all of it was there and the file has come to its end. */
  takeData(item: ItemHeader): boolean {
    const { files, landing, row, report } = this;
    const { connection, list } = this.receiving.session;
    if (!(this.isHanded ? this.handed!.piece() : files.step(connection.reader))) {
      if (!this.isDropped) report.progress?.update(files.offset);
      if (files.isTurnOver) this.rest.begin();
      return false;
    }
    if (this.isDropped) return true;
    report.progress?.endFile(list.size(row));
    const place = this.place as Place;
    this.place = null;
    if (!report.itemLog.beforeTransfer && !report.itemLog.isSilent && place.output !== null) this.tell(item);
    if (files.writeError !== null) landing.writeFailed(place, files.writeError);
    const outcome = landing.close(item.ndx, place, files.sumMatches, this.isRedo);
    if (outcome !== 'later') this.settlement.settle(item.ndx, row, outcome);
    return true;
  }

  /** The run ends before the file does. */
  abandon(): void {
    const { place } = this;
    this.place = null;
    if (place !== null) this.landing.abandon(place, this.files.offset);
  }

  private tell(item: ItemHeader): void {
    const { connection, list, algorithms } = this.receiving.session;
    const bytesWritten = connection.reader.decoded - this.began;
    const fileSum = digestHex(this.files.sum, algorithms.transferSum);
    this.report.itemLog.transfer({ ...itemOf(list, this.row, item), bytesWritten, fileSum });
  }

  /** Lists have one number more each than entries, for their directories (8.1). */
  private startProgress(ndx: number, size: number): void {
    const { progress } = this.report;
    if (progress === null) return;
    const lists = this.receiving.session.incremental ? 1 + this.receiving.listOf(ndx).number : 0;
    progress.startFile(size, ndx - lists);
    progress.update(0);
  }
}
