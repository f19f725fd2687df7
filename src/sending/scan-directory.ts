import fs from 'node:fs';
import { IoError, MAX_PATH } from '../../protocol/constants.js';
import type { FilterScope } from '../../protocol/filter/rules.js';
import { EntryFlag } from '../../protocol/flist/list.js';
import type { ByteString } from '../../protocol/options.js';
import { FileStat } from '../files/stat.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { errnoText } from '../report/errno.js';
import * as messages from '../report/messages.js';
import type { SourceBase } from './scan-base.js';
import { type Finder, join } from './scan-find.js';

/** Lists the content of single directories. */
export class DirectoryLister {
  /** Paths of entries are put together in here, behind the directory's own path. */
  private scratch = Buffer.allocUnsafe(4 * MAX_PATH);
  private prefix = 0;
  /** The directory that is being listed: its transfer path ('' for the base), the path's id, its base and rules. */
  private dir: ByteString = '';
  private dirId = 0;
  private base!: SourceBase;
  private scope!: FilterScope;
  /** Device of the directory with -x, else -1. */
  private device = -1;
  /** Stats of subdirectories until their turn comes. */
  private readonly kept: FileStat[] = [];

  constructor(private readonly finder: Finder) {}

  /**
   * Appends the content of a directory: files in the order of their names, then directories in the order that the
   * list will have (7.7), so that the list of one directory needs no sorting.
   * @param path in the transfer; `.` and `/.` are allowed
   */
  list(path: ByteString, base: SourceBase, scope: FilterScope): void {
    const { ctx } = this.finder;
    this.dir = path === '.' ? '' : path === '/.' ? '/' : path;
    this.base = base;
    this.scope = scope;
    const names = this.open(path);
    if (names === null) return;
    this.dirId = ctx.list.dirId(this.dir);
    // What the rules exclude is not looked at more often than necessary, but its type must be known.
    const dirs: ByteString[] = [];
    for (const name of names.sort()) {
      if (!this.fits(name)) continue;
      const end = this.put(name);
      const errno = this.look(name, end);
      if (errno !== 0) this.lost(errno, name);
      else if (this.finder.looker.stat.isDir) this.keep(dirs, name);
      else this.add(name, end, 0);
    }
    this.addDirectories(dirs);
  }

  /** Reads the names, prepares the path buffer and finds the device; null, after a message, when that fails. */
  private open(path: ByteString): ByteString[] | null {
    const { finder, base } = this;
    let names: ByteString[];
    try {
      const prefix = base.prefixOf(this.dir);
      this.startPaths(prefix);
      names = fs.readdirSync(prefix, { encoding: 'latin1' });
    } catch (error) {
      this.openFailed(error, path);
      return null;
    }
    this.device = -1;
    if (finder.ctx.options.oneFileSystem > 0) {
      const errno = finder.lookAt(path, base, true);
      if (errno !== 0) {
        finder.reportLostDirectory(errno, path, base);
        return null;
      }
      this.device = finder.looker.stat.dev;
    }
    return names;
  }

  private openFailed(error: unknown, path: ByteString): void {
    const { finder, base } = this;
    if (errnoOf(error) === Errno.ENOENT) {
      finder.reportLostDirectory(Errno.ENOENT, path, base);
      return;
    }
    finder.fail(path, base);
    const full = finder.quoted(path, base);
    finder.ctx.report('error', `rsync: [sender] opendir ${full} failed: ${errnoText(error)}\n`);
  }

  private startPaths(prefix: Buffer): void {
    if (prefix.length + MAX_PATH > this.scratch.length) this.scratch = Buffer.allocUnsafe(2 * prefix.length + MAX_PATH);
    prefix.copy(this.scratch);
    this.prefix = prefix.length;
  }

  /** False, after a message, for a name that makes the path longer than the protocol allows. */
  private fits(name: ByteString): boolean {
    const over = (this.dir === '' ? 0 : this.dir.length + 1) + name.length - (MAX_PATH - 1);
    if (over <= 0) return true;
    this.finder.ioError |= IoError.GENERAL;
    const shown = this.dir === '' ? '.' : this.dir;
    this.finder.ctx.report('error', `filename overflows max-path len by ${over}: ${shown}/${name}\n`);
    return false;
  }

  /** Puts a name behind the directory's path and returns where it ends. */
  private put(name: ByteString): number {
    return this.prefix + this.scratch.write(name, this.prefix, 'latin1');
  }

  private look(name: ByteString, end: number): number {
    const { looker, ctx } = this.finder;
    const path = this.scratch.subarray(0, end);
    if (!looker.looksThrough) return looker.look(path, name, this.base, false);
    const errno = looker.look(path, join(this.dir, name), this.base, ctx.options.copyDirlinks);
    // Following a link may have made a confined tree close this directory.
    if (ctx.root !== null) this.startPaths(this.base.prefixOf(this.dir));
    return errno;
  }

  private lost(errno: number, name: ByteString): void {
    const { finder, base } = this;
    const path = join(this.dir, name);
    if (!finder.isExcludedEitherWay(path, base, this.scope)) finder.reportLost(errno, path, base);
  }

  /** Puts a subdirectory aside, with what the last look found. */
  private keep(dirs: ByteString[], name: ByteString): void {
    const at = dirs.push(name) - 1;
    if (at === this.kept.length) this.kept.push(new FileStat());
    this.kept[at].copyFrom(this.finder.looker.stat);
  }

  /** Adds the subdirectories in the order of their names with a slash behind them. */
  private addDirectories(dirs: readonly ByteString[]): void {
    if (dirs.length === 0) return;
    const { looker, ctx } = this.finder;
    const flags = ctx.options.recurse ? EntryFlag.CONTENT_DIR : 0;
    const keys = dirs.map((name) => `${name}/`);
    const order = dirs.map((_, i) => i).sort((a, b) => (keys[a] < keys[b] ? -1 : 1));
    for (const i of order) {
      looker.stat.copyFrom(this.kept[i]);
      looker.target = null;
      this.addDirectory(dirs[i], flags);
    }
    this.kept.length = Math.min(this.kept.length, 1000);
  }

  private addDirectory(name: ByteString, flags: number): void {
    const { ctx, looker } = this.finder;
    const { options: o } = ctx;
    let local = flags;
    if (!o.recurse && o.dirs === 0) {
      ctx.report('info', messages.skippingDirectory(join(this.dir, name)));
      return;
    }
    if (this.device >= 0 && looker.stat.dev !== this.device && flags & EntryFlag.CONTENT_DIR) {
      if (o.oneFileSystem > 1) {
        const text = messages.skippingMountPoint('sender', join(this.dir, name));
        if ((o.info.mount ?? 0) >= 1) ctx.report('info', text);
        return;
      }
      local = EntryFlag.MOUNT_DIR;
    }
    this.add(name, this.put(name), local);
  }

  /** Appends what the last look found, if the rules allow. */
  private add(name: ByteString, end: number, flags: number): void {
    const { finder, base } = this;
    if (finder.filtered) {
      if (finder.isExcluded(join(this.dir, name), finder.looker.stat.isDir, base, this.scope)) return;
    }
    const row = finder.addRow(base, this.dirId, this.scratch, this.prefix, end, flags);
    if (row >= 0 && finder.ctx.sumRow !== null) finder.addSum(row, base, this.scratch.subarray(0, end));
  }
}
