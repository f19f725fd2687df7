import fs from 'node:fs';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { wildmatch } from '../../protocol/filter/wildmatch.js';
import type { ByteString } from '../../protocol/options.js';
import { Root } from '../files/root.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { sanitizePath } from './module-paths.js';

/** Paths that the wildcards of one request may stand for. */
const MAX_PATHS = 100_000;

const WILD = /[*?[]/;

/** Tells whether the module's filters hide a path (relative, without a trailing slash) from every client. */
export type Hidden = (path: ByteString, isDir: boolean) => boolean;

/**
 * Expands `* ? [ ]` in the paths of a request, component by component below the module's root (backslash quotes). A
 * path that matches nothing stays as it is. Errors: exit code 2 when there are too many.
 */
export function expandPaths(root: Root, paths: readonly ByteString[], hidden: Hidden): ByteString[] {
  const glob = new Glob(root, hidden);
  for (const path of paths) glob.add(sanitizePath(path));
  return glob.found;
}

/**
 * The same for a server behind a remote shell whose arguments no shell has seen (-s): paths lie anywhere, and all is visible.
 */
export function expandAnywhere(paths: readonly ByteString[]): ByteString[] {
  const shown: Hidden = () => false;
  return paths.flatMap((path) => {
    const rooted = /^\/*/.exec(path)![0];
    const glob = new Glob(Root.plain(rooted === '' ? '.' : '/'), shown);
    glob.add(path.slice(rooted.length));
    return glob.found.map((found) => rooted + found);
  });
}

class Glob {
  readonly found: ByteString[] = [];
  private readonly stat = new FileStat();

  constructor(
    private readonly root: Root,
    private readonly hidden: Hidden,
  ) {}

  add(path: ByteString): void {
    const before = this.found.length;
    if (WILD.test(path)) this.walk('', path.split('/'), 0);
    if (this.found.length === before) this.keep(path);
  }

  private keep(path: ByteString): void {
    if (this.found.length >= MAX_PATHS) throw new RsyncError(Exit.PROTOCOL, 'too many daemon arguments');
    this.found.push(path);
  }

  /** `done` ends in a slash or is empty; `parts[at]` is the next component. */
  private walk(done: ByteString, parts: readonly ByteString[], at: number): void {
    const part = parts[at];
    const last = at === parts.length - 1;
    if (!WILD.test(part)) {
      if (last) {
        this.keep(done + part);
        return;
      }
      if (part === '.' || this.visible(done + part, true)) this.walk(`${done}${part}/`, parts, at + 1);
      return;
    }
    for (const name of this.names(done)) {
      if (!wildmatch(part, name) || !this.visible(done + name, !last)) continue;
      if (last) this.keep(done + name);
      else this.walk(`${done}${name}/`, parts, at + 1);
    }
  }

  private names(dir: ByteString): ByteString[] {
    try {
      return fs.readdirSync(this.root.dir(dir.replace(/\/+$/, '')).self(), { encoding: 'latin1' });
    } catch {
      return [];
    }
  }

  /** True when the path is there for this client, also behind a link; with `asDir` it has to be a directory. */
  private visible(path: ByteString, asDir: boolean): boolean {
    let isDir = false;
    try {
      isDir = this.isDirectory(path);
    } catch {
      return false;
    }
    if (!isDir && (!this.stat.exists || (this.stat.isLink && this.leadsNowhere(path)))) return false;
    const plain = path.replace(/(^|\/)\.(?=\/)/g, '').replace(/^\/+/, '');
    return (isDir || !asDir) && !this.hidden(plain, isDir);
  }

  /** Looks at a path: a link to a directory of the tree counts as one, of others nothing is told. */
  private isDirectory(path: ByteString): boolean {
    const { root, stat } = this;
    if (lstatInto(root.path(path), stat) !== 0) return false;
    if (!stat.isLink) return stat.isDir;
    try {
      return fs.statSync(root.dir(path.replace(/\/+$/, '')).self()).isDirectory();
    } catch {
      return false;
    }
  }
  /** A link whose target is missing; of what lies outside of the tree nothing is told. */
  private leadsNowhere(path: ByteString): boolean {
    try {
      return !fs.existsSync(this.root.resolve(path));
    } catch (error) {
      return errnoOf(error) === Errno.ENOENT;
    }
  }
}
