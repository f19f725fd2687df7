import fs from 'node:fs';
import { Exit } from '../../../protocol/constants.js';
import { RsyncError } from '../../../protocol/errors.js';
import { FileStat, lstatInto } from '../../files/stat.js';
import { errnoText } from '../../report/errno.js';
import { senderRemoved, skippedRemove } from '../../report/messages.js';
import type { Session } from '../../session/session.js';
import type { Scanner } from '../scan/scan.js';

/** --remove-source-files: a file goes once the receiver has it safely, unless it changed meanwhile (4.3). */
export class SourceRemover {
  private readonly stat = new FileStat();

  constructor(
    private readonly session: Session,
    private readonly scanner: Scanner,
    /** The row of an index; throws ProtocolError when it is in no open list. */
    private readonly rowOf: (ndx: number) => number,
  ) {}

  /** The receiver has the file of this index. Throws RsyncError when nobody asked for that to be told. */
  remove(ndx: number): void {
    const { session, stat } = this;
    const { list } = session;
    if (!session.options.removeSourceFiles) {
      throw new RsyncError(Exit.STREAMIO, 'rsync: unexpected SUCCESS message');
    }
    const row = this.rowOf(ndx);
    const path = this.scanner.sourcePath(row);
    const name = list.path(row);
    const errno = lstatInto(path, stat);
    if (errno !== 0 || !stat.exists) return;
    if (stat.size !== list.size(row) || stat.mtime !== list.mtime(row)) {
      session.log.xferError(skippedRemove(name));
      return;
    }
    try {
      fs.unlinkSync(path);
      if (session.options.info.remove >= 1) session.log.info(senderRemoved(name));
    } catch (error) {
      session.log.xferError(`rsync: [sender] sender failed to remove ${name}: ${errnoText(error)}\n`);
    }
  }
}
