import fs from 'node:fs';
import { IoError, Msg, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import type { FilterScope } from '../../protocol/filter/rules.js';
import { EntryFlag, rowAt, type Segment } from '../../protocol/flist/list.js';
import { findInSegment } from '../../protocol/flist/sort.js';
import type { ByteString } from '../../protocol/options.js';
import { compareForRemoval } from '../files/remove.js';
import { chmodNoFollow } from '../files/set.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { Errno, systemError } from '../libc/errno.js';
import { errnoText } from '../report/errno.js';
import {
  cannotDeleteMountPoint,
  cannotDeleteNonEmpty,
  deletingIn,
  deletingLimit,
  skippingDeletion,
} from '../report/messages.js';
import { applyDelStats } from '../session/run-stats.js';
import type { Receiving } from './receiving.js';

/** An entry that the transfer does not have. */
interface Extra {
  name: Buffer;
  mode: number;
  isDir: boolean;
  dev: number;
}

/** What removing one entry came to. */
type Outcome = 'gone' | 'kept' | 'failed';

/**
 * Removes from the destination what the source does not have (9.10), directory by directory, contents before the
 * directory and names in reverse order, as far as filter rules and --max-delete allow.
 */
export class Deleter {
  /** Counts for NDX_DEL_STATS: files, directories, links, devices, specials. */
  readonly counts = [0, 0, 0, 0, 0];
  /** How often something was to go. */
  attempts = 0;
  private skipped = 0;
  private warned = false;
  /** Paths that --delete-delay found, in the order in which they are removed at the end. */
  private readonly delayed: ByteString[] = [];
  private readonly stat = new FileStat();

  constructor(private readonly receiving: Receiving) {}

  private get deleted(): number {
    return this.counts.reduce((sum, n) => sum + n, 0);
  }

  /** Looks through one directory of the transfer. `segment` is the list that holds its entries. */
  directory(row: number, segment: Segment, delay: boolean): void {
    if (!this.isSearched(row)) return;
    const { session, parts } = this.receiving;
    const { list, options: o, log } = session;
    const path = list.path(row);
    const dir = path === '.' ? '' : path;
    const dirId = list.dirs.known(dir);
    const scope = parts.scope.into(dir);
    const device = o.oneFileSystem > 0 ? this.deviceOf(dir) : 0;
    const isExtra = (name: Buffer) => findInSegment(list, segment, dirId, name, 0, name.length) < 0;
    if (o.debug.filter) this.traceRules(dir, scope, (name) => !isExtra(name));
    const extra = this.entries(dir, isExtra);
    if (extra === null) return;
    for (const { name, isDir, dev } of extra) {
      const child = join(dir, name.toString('latin1'));
      if (this.isProtected(scope, child, isDir)) continue;
      if (isDir && device !== 0 && dev !== device) {
        if (o.info.mount >= 1) log.info(cannotDeleteMountPoint(child));
        continue;
      }
      if (delay) this.delayed.push(child);
      else this.remove(child);
    }
  }

  /** What is in the place of a directory stays there (--ignore-existing): that nothing in it can be deleted is an error. */
  blocked(row: number): void {
    if (this.isSearched(row))
      this.unreadable(this.receiving.session.list.path(row), systemError(Errno.ENOTDIR, 'opendir'));
  }

  /** Extra entries are looked for in this directory. */
  private isSearched(row: number): boolean {
    const { list, options: o, log, ioError } = this.receiving.session;
    if ((list.flags(row) & EntryFlag.CONTENT_DIR) === 0) return false;
    if ((ioError & IoError.GENERAL) === 0 || o.ignoreErrors) return true;
    if (!this.warned) log.info(skippingDeletion());
    this.warned = true;
    return false;
  }

  private unreadable(dir: ByteString, error: unknown): void {
    const { session } = this.receiving;
    session.ioError |= IoError.GENERAL;
    session.log.xferError(`rsync: [generator] opendir ${this.receiving.fullName(dir)} failed: ${errnoText(error)}\n`);
  }

  /** --debug=filter: rsync asks the rules about everything in a directory, not only about what may go. */
  private traceRules(dir: ByteString, scope: FilterScope, isListed: (name: Buffer) => boolean): void {
    for (const { name, isDir } of this.entries(dir, isListed) ?? []) {
      scope.verdict(join(dir, name.toString('latin1')), isDir);
    }
  }

  private deviceOf(dir: ByteString): number {
    return this.look(dir === '' ? '.' : dir) ? this.stat.dev : 0;
  }

  /** Entries of a directory that `wanted` picks, in the order of removal; null when it cannot be read. */
  private entries(dir: ByteString, wanted: (name: Buffer) => boolean): Extra[] | null {
    let names: Buffer[];
    try {
      names = fs.readdirSync(this.receiving.parts.root.dir(dir).self(), { encoding: 'buffer' });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') this.unreadable(dir, error);
      return null;
    }
    const found: Extra[] = [];
    for (const name of names) {
      if (!wanted(name) || !this.look(join(dir, name.toString('latin1')))) continue;
      const { mode, isDir, dev } = this.stat;
      found.push({ name, mode, isDir, dev });
    }
    return found.sort(compareForRemoval);
  }

  private look(path: ByteString): boolean {
    return lstatInto(this.receiving.parts.root.path(path), this.stat) === 0 && this.stat.exists;
  }

  private isProtected(scope: FilterScope, path: ByteString, isDir: boolean): boolean {
    const { moduleHides } = this.receiving.parts;
    return scope.verdict(path, isDir) < 0 || (moduleHides?.(path, isDir) ?? false);
  }

  /** Removes a path with everything in it. */
  remove(path: ByteString): Outcome {
    return this.removeTree(path, false, true);
  }

  /**
   * Removes what is in the way of an entry: that is neither told nor counted, but what lies in a directory is. Without
   * a --delete option or --force only an empty directory goes.
   */
  makeRoom(path: ByteString): Outcome {
    const { options: o } = this.receiving.session;
    return this.removeTree(path, true, o.force || o.deleteMode !== 'none');
  }

  private removeTree(path: ByteString, forRoom: boolean, recurse: boolean): Outcome {
    this.attempts++;
    if (!this.look(path)) return 'gone';
    const { mode, isDir } = this.stat;
    if (isDir) {
      this.allowChanges(path);
      const inside = this.removeContents(path, recurse);
      if (inside !== 'gone') return inside;
    }
    return this.removeOne(path, mode, forRoom);
  }

  /** Without root, a directory of one's own that forbids changes is opened up before it is emptied. */
  private allowChanges(path: ByteString): void {
    const { parts, session } = this.receiving;
    const { mode, uid } = this.stat;
    if (parts.isRoot || session.options.dryRun || mode & 0o200 || uid !== process.geteuid?.()) return;
    try {
      chmodNoFollow(parts.root.path(path), (mode & 0o7777) | 0o200);
    } catch {
      // The removal fails then, and says so.
    }
  }

  private removeContents(dir: ByteString, recurse: boolean): Outcome {
    const { session, parts } = this.receiving;
    const scope = parts.scope.into(dir);
    const entries = this.entries(dir, () => true);
    if (entries === null) return 'failed';
    let outcome: Outcome = 'gone';
    for (const { name, mode, isDir } of entries) {
      const child = join(dir, name.toString('latin1'));
      const keep = !recurse || scope.verdictForDelete(child, isDir) < 0 || (parts.moduleHides?.(child, isDir) ?? false);
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
    if (!this.look(path)) return true;
    const { mode, isDir } = this.stat;
    let whole = true;
    if (isDir) {
      this.allowChanges(path);
      whole = this.removeContents(path, true) === 'gone';
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

  /** --delete-delay: removes what was found during the transfer. */
  finishDelayed(): void {
    for (const path of this.delayed) this.remove(path);
    this.delayed.length = 0;
  }

  /** --delete-before and --delete-after: the whole tree at once. There is one list then (8). */
  everything(): void {
    const { list, options: o, log } = this.receiving.session;
    for (const segment of list.segments) {
      for (let i = 0; i < segment.count; i++) {
        const row = rowAt(segment, i);
        if (!list.isDir(row) || list.isInactive(row)) continue;
        const isTop = (list.flags(row) & EntryFlag.CONTENT_DIR) !== 0 && (list.flags(row) & EntryFlag.TOP_DIR) !== 0;
        if ((o.debug.del ?? 0) >= 1 && isTop) log.info(deletingIn(list.path(row)));
        this.directory(row, segment, false);
      }
    }
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

export function join(dir: ByteString, name: ByteString): ByteString {
  return dir === '' || dir === '.' ? name : `${dir}/${name}`;
}
