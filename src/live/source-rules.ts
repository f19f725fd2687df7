import { PROTOCOL_VERSION } from '../../protocol/constants.js';
import type { FilterList, FilterReader, FilterScope } from '../../protocol/filter/rules.js';
import type { ByteString } from '../../protocol/options.js';
import { lastName, parentOf } from '../../protocol/path.js';
import type { CommandOptions } from '../cli/options.js';
import { SourceBase } from '../sending/scan/base.js';
import { buildFilters } from '../transfer/filters.js';

/**
 * The filter rules of a sender as they are now, those of files in the directories included. Such files are read when
 * they are needed, and again in each turn of the event loop: they may have changed meanwhile. Names are those of the
 * transfer.
 */
export class SourceRules {
  private readonly filters: FilterList;
  private readonly base: SourceBase;
  private readonly reader: FilterReader;
  /** The scope of the transfer's root. */
  private top: FilterScope;
  /** The directory that was asked about last, and its scope; null when the files are to be read again. */
  private entered: { dir: ByteString; scope: FilterScope } | null = null;
  /** Files that other files of rules name, as whole paths. */
  private readonly included = new Set<ByteString>();
  /** There is no rule at all. */
  readonly empty: boolean;
  /** Files in the directories have a say. */
  readonly perDirectory: boolean;

  /**
   * @param base directory that names are relative to
   * @param withBase its own files of rules count
   */
  constructor(
    options: CommandOptions,
    base: ByteString,
    private readonly withBase: boolean,
  ) {
    this.filters = buildFilters({
      options,
      protocol: PROTOCOL_VERSION,
      side: 'sender',
      isServer: false,
      isLocal: false,
      report: () => {},
      trace: () => {},
    });
    this.empty = this.filters.empty;
    this.perDirectory = this.filters.hasPerDirectory;
    this.base = new SourceBase(0, base, this.filters, null, null);
    this.reader = { read: (path, isIncluded) => this.read(path, isIncluded) };
    this.top = this.base.scope;
  }

  private read(path: ByteString, isIncluded = false): Buffer | null {
    if (isIncluded) this.included.add(this.base.fullPath(path));
    return this.base.readRules(path);
  }

  /** Has the files read again. */
  forget(): void {
    this.entered = null;
  }

  excludes(name: ByteString, isDir: boolean): boolean {
    if (this.empty) return false;
    const scope = this.perDirectory ? this.inside(parentOf(name)) : this.top;
    return scope.verdict(name, isDir) < 0;
  }

  /** What has new rules when the file `name` changes: those of its directory, all, or none. */
  changedBy(name: ByteString): 'directory' | 'all' | 'none' {
    if (!this.perDirectory) return 'none';
    if (this.included.has(this.base.fullPath(name))) return 'all';
    const isRead = this.inside(parentOf(name)).readsRulesFrom(lastName(name));
    return isRead ? 'directory' : 'none';
  }

  /** The scope of what a directory holds. */
  private inside(dir: ByteString): FilterScope {
    if (this.entered?.dir === dir) return this.entered.scope;
    if (this.entered === null) {
      this.top = this.filters.root(this.reader, this.base.path);
      if (this.withBase) this.top = this.top.into('');
      setImmediate(() => this.forget());
    }
    const scope = dir === '' && this.withBase ? this.top : this.top.into(dir);
    this.entered = { dir, scope };
    return scope;
  }
}
