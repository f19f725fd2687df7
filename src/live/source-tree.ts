import fs from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { parentOf } from '../../protocol/path.js';
import type { CommandOptions } from '../cli/options.js';
import { NameKind, parseArgument, type SourceArgument } from '../sending/scan/argument.js';
import type { WantedContent, WantedEntry } from '../sending/scan/wanted.js';
import { SourceRules } from './source-rules.js';

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
  private readonly rules: SourceRules;
  private readonly depth: number;

  constructor(place: SourcePlace, options: CommandOptions, cwd: ByteString) {
    const argument = parseArgument(place.arg, options.relative);
    const { name } = argument;
    this.base = name.startsWith('/') ? '/' : absolute(argument.dir, cwd);
    this.prefix = name === '.' || name === '/.' ? '' : name.replace(/^\/+/, '');
    this.withBase = this.prefix === '' || argument.impliedDot;
    this.depth = depthOf(argument, options);
    this.rules = new SourceRules(options, this.base, this.withBase);
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
    return this.rules.excludes(this.nameOf(path), true);
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
    return this.rules.perDirectory || !this.rules.excludes(this.nameOf(path), isDir);
  }

  /** True when files in the directories have a say in what is sent. */
  get hasRuleFiles(): boolean {
    return this.rules.perDirectory;
  }

  /**
   * The directory whose content is to be compared again when an entry, which is no directory, has changed: its own when
   * rules are read from it, '' when other files of rules name it. Null when it has nothing to do with rules.
   */
  ruledBy(path: ByteString): ByteString | null {
    if (!this.hasRuleFiles || path === '') return null;
    const reach = this.rules.changedBy(this.nameOf(path));
    return reach === 'none' ? null : reach === 'all' ? '' : parentOf(path);
  }

  /** Has files of rules read again. */
  forgetRules(): void {
    this.rules.forget();
  }
}

/** How deep below the source's root entries are sent: all with -r, one level of `dir/` with -d, else the root itself. */
function depthOf({ kind }: SourceArgument, o: CommandOptions): number {
  if (o.recurse) return Number.POSITIVE_INFINITY;
  return o.dirs > 0 && kind !== NameKind.NORMAL ? 1 : 0;
}
