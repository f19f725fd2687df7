import fs from 'node:fs';
import { Exit, S_IFDIR, S_IFMT } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { wildmatch } from '../../protocol/filter/wildmatch.js';
import type { ByteString } from '../../protocol/options.js';
import type { Root } from '../files/root.js';
import { FileStat, statInto } from '../files/stat.js';

/** Paths that the wildcards of one request may stand for. */
const MAX_PATHS = 100_000;

const WILD = /[*?[]/;

/**
 * Makes a client's path relative to the module: leading slashes go, `..` is resolved by the text and never climbs above
 * the module, `.` components and a trailing slash stay (they have a meaning for -R and for the contents of a directory).
 */
export function sanitizePath(path: ByteString): ByteString {
  const out: ByteString[] = [];
  const parts = path.split('/');
  const last = parts.length - 1;
  let depth = 0;
  for (const [i, part] of parts.entries()) {
    if (part === '' && i < last) continue;
    if (part === '..') {
      while (out.length > 0 && out[out.length - 1] === '.') out.pop();
      if (depth > 0) {
        out.pop();
        depth--;
      }
      if (i === last && out.length > 0) out.push('');
    } else {
      if (part !== '' || out.length > 0) out.push(part);
      if (part !== '' && part !== '.') depth++;
    }
  }
  const text = out.join('/');
  return text === '' ? '.' : text;
}

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

  /** True when the path is there for this client; with `asDir` it has to be a directory. */
  private visible(path: ByteString, asDir: boolean): boolean {
    let isDir = false;
    try {
      if (statInto(this.root.path(path), this.stat) !== 0) return false;
      isDir = (this.stat.mode & S_IFMT) === S_IFDIR;
    } catch {
      return false;
    }
    const plain = path.replace(/(^|\/)\.(?=\/)/g, '').replace(/^\/+/, '');
    return (isDir || !asDir) && !this.hidden(plain, isDir);
  }
}
