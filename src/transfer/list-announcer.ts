import type { Options } from '../../protocol/options.js';
import type { ClientLog } from '../report/log.js';
import { BUILDING_LIST, RECEIVING_LIST, receivingList, sendingList } from '../report/messages.js';
import { ListProgress } from '../report/progress.js';

/** Tells the user that the file list is being made or received; only a client has one. */
export class ListAnnouncer {
  private readonly progress: ListProgress;

  constructor(
    private readonly o: Options,
    private readonly log: ClientLog,
    private readonly isSender: boolean,
  ) {
    this.progress = new ListProgress(
      o,
      (text) => log.progress(text),
      (text) => log.finishLine(text),
    );
  }

  start(incremental: boolean): void {
    this.log.file?.info(`${this.isSender ? BUILDING_LIST : RECEIVING_LIST}\n`);
    if ((this.o.info.flist ?? 0) < 1) return;
    if (incremental) this.log.client(this.isSender ? sendingList() : receivingList());
    else if (this.o.recurse || this.o.dirs) this.progress.start(this.isSender ? BUILDING_LIST : RECEIVING_LIST);
  }

  /** What wants to know about each entry of the list; null when nothing does. */
  get counter(): ((count: number) => void) | null {
    return (this.o.info.flist ?? 0) >= 2 ? (count) => this.progress.count(count) : null;
  }

  end(incremental: boolean, files: number): void {
    if (!incremental && (this.o.info.flist ?? 0) >= 1 && (this.o.recurse || this.o.dirs)) this.progress.end(files);
  }
}
