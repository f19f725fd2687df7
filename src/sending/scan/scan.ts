import { constants } from 'node:fs';
import { IoError, MAX_PATH } from '../../../protocol/constants.js';
import { EntryFlag } from '../../../protocol/flist/list.js';
import type { ByteString } from '../../../protocol/options.js';
import { FileStat } from '../../files/stat.js';
import { accessFlags } from '../../files/window.js';
import { Errno } from '../../libc/errno.js';
import * as messages from '../../report/messages.js';
import type { RunStats } from '../../report/stats.js';
import { NameKind, parseArgument, type SourceArgument } from './argument.js';
import type { SourceBase } from './base.js';
import { SourceBases } from './bases.js';
import type { ScanContext } from './context.js';
import { DirectoryLister } from './directory.js';
import { Finder } from './find.js';
import { ImpliedParents } from './parents.js';
import { WantedEntries, type WantedEntry } from './wanted.js';

export type { ScanContext } from './context.js';

// Once, not for each file: to look at what a bundle imports of Node goes through a function.
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Finds what a sender lists (7.8, 8.1) and appends it to the list as rows. */
export class Scanner {
  private readonly finder: Finder;
  private readonly lister: DirectoryLister;
  private readonly bases: SourceBases;
  private readonly parents: ImpliedParents;
  private wanted: WantedEntries | null = null;
  /** Directories of a list without incremental recursion whose content is still to be listed, the next one last. */
  private readonly queue: number[] = [];
  private readonly found = new FileStat();
  private dotSent = false;

  constructor(private readonly ctx: ScanContext) {
    this.finder = new Finder(ctx);
    this.lister = new DirectoryLister(this.finder);
    this.bases = new SourceBases(this.finder);
    this.parents = new ImpliedParents(this.finder);
  }

  /** Nothing is listed or opened any more. */
  close(): void {
    this.bases.close();
  }

  /** IoError bits of what could not be listed or sent. */
  get ioError(): number {
    return this.finder.ioError;
  }

  set ioError(bits: number) {
    this.finder.ioError = bits;
  }

  /** Bytes of all regular files and links in the list. */
  get totalSize(): number {
    return this.finder.rows.totalSize;
  }

  /** Device and inode numbers by row, for hard links below protocol 30. The arrays are replaced when they grow. */
  get devs(): Float64Array {
    return this.finder.rows.devs;
  }

  /** True when a row that is one of several names was found to be one of the file `st`, as far as that is known. */
  isNameOf(row: number, st: FileStat): boolean {
    return this.finder.rows.isNameOf(row, st);
  }

  get inos(): Float64Array {
    return this.finder.rows.inos;
  }

  /** Writes the counts of the list into the statistics of the run. */
  applyCounts(stats: RunStats): void {
    this.finder.rows.applyCounts(stats);
  }

  /** --files-from: the directory that the names which follow start from. Exit 3, after a message, without it. */
  startNames(dir: ByteString): void {
    this.bases.startIn(this.ctx.root === null ? dir : dir.replace(/^\/+/, ''));
  }

  /** Lists one name of --files-from; the rules of -R apply as the options say. */
  addName(name: ByteString): void {
    this.addArgument(name);
  }

  /** Lists one entry by itself, see `WantedEntries`; only without incremental recursion. */
  addWanted(entry: WantedEntry): void {
    this.wanted ??= new WantedEntries(this.finder, this.bases);
    const row = this.wanted.add(entry);
    if (row < 0) return;
    // Below protocol 30 a list cannot say that a directory comes without its content: its content would be deleted.
    if (entry.content === 'tree' || this.ctx.protocol < 30) this.queue.push(row);
    else this.listLevel(row);
  }

  /** Lists what lies directly in a directory, the directories in it without their content. */
  private listLevel(row: number): void {
    const { list } = this.ctx;
    const start = list.count;
    this.listContent(row);
    for (let r = start; r < list.count; r++) list.clearFlags(r, EntryFlag.CONTENT_DIR);
  }

  private listContent(row: number): void {
    const base = this.bases.ofRow(row);
    const path = this.ctx.list.path(row);
    this.lister.list(path, base, base.scope.into(ruleDir(path)));
  }

  /**
   * Lists one source argument. Without incremental recursion its directories are put in a queue that `step` works off;
   * with it, the content of an argument like `dir/` is appended at once.
   */
  addArgument(arg: ByteString): void {
    if (arg.length >= MAX_PATH) {
      this.finder.ioError |= IoError.GENERAL;
      this.ctx.report('error', messages.nameTooLong(arg));
      return;
    }
    // On a confined daemon every path starts at the module.
    const a = parseArgument(this.ctx.root === null ? arg : arg.replace(/^\/+/, ''), this.ctx.options.relative);
    const base = this.bases.find(a.dir);
    if (base === null) return;
    if (a.impliedDot && !this.dotSent) this.addDot(base);
    this.addNamed(a, base);
  }

  /** A -R name that begins with `./`: the root of the transfer comes along. */
  private addDot(base: SourceBase): void {
    this.dotSent = true;
    const { finder } = this;
    const errno = finder.lookAt('.', base, true);
    if (errno !== 0) finder.reportLost(errno, '.', base);
    else if (!finder.isExcluded('.', true, base, base.scope)) finder.addPath('.', base, EntryFlag.IMPLIED_DIR);
  }

  private addNamed(a: SourceArgument, base: SourceBase): void {
    const { finder } = this;
    const { options: o } = this.ctx;
    const { name, kind } = a;
    const { looker } = finder;
    let errno = finder.lookAt(name, base, o.copyDirlinks || kind !== NameKind.NORMAL);
    if (errno === 0 && this.isHidden(name, kind, base)) errno = Errno.ENOENT;
    if (errno !== 0) {
      if (!this.isMissingFine(errno, name, base)) return;
      if (!this.parents.send(a, true, base)) finder.addMissing(name, base, EntryFlag.TOP_DIR);
      return;
    }
    const { isDir } = looker.stat;
    if (kind !== NameKind.DOT_DIR && base.scope.verdict(name, isDir) < 0) return;
    if (isDir && !o.recurse && o.dirs === 0) {
      this.ctx.report('info', messages.skippingDirectory(name));
      return;
    }
    if (o.relative) {
      const { target } = looker;
      this.found.copyFrom(looker.stat);
      if (this.parents.send(a, false, base)) return;
      looker.stat.copyFrom(this.found);
      looker.target = target;
    }
    this.addFound(name, kind, base);
  }

  /** Appends an argument that the last look found, with what follows from it. */
  private addFound(name: ByteString, kind: number, base: SourceBase): void {
    const { options: o, incremental } = this.ctx;
    const whole = o.recurse || (o.dirs > 0 && kind !== NameKind.NORMAL);
    const { isDir } = this.finder.looker.stat;
    const row = this.finder.addPath(name, base, whole ? EntryFlag.TOP_DIR | EntryFlag.CONTENT_DIR : 0);
    if (row < 0 || !whole || !isDir) return;
    if (!incremental) this.queue.push(row);
    else if (kind === NameKind.DOT_DIR) {
      this.ctx.list.addFlags(row, EntryFlag.DIR_LISTED);
      this.lister.list(name, base, base.scope.into(ruleDir(name)));
    }
  }

  private isHidden(name: ByteString, kind: number, base: SourceBase): boolean {
    const { isDir } = this.finder.looker.stat;
    if (this.ctx.options.relative) return base.isHiddenWithParents(name, isDir);
    return kind !== NameKind.DOT_DIR && base.isHidden(name, isDir);
  }

  /** True when --delete-missing-args wants to know about an argument that is not there. */
  private isMissingFine(errno: number, name: ByteString, base: SourceBase): boolean {
    const { options: o } = this.ctx;
    if (errno === Errno.ENOENT && (o.ignoreMissingArgs || o.deleteMissingArgs)) return o.deleteMissingArgs;
    // Deletion goes on only if certainly nothing was left out.
    if (errno !== Errno.ENOENT) this.finder.ioError |= IoError.GENERAL;
    this.ctx.report('error', messages.linkStatFailed('sender', this.finder.quoted(name, base), errno));
    return false;
  }

  /** Lists the content of one directory of the queue; false when the queue is empty. */
  step(): boolean {
    const row = this.queue.pop();
    if (row === undefined) return false;
    const { list, options: o } = this.ctx;
    const start = list.count;
    this.listContent(row);
    if (!o.recurse) return true;
    for (let r = list.count - 1; r >= start; r--) {
      if (list.isDir(r) && list.flags(r) & EntryFlag.CONTENT_DIR) this.queue.push(r);
    }
    return true;
  }

  /**
   * Incremental recursion: appends what the list of a directory holds, that is its content if it is a part of the
   * transfer, and what -R sends below it.
   */
  scanDirectory(row: number): void {
    const { list } = this.ctx;
    const base = this.bases.ofRow(row);
    const path = list.path(row);
    const scope = base.scope.into(ruleDir(path));
    if (list.flags(row) & EntryFlag.CONTENT_DIR) this.lister.list(path, base, scope);
    this.parents.sendRest(path, base, scope);
  }

  /** Where the file of a row is, for the file system. */
  sourcePath(row: number): Buffer {
    return this.baseOf(row).laterPath(this.ctx.list.path(row), this.mayFollow);
  }

  /** What a row's name is relative to. */
  baseOf(row: number): SourceBase {
    return this.bases.ofRow(row);
  }

  /** Some option follows links. */
  get mayFollow(): boolean {
    return this.finder.looker.mayFollow;
  }

  /** The directory that a row's name is relative to, as the user wrote it. */
  writtenDir(row: number): ByteString {
    return this.bases.ofRow(row).written;
  }

  /** How the file of a row is to be opened: not through a link, unless some option follows links. */
  openFlags(_row: number): number {
    // In a confined tree a path was resolved to something that is no link; if it is one now, somebody has swapped it.
    // A fifo that has come into a file's place must not make us wait.
    const mayFollow = this.mayFollow && this.ctx.root === null;
    return O_RDONLY | O_NONBLOCK | (mayFollow ? 0 : O_NOFOLLOW) | accessFlags(this.ctx.options);
  }

  /** The whole path of a row's file for messages; on a daemon, from the module's root. */
  shownPath(row: number): ByteString {
    return this.finder.shown(this.ctx.list.path(row), this.bases.ofRow(row));
  }

  /** The same in quotes, with the module's name behind it. */
  fullName(row: number): ByteString {
    return this.finder.quoted(this.ctx.list.path(row), this.bases.ofRow(row));
  }
}

/** What filter scopes call a directory of the list. */
function ruleDir(path: ByteString): ByteString {
  return path === '/.' ? '/' : path;
}
