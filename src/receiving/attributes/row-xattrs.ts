import {
  carriesXattrs,
  isMadeLink,
  writeXattrRequest,
  XattrAnswerReader,
} from '../../../protocol/attributes/xattr-request.js';
import { NO_XATTRS, takeWanted, type XattrSet, xattrsDiffer } from '../../../protocol/attributes/xattr-set.js';
import type { KeptBytes } from '../../../protocol/attributes/xattr-wire.js';
import type { ByteReader } from '../../../protocol/bytes/reader.js';
import type { ByteWriter } from '../../../protocol/bytes/writer.js';
import { Item } from '../../../protocol/constants.js';
import { movesData } from '../../../protocol/options.js';
import type { Reporter } from '../../files/report.js';
import type { FileStat } from '../../files/stat.js';
import type { Xattrs } from '../../files/xattrs.js';
import type { Session } from '../../session/session.js';

const CAPABILITY = 'security.capability';

/**
 * The extended attributes of rows (-X) on the receiving side. The generator compares, and asks for what is too long for the list;
 * the receiver sets them: with the data of a file, or when the answer to an item without data has come (12.4).
 */
export class RowXattrs {
  private readonly answers: XattrAnswerReader;
  /** What the last comparison found. */
  private present: XattrSet = NO_XATTRS;

  constructor(
    private readonly session: Session,
    /** For the generator, and for the receiver: messages name the role. */
    private readonly files: Xattrs,
    private readonly setter: Xattrs,
    private readonly reporter: Pick<Reporter, 'fullName'>,
    kept: KeptBytes,
  ) {
    this.answers = session.replays ? new XattrAnswerReader(kept, null) : new XattrAnswerReader(kept);
  }

  private setOf(row: number): XattrSet {
    const { list } = this.session;
    return list.xattrTable.at(list.xattrs(row));
  }

  /** A row's name for messages, whole and in quotes. */
  private shown(row: number): string {
    return this.reporter.fullName(this.session.list.path(row));
  }

  /** True when a row has an attribute that the kernel takes away as the owner of its file changes. */
  hasCapability(row: number): boolean {
    return this.setOf(row).some(({ name }) => name === CAPABILITY);
  }

  /** True when the file at `path` does not have the attributes of a row; null: there is no file. */
  differ(row: number, path: Buffer | null): boolean {
    const found = path === null ? NO_XATTRS : this.files.read(path, () => this.shown(row), true);
    this.present = found ?? NO_XATTRS;
    return xattrsDiffer(this.setOf(row), this.present);
  }

  /**
   * Asks, behind an item whose row was compared last, for the values that this side does not have. True when the list of the
   * row must stay open until the answer: its source is to be removed then.
   */
  ask(w: ByteWriter, row: number, iflags: number): boolean {
    const { list, options, protocol, compatFlags } = this.session;
    const isTransfer = (iflags & Item.TRANSFER) !== 0;
    if (!movesData(options) || (iflags & (Item.REPORT_XATTR | Item.TRANSFER)) === 0) return false;
    // A further name of a file has what that has, and nothing is set by it.
    const isLink = isMadeLink(iflags);
    const wanted = isLink ? [] : takeWanted(this.setOf(row), this.present, isTransfer);
    if (!carriesXattrs(iflags, protocol, compatFlags)) return false;
    writeXattrRequest(w, wanted);
    const waits = options.removeSourceFiles && !isLink && !isTransfer && !list.isDir(row);
    if (waits) this.waiting.add(row);
    return waits;
  }

  /** True when an item with these flags comes with values. */
  isAnswered(iflags: number): boolean {
    const { options, protocol, compatFlags, replays } = this.session;
    return (replays || movesData(options)) && carriesXattrs(iflags, protocol, compatFlags);
  }

  /** Goes on reading values for a row; true at their end. */
  readAnswer(r: ByteReader, row: number): boolean {
    return this.answers.read(r, this.setOf(row));
  }

  /** True when an answer with these flags, which has no data behind it, sets the attributes of a file that is there. */
  isSetBy(iflags: number): boolean {
    return (iflags & Item.REPORT_XATTR) !== 0 && !isMadeLink(iflags) && !this.session.options.dryRun;
  }

  /** Gives a file, whose state is `st`, the attributes of a row. */
  setXattrs(path: Buffer, row: number, st: FileStat): void {
    this.setter.apply(path, this.setOf(row), st, () => this.shown(row));
  }

  /** Gives a row's file, which is made from another one, the attributes of that. */
  copy(from: Buffer, to: Buffer, row: number, st: FileStat): void {
    this.files.copy(from, to, st, () => this.shown(row));
  }

  /** Files without data whose attributes are still to be set: their source may not be removed yet. */
  private readonly waiting = new Set<number>();

  /** True when the file of a row is not what it is to be before the sender has answered. */
  isWaiting(row: number): boolean {
    return this.waiting.has(row);
  }

  /** The answer has come; true when `isWaiting` was. */
  hasCome(row: number): boolean {
    return this.waiting.delete(row);
  }
}
