import fs from 'node:fs';
import { PROTOCOL_VERSION } from '../../protocol/constants.js';
import type { FilterScope } from '../../protocol/filter/rules.js';
import type { ByteString } from '../../protocol/options.js';
import type { CommandOptions } from '../cli/options.js';
import { NameKind, parseArgument, type SourceArgument } from '../sending/scan-argument.js';
import { SourceBase } from '../sending/scan-base.js';
import type { WantedContent, WantedEntry } from '../sending/scan-wanted.js';
import { buildFilters } from '../transfer/filters.js';

/** Where the parts of a source argument lie, whatever the options say. */
export interface SourcePlace {
  /** As the user wrote it. */
  arg: ByteString;
  /** What is mirrored, absolute. */
  path: ByteString;
  /** The directory that is watched: `path`, or the one that holds it when it is no directory. */
  root: ByteString;
  /** The only name of the root that counts; null: all. */
  only: ByteString | null;
}

/** Finds out what a source argument means. Throws a system error when there is nothing. */
export function locateSource(arg: ByteString, cwd: ByteString): SourcePlace {
  const { dir, name, kind } = parseArgument(arg, false);
  const base = absolute(dir, cwd);
  const path = name === '.' ? base : below(base, name);
  const bytes = Buffer.from(path, 'latin1');
  const stat = kind === NameKind.DOT_DIR ? fs.statSync(bytes) : fs.lstatSync(bytes);
  if (stat.isDirectory()) return { arg, path, root: path, only: null };
  if (kind === NameKind.DOT_DIR) fs.opendirSync(path).closeSync();
  return { arg, path, root: base, only: name };
}

function absolute(dir: ByteString | null, cwd: ByteString): ByteString {
  const path = dir === null ? cwd : dir.startsWith('/') ? dir : below(cwd, dir);
  return path.length > 1 && path.endsWith('/') ? path.replace(/\/+$/, '') || '/' : path;
}

export function below(dir: ByteString, name: ByteString): ByteString {
  if (dir === '' || name === '') return dir + name;
  return dir.endsWith('/') ? dir + name : `${dir}/${name}`;
}

/** How the entries of one source are called in the sessions of one target, and which of them its rules let through. */
export class SourceNames {
  private readonly base: ByteString;
  /** Name of the source's root in the transfer; '' is the transfer's root. */
  readonly prefix: ByteString;
  private readonly withBase: boolean;
  private readonly scope: FilterScope;
  private readonly hasRules: boolean;
  private readonly perDirectory: boolean;
  private readonly depth: number;

  constructor(place: SourcePlace, options: CommandOptions, cwd: ByteString) {
    const argument = parseArgument(place.arg, options.relative);
    const { name } = argument;
    this.base = name.startsWith('/') ? '/' : absolute(argument.dir, cwd);
    this.prefix = name === '.' || name === '/.' ? '' : name.replace(/^\/+/, '');
    this.withBase = this.prefix === '' || argument.impliedDot;
    this.depth = depthOf(argument, options);
    const filters = buildFilters({
      options,
      protocol: PROTOCOL_VERSION,
      side: 'sender',
      isServer: false,
      isLocal: false,
      report: () => {},
      trace: () => {},
    });
    this.hasRules = !filters.empty;
    this.perDirectory = filters.hasPerDirectory;
    this.scope = new SourceBase(0, this.base, filters, null, null).scope;
  }

  /** What a session is asked for so that it sends an entry of the source. */
  wanted(path: ByteString, content: WantedContent): WantedEntry {
    return { base: this.base, name: this.nameOf(path), content, withBase: this.withBase };
  }

  /** Name of an entry in the transfer. */
  nameOf(path: ByteString): ByteString {
    return below(this.prefix, path);
  }

  /** True for a directory of which nothing is sent. */
  excludesDirectory(path: ByteString): boolean {
    if (path.split('/').length > this.depth) return true;
    return this.hasRules && this.verdict(path, true) < 0;
  }

  /** The same for a directory, or one that it lies in. */
  excludesTree(path: ByteString): boolean {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      if (this.excludesDirectory(path.slice(0, at))) return true;
    }
    return this.excludesDirectory(path);
  }

  /** False for an entry that is not sent, as far as that is known without reading filter files. */
  accepts(path: ByteString, isDir: boolean): boolean {
    if (path === '') return true;
    if (this.depth < Number.POSITIVE_INFINITY && path.split('/').length > this.depth) return false;
    return !this.hasRules || this.perDirectory || this.verdict(path, isDir) >= 0;
  }

  private verdict(path: ByteString, isDir: boolean): number {
    const name = this.nameOf(path);
    if (!this.perDirectory) return this.scope.verdict(name, isDir);
    const slash = name.lastIndexOf('/');
    return this.scope.into(slash < 0 ? '' : name.slice(0, slash)).verdict(name, isDir);
  }
}

/** How deep below the source's root entries are sent: all with -r, one level of `dir/` with -d, else the root itself. */
function depthOf({ kind }: SourceArgument, o: CommandOptions): number {
  if (o.recurse) return Number.POSITIVE_INFINITY;
  return o.dirs > 0 && kind !== NameKind.NORMAL ? 1 : 0;
}
