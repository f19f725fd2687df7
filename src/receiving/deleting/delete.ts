import fs from 'node:fs';
import { IoError, Msg, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../../protocol/constants.js';
import type { ByteString } from '../../../protocol/options.js';
import { pathBelow } from '../../../protocol/path.js';
import { chmodNoFollow } from '../../files/set.js';
import { errnoText } from '../../report/errno.js';
import { cannotDeleteNonEmpty, deletingLimit, mountPointPins } from '../../report/messages.js';
import { applyDelStats } from '../../session/run-stats.js';
import type { Receiving } from '../receiving.js';
import type { DirectoryReader } from './directory-reader.js';

/** What removing one entry came to. */
type Outcome = 'gone' | 'kept' | 'failed';

/**
 * Removes entries of the destination, contents before their directory and names in reverse order, as far as filter rules and
 * --max-delete allow (9.10).
 */
export class Deleter {
  /** Counts for NDX_DEL_STATS: files, directories, links, devices, specials. */
  readonly counts = [0, 0, 0, 0, 0];
  /** How often something was to go. */
  attempts = 0;
  private skipped = 0;

  constructor(
    private readonly receiving: Receiving,
    private readonly reader: DirectoryReader,
  ) {}

  private get deleted(): number {
    return this.counts.reduce((sum, n) => sum + n, 0);
  }

  /** Removes a path with everything in it. */
  remove(path: ByteString): Outcome {
    return this.removeTree(path, false, true);
  }

  /** Removes what stands for an argument that the sender does not have. */
  removeMissing(path: ByteString): Outcome {
    return this.removeTree(path, false, this.mayEmpty);
  }

  /** Removes what is in the way of an entry: that is neither told nor counted, but what lies in a directory is. */
  makeRoom(path: ByteString): Outcome {
    return this.removeTree(path, true, this.mayEmpty);
  }

  /** Without a --delete option or --force only an empty directory goes where nobody asked for that very one. */
  private get mayEmpty(): boolean {
    const { options: o } = this.receiving.session;
    return o.force || o.deleteMode !== 'none';
  }

  private removeTree(path: ByteString, forRoom: boolean, recurse: boolean): Outcome {
    this.attempts++;
    if (!this.reader.look(path)) return 'gone';
    const { mode, isDir, dev } = this.reader.stat;
    if (isDir) {
      this.allowChanges(path);
      const inside = this.removeContents(path, dev, recurse);
      if (inside !== 'gone') return inside;
    }
    return this.removeOne(path, mode, forRoom);
  }

  /** Without root, a directory of one's own that forbids changes is opened up before it is emptied. */
  private allowChanges(path: ByteString): void {
    const { parts, session } = this.receiving;
    const { mode, uid } = this.reader.stat;
    if (parts.isRoot || session.options.dryRun || mode & 0o200 || uid !== process.geteuid?.()) return;
    try {
      chmodNoFollow(parts.root.path(path), (mode & 0o7777) | 0o200);
    } catch {
      // The removal fails then, and says so.
    }
  }

  private removeContents(dir: ByteString, device: number, recurse: boolean): Outcome {
    const { session, parts } = this.receiving;
    const scope = parts.scope.into(dir);
    const entries = this.reader.entries(dir, () => true);
    if (entries === null) return 'failed';
    let outcome: Outcome = 'gone';
    for (const entry of entries) {
      const { name, mode, isDir } = entry;
      const child = pathBelow(dir, name.toString('latin1'));
      const keep =
        !recurse ||
        scope.verdictForDelete(child, isDir) < 0 ||
        (parts.moduleHides?.(child, isDir) ?? false) ||
        this.reader.isMountPoint(entry, child, device, mountPointPins);
      const isGone = !keep && (isDir ? this.removeDirectory(child) : this.removeOne(child, mode, false) === 'gone');
      if (!isGone) outcome = 'kept';
    }
    if (outcome !== 'gone') {
      session.log.info(cannotDeleteNonEmpty(dir));
    }
    return outcome;
  }

  /** A directory whose contents had to stay is tried all the same: that counts against --max-delete, as with rsync. */
  private removeDirectory(path: ByteString): boolean {
    if (!this.reader.look(path)) return true;
    const { mode, isDir, dev } = this.reader.stat;
    let whole = true;
    if (isDir) {
      this.allowChanges(path);
      whole = this.removeContents(path, dev, true) === 'gone';
    }
    return this.removeOne(path, mode, false) === 'gone' && whole;
  }

  private removeOne(path: ByteString, mode: number, forRoom: boolean): Outcome {
    const { session, parts } = this.receiving;
    const { options: o, log } = session;
    if (!forRoom && o.maxDelete >= 0 && this.deleted >= o.maxDelete) {
      this.skipped++;
      session.ioError |= IoError.DEL_LIMIT;
      return 'kept';
    }
    const isDir = (mode & S_IFMT) === S_IFDIR;
    const target = parts.root.path(path);
    if (!o.dryRun) {
      try {
        if (isDir) fs.rmdirSync(target);
        else if (!this.backUp(path)) fs.unlinkSync(target);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT') return 'gone';
        if (code === 'ENOTEMPTY') {
          log.info(cannotDeleteNonEmpty(path));
          return 'kept';
        }
        const call = isDir ? 'delete_file: rmdir' : 'delete_file: unlink';
        log.xferError(`rsync: [generator] ${call}(${path}) failed: ${errnoText(error)}\n`);
        return 'failed';
      }
      if (isDir) parts.root.forget(path);
    }
    if (!forRoom) {
      this.counts[typeIndex(mode)]++;
      this.report(path, mode);
    }
    return 'gone';
  }

  /** --backup of a deleted file; true when that has taken it away. */
  private backUp(path: ByteString): boolean {
    const { backup } = this.receiving.parts;
    return backup !== null && !backup.isBackupName(path) && backup.save(path) === 'moved';
  }

  /** Tells the client, and who prints or logs it here. */
  private report(path: ByteString, mode: number): void {
    const { session } = this.receiving;
    const isDir = (mode & S_IFMT) === S_IFDIR;
    if (session.isServer && session.protocol >= 29) {
      session.sendText(Msg.DELETED, isDir ? `${path}\0` : path);
    }
    session.onDeleted?.(path, mode);
  }

  /** The closing line about --max-delete. */
  reportSkipped(): void {
    if (this.skipped === 0) return;
    this.receiving.session.log.warning(deletingLimit(this.skipped));
  }

  /** Adds the counts to this side's statistics. */
  applyToStats(): void {
    applyDelStats(this.receiving.session.stats, this.counts);
  }
}

function typeIndex(mode: number): number {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 0;
    case S_IFDIR:
      return 1;
    case S_IFLNK:
      return 2;
    case S_IFCHR:
    case S_IFBLK:
      return 3;
    default:
      return 4;
  }
}
