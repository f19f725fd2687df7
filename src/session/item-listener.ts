import type { ByteString } from '../../protocol/options.js';
import type { ItemContext, ReportItem } from '../report/item.js';
import type { Session } from './session.js';

/**
 * A program that is told of the entries of a run, in the place of the lines about them. No row or item is to be kept; who
 * cannot follow holds the connection of the session (`Connection.hold`).
 */
export interface ItemListener {
  /** --list-only: an entry of the list. */
  listed(session: Session, row: number): void;
  /** What a line of -i would be about, after the data of a file. */
  changed(session: Session, item: ReportItem, context: ItemContext): void;
  /** As `Session.onDeleted`. */
  deleted(session: Session, path: ByteString, mode: number): void;
}
