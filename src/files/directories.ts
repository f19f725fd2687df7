import { mkdirSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf, systemError } from '../libc/errno.js';
import type { Root } from './root.js';
import { FileStat, statInto } from './stat.js';

/**
 * Makes the directory `path` below `root` and what is missing above it (the umask applies). `made` is told about each
 * new one, outermost first. Returns the number of new directories. Throws an errno error, ENOTDIR when something else
 * has one of the names; a link to a directory will do in a plain tree.
 */
export function makeDirectories(
  root: Root,
  path: ByteString,
  mode = 0o777,
  made: ((path: ByteString) => void) | null = null,
): number {
  if (path === '' || path === '.' || path === '/') return 0;
  try {
    mkdirSync(root.path(path), mode);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === Errno.EEXIST) return isDirectory(root, path);
    if (errno !== Errno.ENOENT) throw error;
    const slash = path.lastIndexOf('/');
    if (slash <= 0) throw error;
    const above = makeDirectories(root, path.slice(0, slash), mode, made);
    if (above === 0) throw error;
    return above + makeDirectories(root, path, mode, made);
  }
  made?.(path);
  return 1;
}

function isDirectory(root: Root, path: ByteString): 0 {
  if (root.isConfined) {
    // Says ENOTDIR itself, also of a link that may not be followed.
    root.dir(path);
    return 0;
  }
  const st = new FileStat();
  if (statInto(root.path(path), st) === 0 && st.isDir) return 0;
  throw systemError(Errno.ENOTDIR, 'mkdir');
}
