import { convertPath, convertTarget } from '../../../protocol/charset.js';
import { IoError, S_IFMT, S_IFREG } from '../../../protocol/constants.js';
import type { FilterScope } from '../../../protocol/filter/rules.js';
import type { ByteString } from '../../../protocol/options.js';
import { lastName, parentOf, pathBelow } from '../../../protocol/path.js';
import { parseChmod } from '../../files/chmod.js';
import { FileStat, lstatInto } from '../../files/stat.js';
import { Errno, errnoOf } from '../../libc/errno.js';
import { errnoText } from '../../report/errno.js';
import * as messages from '../../report/messages.js';
import type { SourceBase } from './base.js';
import type { ScanContext } from './context.js';
import { Looker } from './look.js';
import { RowMaker } from './rows.js';

/** Looks at paths, appends rows for them, and reports what cannot be listed. What all of the scan has in common. */
export class Finder {
  /** IoError bits of what could not be listed. */
  ioError = 0;
  readonly rows: RowMaker;
  readonly looker: Looker;
  /** True when rules have to be asked about each entry. */
  readonly filtered: boolean;

  constructor(readonly ctx: ScanContext) {
    const { options, list, protocol, incremental } = ctx;
    const chmod = [...(ctx.chmod ?? [])];
    if (!options.server) for (const text of options.chmod) chmod.push(...parseChmod(text, process.umask()));
    this.rows = new RowMaker(list, options, protocol, incremental, chmod);
    this.looker = new Looker(options, (text) => ctx.report('info', text));
    this.filtered = !ctx.filters.empty || (ctx.daemonFilters !== null && !ctx.daemonFilters.empty);
  }

  /** Looks at one path by itself; 0 or a positive error number. `followDir`: a link to a directory is taken for it. */
  lookAt(name: ByteString, base: SourceBase, followDir: boolean): number {
    let path: Buffer;
    try {
      path = base.pathOf(name);
    } catch (error) {
      return errnoOf(error) || Errno.EINVAL;
    }
    return this.looker.look(path, name, base, followDir);
  }

  isExcluded(name: ByteString, isDir: boolean, base: SourceBase, scope: FilterScope): boolean {
    return base.isHidden(name, isDir) || scope.verdict(name, isDir) < 0;
  }

  /** For a name that is not there any more, so that nobody knows what it was. */
  isExcludedEitherWay(name: ByteString, base: SourceBase, scope: FilterScope): boolean {
    return this.isExcluded(name, false, base, scope) || this.isExcluded(name, true, base, scope);
  }

  /** Appends a row for what the last look found at `name`. Returns its number, or -1 when it cannot be sent. */
  addPath(name: ByteString, base: SourceBase, flags: number): number {
    const bytes = Buffer.from(lastName(name), 'latin1');
    const dir = this.ctx.list.dirs.id(parentOf(name));
    const row = this.addRow(base, dir, bytes, 0, bytes.length, flags);
    if (row >= 0) this.addSum(row, base, null);
    return row;
  }

  /** The same for the entry `name[from, to)` of the directory with id `dir`, without its -c sum. */
  addRow(base: SourceBase, dir: number, name: Uint8Array, from: number, to: number, flags: number): number {
    const { options: o, list } = this.ctx;
    const { stat, target } = this.looker;
    if (o.links && stat.isLink && (target === null || target.length === 0)) {
      this.ioError |= IoError.GENERAL;
      const shown = pathBelow(list.dirs.path(dir), Buffer.from(name.subarray(from, to)).toString('latin1'));
      this.ctx.report('error', `skipping symlink with 0-length value: ${this.quoted(shown, base)}\n`);
      return -1;
    }
    if (!this.canTravel(base, dir, name, from, to) || !this.readAttributes(base, dir, name, from, to)) return -1;
    const row = this.rows.add(stat, o.links ? target : null, dir, name, from, to, flags, base.number);
    this.ctx.attributes?.keep(row);
    return row;
  }

  /** --iconv: false, after a message, for an entry whose name or target is not of the character set that it should be. */
  private canTravel(base: SourceBase, dir: number, bytes: Uint8Array, from: number, to: number): boolean {
    const { names = null, list, options: o, report } = this.ctx;
    if (names === null) return true;
    const { charset, targets } = names;
    const { stat, target } = this.looker;
    const name = pathBelow(list.dirs.path(dir), Buffer.from(bytes.subarray(from, to)).toString('latin1'));
    const text = targets && o.links && stat.isLink && target !== null ? target.toString('latin1') : '';
    if (convertTarget(charset, 'toWire', text) === null) {
      report('error', messages.cannotConvertTarget('sender', this.quoted(name, base), charset.fault(text)));
    } else if (convertPath(charset, 'toWire', name) === null) {
      report('error', messages.cannotConvertName('sender', name, charset.fault(name)));
    } else {
      return true;
    }
    this.fail(name, base);
    return false;
  }

  /** Reads what else travels with the row of an entry; false when it cannot be read. */
  private readAttributes(base: SourceBase, dir: number, bytes: Uint8Array, from: number, to: number): boolean {
    const { attributes, list } = this.ctx;
    if (attributes === null || attributes === undefined) return true;
    const name = pathBelow(list.dirs.path(dir), Buffer.from(bytes.subarray(from, to)).toString('latin1'));
    const { stat, mayFollow } = this.looker;
    if (attributes.read(base.laterPath(name, mayFollow), stat, () => this.quoted(name, base))) return true;
    this.fail(name, base);
    return false;
  }

  /** With -c: has the sum of a regular file's row filled in. `path`: where it is, null to find it by its name. */
  addSum(row: number, base: SourceBase, path: Buffer | null): void {
    const { sumRow, list } = this.ctx;
    if (sumRow === null || (this.looker.stat.mode & S_IFMT) !== S_IFREG) return;
    const { mayFollow } = this.looker;
    sumRow(row, path === null || mayFollow ? base.laterPath(list.path(row), mayFollow) : path);
  }

  /** --delete-missing-args: a row without a type tells the receiver to delete the name. */
  addMissing(name: ByteString, base: SourceBase, flags: number): void {
    this.looker.target = null;
    this.looker.stat.copyFrom(new FileStat());
    this.addPath(name, base, flags);
  }

  // --- messages ------------------------------------------------------------------------------------------------------

  quote(path: ByteString): ByteString {
    const { module } = this.ctx;
    return module === undefined || module === null ? `"${path}"` : `"${path}" (in ${module})`;
  }

  /** An entry's whole path in quotes: from the module's root on a daemon, with the module's name. */
  quoted(name: ByteString, base: SourceBase): ByteString {
    return this.quote(this.shown(name, base));
  }

  shown(name: ByteString, base: SourceBase): ByteString {
    // Inside a new root paths are whole; without one, the path of the module itself is not shown.
    const isTop = base.path === '' && this.ctx.root !== null;
    return isTop ? name : base.fullPath(name);
  }

  /** An entry that was there when its directory was read, or an argument, and cannot be looked at now. */
  reportLost(errno: number, name: ByteString, base: SourceBase): void {
    const full = this.quoted(name, base);
    if (errno !== Errno.ENOENT) {
      this.fail(name, base);
      this.ctx.report('error', `rsync: [sender] readlink_stat(${full}) failed: ${errnoText(errno)}\n`);
    } else if (this.looker.looksThrough && this.isLink(name, base)) {
      this.fail(name, base);
      this.ctx.report('error', messages.noReferent(full));
    } else {
      this.ioError |= IoError.VANISHED;
      this.ctx.report('warning', messages.vanished(full));
    }
  }

  /** Notes an entry that is there and cannot be sent: the run ends with exit code 23. */
  fail(name: ByteString, base: SourceBase): void {
    this.ioError |= IoError.GENERAL;
    this.ctx.failed?.(base.fullPath(name));
  }

  private isLink(name: ByteString, base: SourceBase): boolean {
    const { stat } = this.looker;
    return lstatInto(base.laterPath(name, false), stat) === 0 && stat.isLink;
  }

  /** A directory that was there before and cannot be looked at now. */
  reportLostDirectory(errno: number, name: ByteString, base: SourceBase): void {
    const full = this.quoted(name, base);
    if (errno === Errno.ENOENT) {
      this.ioError |= IoError.VANISHED;
      this.ctx.report('warning', messages.vanished(full, true));
    } else {
      this.fail(name, base);
      this.ctx.report('error', messages.linkStatFailed('sender', full, errno));
    }
  }
}
