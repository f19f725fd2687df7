import { Item, S_IFDIR, S_IFMT, SIGNIFICANT_ITEM_FLAGS } from '../../protocol/constants.js';
import type { FileList } from '../../protocol/flist/list.js';
import type { ByteString } from '../../protocol/options.js';
import type { ItemHeader } from '../../protocol/request.js';
import { type ItemContext, ItemFormat, type ReportItem } from '../report/item.js';
import type { Log } from '../report/log.js';
import type { Session } from './session.js';

/** A second destination of item lines: --log-file of a client, or the transfer log of a daemon. */
export interface TransferLog {
  format: string;
  log: Log;
}

/** An item as its header in the stream says. */
export function itemOf(list: FileList, row: number, { iflags, xname }: ItemHeader): ReportItem {
  return { list, row, iflags, xname };
}

/** Formats that show what a transfer cost can only be printed after it. */
const NEEDS_RESULT = /%['-]*\d*[bcC]/;

/** Prints one line for each item of a run, where the options ask for it. Only one role of a side uses it. */
export class ItemLog {
  /** True when a transferred file's line is printed before its data. */
  readonly beforeTransfer: boolean;
  /** True when a line tells what a transfer has cost. */
  readonly needsResult: boolean;
  /** 0, or how often -i was given (for a format with %i: 1). Without a client's output, it is the file's format that counts. */
  private readonly itemizes: number;
  private readonly toClient: ((item: ReportItem) => void) | null = null;
  private readonly toFile: ItemFormat | null = null;

  constructor(
    private readonly session: Session,
    context: ItemContext,
    private readonly file: TransferLog | null,
  ) {
    const { options: o, listener, log } = session;
    const format = session.isServer || o.outFormat === null ? null : new ItemFormat(o.outFormat, context);
    if (format !== null) {
      this.toClient =
        listener === null
          ? (item) => log.client(format.format(item))
          : (item) => listener.changed(session, item, context);
    }
    if (file !== null && file.format !== '') this.toFile = new ItemFormat(file.format, context);
    const shown = session.isServer ? this.toFile : format;
    // A client's -ii reaches a server as a format.
    const given = session.isServer && o.serverLogFormat.includes('%I') ? 2 : o.itemize;
    this.itemizes = shown?.usesItemize ? Math.max(1, given) : 0;
    this.needsResult =
      listener !== null || NEEDS_RESULT.test(o.outFormat ?? '') || NEEDS_RESULT.test(file?.format ?? '');
    this.beforeTransfer = !session.isServer && !this.needsResult;
  }

  /** No line of a transferred file is wanted: what would be in it need not be put together. */
  get isSilent(): boolean {
    return this.toClient === null && this.toFile === null;
  }

  /** An item that was answered without data. */
  change(item: ReportItem): void {
    const { session } = this;
    const significant = (item.iflags & SIGNIFICANT_ITEM_FLAGS) !== 0;
    const named = item.xname !== null && item.xname.length > 0;
    const { itemizes } = this;
    const fileItemizes = this.toFile?.usesItemize ?? false;
    const visible =
      itemizes > 0 && (significant || named || itemizes > 1 || (session.options.info.name >= 2 && !session.isServer));
    if (session.isServer) {
      if (visible && !session.options.dryRun && (significant || fileItemizes)) this.writeFile(item);
      return;
    }
    const localChange = (item.iflags & Item.LOCAL_CHANGE) !== 0 && significant;
    const isDir = (item.list.mode(item.row) & S_IFMT) === S_IFDIR;
    if (!visible && !localChange && !named && !(isDir && significant)) return;
    this.toClient?.(item);
    if (significant || fileItemizes) this.writeFile(item);
  }

  /** A file whose data was (or is about to be) transferred. */
  transfer(item: ReportItem): void {
    this.toClient?.(item);
    if (!this.session.options.dryRun) this.writeFile(item);
  }

  private writeFile(item: ReportItem): void {
    if (this.toFile === null) return;
    const line: ByteString = this.toFile.format(item);
    this.file?.log.info(line);
  }
}
