import { IoError } from '../../../protocol/constants.js';
import type { FilterScope } from '../../../protocol/filter/rules.js';
import { EntryFlag, rowAt, type Segment } from '../../../protocol/flist/list.js';
import { findInSegment } from '../../../protocol/flist/sort.js';
import type { ByteString } from '../../../protocol/options.js';
import { pathBelow } from '../../../protocol/path.js';
import { Errno, systemError } from '../../libc/errno.js';
import { cannotDeleteMountPoint, deletingIn, skippingDeletion } from '../../report/messages.js';
import type { Receiving } from '../receiving.js';
import type { Deleter } from './delete.js';
import type { DirectoryReader } from './directory-reader.js';

/** Finds what the destination has and the source does not (9.10), directory by directory, and has it deleted: --delete. */
export class ExtraneousFiles {
  /** It was said that nothing is deleted. */
  private warned = false;
  /** -x: the file system of the directory above all others of a source. Nothing is deleted on another one. */
  private device = 0;
  /** Paths that --delete-delay found, in the order in which they are removed at the end. */
  private readonly delayed: ByteString[] = [];

  constructor(
    private readonly receiving: Receiving,
    readonly deleter: Deleter,
    private readonly reader: DirectoryReader,
  ) {}

  /** Looks through one directory of the transfer. `segment` is the list that holds its entries. */
  directory(row: number, segment: Segment, delay: boolean): void {
    if (!this.isSearched(row)) return;
    const { session, parts } = this.receiving;
    const { list, options: o } = session;
    const path = list.path(row);
    const dir = path === '.' ? '' : path;
    const dirId = list.dirs.known(dir);
    const scope = parts.scope.into(dir);
    if (o.oneFileSystem > 0 && !this.isOnDevice(row, dir)) return;
    const isExtra = (name: Buffer) => findInSegment(list, segment, dirId, name, 0, name.length) < 0;
    if (o.debug.filter) this.traceRules(dir, scope, (name) => !isExtra(name));
    // What is mounted is told of with -x, also where the source has a directory of that name.
    const entries = this.reader.entries(dir, o.oneFileSystem > 0 ? () => true : isExtra);
    if (entries === null) return;
    for (const entry of entries) {
      const { name, isDir } = entry;
      const child = pathBelow(dir, name.toString('latin1'));
      if (this.isProtected(scope, child, isDir)) continue;
      if (this.reader.isMountPoint(entry, child, this.device, cannotDeleteMountPoint)) continue;
      if (o.oneFileSystem > 0 && !isExtra(name)) continue;
      if (delay) this.delayed.push(child);
      else this.deleter.remove(child);
    }
  }

  /**
   * What is in the place of a directory stays there (--ignore-existing): that nothing in it can be deleted is an error.
   * With -x it is none, as such a place counts as one on another file system.
   */
  blocked(row: number): void {
    if (!this.isSearched(row)) return;
    const { list, options: o } = this.receiving.session;
    if (o.oneFileSystem === 0 || this.isTop(row))
      this.reader.unreadable(list.path(row), systemError(Errno.ENOTDIR, 'opendir'));
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

  /** --debug=filter: rsync asks the rules about everything in a directory, not only about what may go. */
  private traceRules(dir: ByteString, scope: FilterScope, isListed: (name: Buffer) => boolean): void {
    for (const { name, isDir } of this.reader.entries(dir, isListed) ?? []) {
      scope.verdict(pathBelow(dir, name.toString('latin1')), isDir);
    }
  }

  /** -x: the directory lies on the file system of the one above. */
  private isOnDevice(row: number, dir: ByteString): boolean {
    const device = this.reader.look(dir === '' ? '.' : dir) ? this.reader.stat.dev : 0;
    if (this.isTop(row)) this.device = device;
    return device === this.device;
  }

  private isTop(row: number): boolean {
    return (this.receiving.session.list.flags(row) & EntryFlag.TOP_DIR) !== 0;
  }

  private isProtected(scope: FilterScope, path: ByteString, isDir: boolean): boolean {
    const { moduleHides } = this.receiving.parts;
    return scope.verdict(path, isDir) < 0 || (moduleHides?.(path, isDir) ?? false);
  }

  /** --delete-delay: removes what was found during the transfer. */
  finishDelayed(): void {
    for (const path of this.delayed) this.deleter.remove(path);
    this.delayed.length = 0;
  }

  /** --delete-before and --delete-after: the whole tree at once. There is one list then (8). */
  everything(): void {
    const { list, options: o, log } = this.receiving.session;
    for (const segment of list.segments) {
      for (let i = 0; i < segment.count; i++) {
        const row = rowAt(segment, i);
        if (!list.isDir(row) || list.isInactive(row)) continue;
        const isTop = (list.flags(row) & EntryFlag.CONTENT_DIR) !== 0 && this.isTop(row);
        if ((o.debug.del ?? 0) >= 1 && isTop) log.info(deletingIn(list.path(row)));
        this.directory(row, segment, false);
      }
    }
  }
}
