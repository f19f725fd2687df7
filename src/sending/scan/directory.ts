import fs from 'node:fs';
import { IoError, MAX_PATH } from '../../../protocol/constants.js';
import type { FilterScope } from '../../../protocol/filter/rules.js';
import { EntryFlag } from '../../../protocol/flist/list.js';
import { type ListKernel, ListPlace } from '../../../protocol/kernel/list-kernel.js';
import type { ByteString } from '../../../protocol/options.js';
import { pathBelow } from '../../../protocol/path.js';
import { type DirectoryEntries, DirectoryReader } from '../../files/directory.js';
import type { FileSummer } from '../../files/file-sum.js';
import { FileStat } from '../../files/stat.js';
import { Errno, errnoOf } from '../../libc/errno.js';
import { errnoText } from '../../report/errno.js';
import * as messages from '../../report/messages.js';
import { expectListed } from '../../session/engine.js';
import type { SourceBase } from './base.js';
import type { Finder } from './find.js';

/** A name that the Linux file systems know, and no other one, is at most this long. */
const LONGEST_NAME = 255;
/** Stats of subdirectories that are kept from one directory to the next. */
const MOST_KEPT = 1000;

/** Lists the content of single directories. */
export class DirectoryLister {
  private readonly reader = new DirectoryReader();
  private entries!: DirectoryEntries;
  /** The directory that is being listed: its transfer path ('' for the base), that path's number if any entry was added, base and rules. */
  private dir: ByteString = '';
  private dirId = 0;
  private base!: SourceBase;
  private scope!: FilterScope;
  /** Device of the directory with -x, else -1. */
  private device = -1;
  /** Subdirectories until their turn comes, and their stats. */
  private dirs = new Int32Array(64);
  private dirCount = 0;
  private readonly kept: FileStat[] = [];
  /** Place in `kept`, by entry. */
  private readonly keptAt = new Map<number, number>();

  constructor(private readonly finder: Finder) {}

  /**
   * Appends the content of a directory: files in the order of their names, then directories in the order that the
   * list will have (7.7), so that the list of one directory needs no sorting.
   * @param path in the transfer; `.` and `/.` are allowed
   */
  list(path: ByteString, base: SourceBase, scope: FilterScope): void {
    this.dir = path === '.' ? '' : path === '/.' ? '/' : path;
    this.base = base;
    this.scope = scope;
    if (!this.open(path)) return;
    try {
      this.dirId = -1;
      this.dirCount = 0;
      this.addFiles();
      this.addDirectories();
    } finally {
      this.entries.close();
    }
  }

  /** Reads the names and finds the device; false, after a message, when that fails. */
  private open(path: ByteString): boolean {
    const { finder, base } = this;
    this.device = -1;
    if (finder.ctx.options.oneFileSystem > 0) {
      const errno = finder.lookAt(path, base, true);
      if (errno !== 0) {
        finder.reportLostDirectory(errno, path, base);
        return false;
      }
      this.device = finder.looker.stat.dev;
    }
    try {
      const path = base.prefixOf(this.dir);
      this.entries = this.reader.open(path);
      this.entries.further = finder.ctx.attributes?.takerFor(path) ?? null;
      return true;
    } catch (error) {
      this.openFailed(error, path);
      return false;
    }
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

  /** Adds everything that is no directory, and puts directories aside. */
  private addFiles(): void {
    const { looker } = this.finder;
    const { entries } = this;
    const order = this.reader.sorted();
    const inRuns = this.takesRuns();
    expectListed(order.length);
    for (let i = 0; i < order.length; i++) {
      const entry = order[i];
      if (inRuns) {
        if (entries.take(entry)) continue;
        this.addRun();
        if (entries.take(entry)) continue;
      }
      if (!this.fits(entry)) continue;
      const errno = looker.looksThrough ? this.lookThrough(entry) : looker.lookIn(this.entries, entry);
      if (errno !== 0) this.lost(errno, entry);
      else if (this.mayHide && this.isUnreadable(entry)) continue;
      else if (looker.stat.isDir) this.keep(entry);
      else this.add(entry, 0);
    }
    this.addRun();
  }

  /** What may not be read is not there ("ignore nonreadable"). */
  private get mayHide(): boolean {
    return this.finder.ctx.options.ignoreNonreadable;
  }

  /** About what the last look found. A link is always shown, as nobody has to read it. */
  private isUnreadable(entry: number): boolean {
    if (this.finder.looker.stat.isLink) return false;
    try {
      fs.accessSync(this.pathOf(entry), fs.constants.R_OK);
      return false;
    } catch {
      return true;
    }
  }

  /** True when a plain file's name and state are all that there is to know about it. */
  private takesRuns(): boolean {
    const { finder, entries, dir } = this;
    const { rows, looker, ctx, filtered } = finder;
    if (
      entries.kernel === null ||
      filtered ||
      (ctx.names ?? null) !== null ||
      looker.looksThrough ||
      (ctx.sumRow !== null && !ctx.summer) ||
      this.mayHide ||
      !rows.takesRuns
    )
      return false;
    return dir.length + 1 + LONGEST_NAME < MAX_PATH - 1;
  }

  /** Appends the files that were taken since the last run. */
  private addRun(): void {
    const { entries, finder, base } = this;
    const { kernel, taken } = entries;
    if (kernel === null || taken === 0) return;
    if (this.dirId < 0) this.dirId = finder.ctx.list.dirs.id(this.dir);
    if (finder.ctx.summer) this.sumRun(finder.ctx.summer, kernel, taken);
    finder.rows.addRun(kernel, taken, this.dirId, base.number);
    entries.dropRun();
  }

  /** With -c: the sums of the files of a run, zeros for one that cannot be read. */
  private sumRun(summer: FileSummer, kernel: ListKernel, taken: number): void {
    const { length } = summer;
    const { bytes, sizes } = kernel;
    bytes.fill(0, ListPlace.SUMS, ListPlace.SUMS + taken * length);
    for (let i = 0; i < taken; i++) {
      summer.sumOpen(this.entries.openTaken(i, summer.openFlags), sizes[i], bytes, ListPlace.SUMS + i * length);
    }
  }

  private nameOf(entry: number): ByteString {
    const { arena, nameOffset, nameLength } = this.entries;
    return (arena as Buffer).toString('latin1', nameOffset[entry], nameOffset[entry] + nameLength[entry]);
  }

  /** Path of an entry for the file system. Throws an errno error in a confined tree. */
  private pathOf(entry: number): Buffer {
    const { arena, nameOffset, nameLength } = this.entries;
    const at = nameOffset[entry];
    return Buffer.concat([this.base.prefixOf(this.dir), arena.subarray(at, at + nameLength[entry])]);
  }

  /** False, after a message, for a name that makes the path longer than the protocol allows. */
  private fits(entry: number): boolean {
    const over = (this.dir === '' ? 0 : this.dir.length + 1) + this.entries.nameLength[entry] - (MAX_PATH - 1);
    if (over <= 0) return true;
    this.finder.ioError |= IoError.GENERAL;
    const shown = this.dir === '' ? '.' : this.dir;
    this.finder.ctx.report('error', `filename overflows max-path len by ${over}: ${shown}/${this.nameOf(entry)}\n`);
    return false;
  }

  /** Looks at an entry where links may have to be followed. */
  private lookThrough(entry: number): number {
    const { looker, ctx } = this.finder;
    try {
      return looker.look(
        this.pathOf(entry),
        pathBelow(this.dir, this.nameOf(entry)),
        this.base,
        ctx.options.copyDirlinks,
      );
    } catch (error) {
      return errnoOf(error) || Errno.EINVAL;
    }
  }

  private lost(errno: number, entry: number): void {
    const { finder, base } = this;
    const path = pathBelow(this.dir, this.nameOf(entry));
    if (!finder.isExcludedEitherWay(path, base, this.scope)) finder.reportLost(errno, path, base);
  }

  /** Puts a subdirectory aside, with what the last look found. */
  private keep(entry: number): void {
    const at = this.dirCount++;
    if (at === this.dirs.length) {
      const wider = new Int32Array(2 * at);
      wider.set(this.dirs);
      this.dirs = wider;
    }
    this.dirs[at] = entry;
    if (at === this.kept.length) this.kept.push(new FileStat());
    this.kept[at].copyFrom(this.finder.looker.stat);
    this.keptAt.set(entry, at);
  }

  /** Adds the subdirectories in the order of their names with a slash behind them. */
  private addDirectories(): void {
    if (this.dirCount === 0) return;
    const { looker, ctx } = this.finder;
    const flags = ctx.options.recurse ? EntryFlag.CONTENT_DIR : 0;
    const dirs = this.dirs.subarray(0, this.dirCount);
    this.reader.sortDirectories(dirs);
    for (const entry of dirs) {
      looker.stat.copyFrom(this.kept[this.keptAt.get(entry) as number]);
      looker.target = null;
      this.addDirectory(entry, flags);
    }
    this.keptAt.clear();
    this.kept.length = Math.min(this.kept.length, MOST_KEPT);
  }

  private addDirectory(entry: number, flags: number): void {
    const { ctx, looker } = this.finder;
    const { options: o } = ctx;
    if (!o.recurse && o.dirs === 0) {
      ctx.report('info', messages.skippingDirectory(pathBelow(this.dir, this.nameOf(entry))));
      return;
    }
    const isMount = this.device >= 0 && looker.stat.dev !== this.device && (flags & EntryFlag.CONTENT_DIR) !== 0;
    if (isMount && o.oneFileSystem > 1) {
      const text = messages.skippingMountPoint('sender', pathBelow(this.dir, this.nameOf(entry)));
      if ((o.info.mount ?? 0) >= 1) ctx.report('info', text);
      return;
    }
    this.add(entry, isMount ? EntryFlag.MOUNT_DIR : flags);
  }

  /** Appends what the last look found, if the rules allow. */
  private add(entry: number, flags: number): void {
    const { finder, base } = this;
    if (finder.filtered) {
      const path = pathBelow(this.dir, this.nameOf(entry));
      if (finder.isExcluded(path, finder.looker.stat.isDir, base, this.scope)) return;
    }
    const { arena, nameOffset, nameLength } = this.entries;
    const at = nameOffset[entry];
    if (this.dirId < 0) this.dirId = finder.ctx.list.dirs.id(this.dir);
    const row = finder.addRow(base, this.dirId, arena, at, at + nameLength[entry], flags);
    if (row >= 0 && finder.ctx.sumRow !== null && finder.looker.stat.isRegular) {
      finder.addSum(row, base, this.pathOf(entry));
    }
  }
}
