import fs from 'node:fs';
import { cleanPath } from '../../../protocol/filter/parse.js';
import type { FilterList, FilterReader, FilterScope } from '../../../protocol/filter/rules.js';
import type { ByteString } from '../../../protocol/options.js';
import type { Dir } from '../../files/dir.js';
import type { Root } from '../../files/root.js';
import { type FileStat, lstatInto, statInto } from '../../files/stat.js';
import { readText } from '../../files/window.js';
import { leadsOutside } from '../../libc/confinement.js';
import { leadsThroughForeignLink } from '../../libc/foreign-link.js';
import type { SourceTree } from '../sources/source-trees.js';

/** A path that is nowhere: what stands for one that cannot be resolved any more. */
const NOWHERE = Buffer.from('/proc/self/fd/-/-');

/**
 * A directory that source names are relative to: of one argument, or of several in the same place. Knows where its
 * names are for the file system, for filter rules and for messages.
 */
export class SourceBase {
  /** Rules of the transfer, with those of per-directory files as directories are entered. */
  readonly scope: FilterScope;
  /** Absolute path without a slash at its end ('' is `/`); on a confined daemon, from the module's root. */
  readonly path: ByteString;
  /** The same as the file system gets it: `..` behind a link must not be taken out. */
  private readonly realPath: ByteString;
  /** The directory as the user wrote it; '' when names start where the run does. */
  written: ByteString = '';
  private prefix: Buffer = NOWHERE;
  private prefixDir: ByteString | null = null;
  private moduleScope: FilterScope | null = null;

  constructor(
    readonly number: number,
    path: ByteString,
    filters: FilterList,
    moduleFilters: FilterList | null,
    private readonly root: Root | null,
    /** What its names do not lead out of, where there is no such root; null: paths lead anywhere. */
    private readonly tree: SourceTree | null = null,
    /** Told of a file of rules that is reached by another user's link, and not read; null: it is read. */
    private readonly onForeignLink: (() => void) | null = () => {},
  ) {
    const clean = cleanPath(path);
    this.path = clean === '/' ? '' : clean;
    this.realPath = path.endsWith('/') ? path.slice(0, -1) : path;
    const reader: FilterReader = { read: (name) => this.readRules(name) };
    this.scope = filters.root(reader, this.path);
    if (moduleFilters !== null && !moduleFilters.empty) this.moduleScope = moduleFilters.root(reader, '');
  }

  /** The name of an entry from the top of the base's file system, with its leading slash. */
  fullPath(name: ByteString): ByteString {
    return name.startsWith('/') ? name : `${this.path}/${name}`;
  }

  private realName(name: ByteString): ByteString {
    return name.startsWith('/') ? name : `${this.realPath}/${name}`;
  }

  /** True when the module's own filters hide an entry. */
  isHidden(name: ByteString, isDir: boolean): boolean {
    if (this.moduleScope === null || name === '.') return false;
    return this.moduleScope.verdict(this.fullPath(name).slice(1), isDir) < 0;
  }

  /** The same, for a name or any directory that leads to it. */
  isHiddenWithParents(name: ByteString, isDir: boolean): boolean {
    if (this.moduleScope === null) return false;
    const path = this.fullPath(name).slice(1);
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      if (this.moduleScope.verdict(path.slice(0, at), true) < 0) return true;
    }
    return path !== '' && path !== '.' && this.moduleScope.verdict(path, isDir) < 0;
  }

  /**
   * What stands before the entries of `dir` ('' or '.': the base itself) in paths for the file system, with a slash at
   * its end. Throws an errno error in a confined tree. Good until the next call.
   */
  prefixOf(dir: ByteString): Buffer {
    const held = this.dirOf(dir);
    if (held !== null) return held.self();
    if (this.prefixDir !== dir) {
      const full = this.realName(dir === '.' ? '' : dir);
      this.prefix = Buffer.from(full.endsWith('/') ? full : `${full}/`, 'latin1');
      this.prefixDir = dir;
    }
    return this.prefix;
  }

  /** The same directory of a confined tree, null in another one. Throws an errno error. */
  dirOf(dir: ByteString): Dir | null {
    if (this.root !== null) return this.root.dir(this.relative(dir));
    return this.tree === null ? null : this.tree.root.dir(dir);
  }

  /** The path of an entry for the file system. Throws an errno error in a confined tree. */
  pathOf(name: ByteString): Buffer {
    if (this.root !== null) return this.root.path(this.relative(name));
    return this.tree === null ? this.plainPath(name) : this.tree.root.path(name);
  }

  private plainPath(name: ByteString): Buffer {
    return Buffer.from(this.realName(name), 'latin1');
  }

  /** The path of what an entry leads to, where links may be followed. Throws an errno error in a confined tree. */
  resolvedPath(name: ByteString): Buffer {
    return this.root !== null ? this.root.resolve(this.relative(name)) : this.pathOf(name);
  }

  /** stat() of what an entry leads to; 0 or an error number. Throws an errno error in a confined tree. */
  statResolved(name: ByteString, into: FileStat): number {
    if (this.root === null) return statInto(this.pathOf(name), into);
    // What a confined path resolves to is no link: one that is there now was put there since.
    return lstatInto(this.root.resolve(this.relative(name)), into);
  }

  /** The same paths for a file that was listed before: a path that cannot be found again leads nowhere. */
  laterPath(name: ByteString, follow: boolean): Buffer {
    try {
      return follow ? this.resolvedPath(name) : this.pathOf(name);
    } catch {
      return NOWHERE;
    }
  }

  private relative(name: ByteString): ByteString {
    const path = this.fullPath(name === '.' ? '' : name).slice(1);
    return path.endsWith('/') ? path.slice(0, -1) : path;
  }

  /** Content of a file of filter rules; null when there is none that may be read. `name` as in `fullPath`. */
  readRules(name: ByteString): Buffer | null {
    const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = fs.constants;
    return readText(() => {
      if (this.isHiddenWithParents(name, false)) return -1;
      // Of files of rules, each link on the way is looked at.
      const path = this.root === null ? this.plainPath(name) : this.root.resolve(this.relative(name));
      // Most directories have none, which must not cost an exception.
      if (fs.statSync(path, { throwIfNoEntry: false }) === undefined) return -1;
      // Whoever may write to a directory could else have any file read as rules.
      if (this.root === null && this.onForeignLink !== null && leadsThroughForeignLink(path.toString('latin1'))) {
        this.onForeignLink();
        return -1;
      }
      if (leadsOutside(path.toString('latin1'))) return -1;
      // Without O_NONBLOCK, a fifo of that name would stop everything.
      return fs.openSync(path, O_RDONLY | O_NONBLOCK | (this.root === null ? 0 : O_NOFOLLOW));
    });
  }
}
