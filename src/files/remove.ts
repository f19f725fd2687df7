import { readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf } from '../libc/errno.js';
import type { Root } from './root.js';
import { chmodNoFollow } from './set.js';
import { FileStat, lstatInto } from './stat.js';

export type Removal = 'gone' | 'not-empty' | 'failed';

/** How a tree is removed. */
export interface RemoveRules {
  /** Directories go with what is in them; otherwise only empty ones. */
  recurse: boolean;
  /** What lies on another file system stays (-x). */
  oneFileSystem: boolean;
  /** Without root, directories that forbid changes to their owner are opened up first. */
  isRoot: boolean;
  /** True for what must stay. */
  protect: ((path: ByteString, isDir: boolean) => boolean) | null;
  /** Told after each removal. */
  onDelete: ((path: ByteString, isDir: boolean, mode: number) => void) | null;
  /** Told about a directory that stays because something in it does. */
  onNotEmpty: ((path: ByteString) => void) | null;
  /** Told about a call that failed: `unlink`, `rmdir` or `opendir`. */
  onError: (call: string, path: ByteString, error: unknown) => void;
}

/**
 * Removes `path` below `root` with everything in it: contents before their directory, one level in the order of
 * `compareForRemoval`. Links are removed, never followed. 'gone' also when nothing was there.
 */
export function removeTree(root: Root, path: ByteString, rules: RemoveRules): Removal {
  const st = new FileStat();
  const errno = lstatInto(root.path(path), st);
  if (errno === Errno.ENOENT) return 'gone';
  if (errno !== 0) {
    rules.onError('lstat', path, errno);
    return 'failed';
  }
  return remove(root, path, st.mode, st.isDir, st.dev, rules);
}

function remove(
  root: Root,
  path: ByteString,
  mode: number,
  isDir: boolean,
  device: number,
  rules: RemoveRules,
): Removal {
  if (isDir) {
    const inside = removeContents(root, path, mode, device, rules);
    if (inside !== 'gone') return inside;
  }
  try {
    if (isDir) rmdirSync(root.path(path));
    else unlinkSync(root.path(path));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === Errno.ENOENT) return 'gone';
    if (isDir && errno === Errno.ENOTEMPTY) {
      rules.onNotEmpty?.(path);
      return 'not-empty';
    }
    rules.onError(isDir ? 'rmdir' : 'unlink', path, error);
    return 'failed';
  }
  if (isDir) root.forget(path);
  rules.onDelete?.(path, isDir, mode);
  return 'gone';
}

const SLASH = Buffer.from('/');

/**
 * Order in which the entries of one directory are removed, which is the list's order backwards: directories before
 * everything else, then names from the end, a directory's name counting with a slash behind it.
 */
export function compareForRemoval(
  a: Readonly<{ name: Buffer; isDir: boolean }>,
  b: Readonly<{ name: Buffer; isDir: boolean }>,
): number {
  if (a.isDir !== b.isDir) return a.isDir ? -1 : 1;
  const order = Buffer.compare(b.name, a.name);
  // The slash only matters where one name is the beginning of the other.
  const shorter = Math.min(a.name.length, b.name.length);
  if (!a.isDir || a.name.compare(b.name, 0, shorter, 0, shorter) !== 0) return order;
  return Buffer.compare(Buffer.concat([b.name, SLASH]), Buffer.concat([a.name, SLASH]));
}

interface Entry {
  path: ByteString;
  name: Buffer;
  mode: number;
  isDir: boolean;
  dev: number;
}

function removeContents(root: Root, path: ByteString, mode: number, device: number, rules: RemoveRules): Removal {
  const entries = listForRemoval(root, path, mode, rules);
  if (entries === null) return 'failed';
  let result: Removal = 'gone';
  for (const entry of entries) {
    const stays =
      !rules.recurse ||
      (rules.oneFileSystem && entry.isDir && entry.dev !== device) ||
      (rules.protect?.(entry.path, entry.isDir) ?? false);
    const one = stays ? 'not-empty' : remove(root, entry.path, entry.mode, entry.isDir, device, rules);
    if (one !== 'gone') result = 'not-empty';
  }
  if (result !== 'gone') rules.onNotEmpty?.(path);
  return result;
}

/** The entries of a directory in the order of their removal; null when it cannot be read. */
function listForRemoval(root: Root, path: ByteString, mode: number, rules: RemoveRules): Entry[] | null {
  const st = new FileStat();
  try {
    if (!rules.isRoot && rules.recurse && (mode & 0o700) !== 0o700) chmodNoFollow(root.path(path), mode | 0o700);
    const dir = root.dir(path);
    const entries: Entry[] = [];
    for (const name of readdirSync(dir.self(), { encoding: 'buffer' })) {
      if (lstatInto(dir.at(name, 0, name.length), st) !== 0) continue;
      entries.push({
        path: `${path}/${name.toString('latin1')}`,
        name,
        mode: st.mode,
        isDir: st.isDir,
        dev: st.dev,
      });
    }
    return entries.sort(compareForRemoval);
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return [];
    rules.onError('opendir', path, error);
    return null;
  }
}
