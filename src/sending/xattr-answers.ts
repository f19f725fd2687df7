import { carriesXattrs, writeXattrAnswer, XattrRequestReader } from '../../protocol/attributes/xattr-request.js';
import type { ByteReader } from '../../protocol/bytes/reader.js';
import type { ByteWriter } from '../../protocol/bytes/writer.js';
import { movesData } from '../../protocol/options.js';
import type { Xattrs } from '../files/xattrs.js';
import type { Session } from '../session/session.js';
import type { Scanner } from './scan/scan.js';

/** Answers requests for values of extended attributes that are too long for the list (12.4). */
export class XattrAnswers {
  private readonly requests = new XattrRequestReader();

  constructor(
    private readonly session: Session,
    private readonly scanner: Scanner,
    private readonly xattrs: Xattrs,
  ) {}

  /** True when an item with these flags comes with a request. */
  isAsked(iflags: number): boolean {
    const { options, protocol, compatFlags } = this.session;
    return movesData(options) && carriesXattrs(iflags, protocol, compatFlags);
  }

  /** Goes on reading the request for a row; true at its end. */
  read(r: ByteReader, row: number): boolean {
    return this.requests.read(r, this.setOf(row));
  }

  /** Writes the answer for a row: the values as they are now. */
  write(w: ByteWriter, row: number): void {
    const { scanner, session } = this;
    const shown = () => scanner.fullName(row);
    const path = scanner.sourcePath(row);
    writeXattrAnswer(w, this.setOf(row), ({ name }) => {
      const value = this.xattrs.value(path, name, shown);
      if (value === null) session.log.xferError(`failed to re-read xattr ${name} for ${scanner.shownPath(row)}\n`);
      return value;
    });
  }

  private setOf(row: number) {
    const { list } = this.session;
    return list.xattrTable.at(list.xattrs(row));
  }
}
