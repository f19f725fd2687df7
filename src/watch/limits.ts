import { readFileSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { EntryType, readDirectory } from '../libc/read-directory.js';
import { joinPath, type RootPaths } from './paths.js';

const FOLDER = '/proc/sys/fs/inotify';

/** One of the kernel's limits on inotify, `Infinity` when it cannot be read. */
function inotifyLimit(name: 'max_user_watches' | 'max_user_instances' | 'max_queued_events'): number {
  try {
    return Number(readFileSync(`${FOLDER}/${name}`, 'latin1')) || Infinity;
  } catch {
    return Infinity;
  }
}

/** Directories of a tree, those that are not watched left out. Links are not followed. */
export function countDirectories(paths: RootPaths, isExcluded: (path: ByteString) => boolean): number {
  let count = 0;
  const left: ByteString[] = [''];
  for (let dir = left.pop(); dir !== undefined; dir = left.pop()) {
    count++;
    const base = dir;
    readDirectory(paths.of(base), (name, type) => {
      if (type !== EntryType.DIRECTORY) return;
      const path = joinPath(base, name);
      if (!isExcluded(path)) left.push(path);
    });
  }
  return count;
}

/** A limit with room for the tree to grow, and for the other programs of the user. */
function roomFor(directories: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(directories, 4096) * 2));
}

/** What to say when a tree has more directories than may be watched. */
export function watchLimitText(root: string, directories: number): string {
  const limit = inotifyLimit('max_user_watches');
  const enough = roomFor(Math.max(directories, Number.isFinite(limit) ? limit : 0));
  return (
    `${root} has ${directories} directories, and all programs of this user together may watch ${limit}. To raise that: ` +
    `sysctl -w fs.inotify.max_user_watches=${enough} (and, to keep it: ` +
    `echo fs.inotify.max_user_watches=${enough} > /etc/sysctl.d/60-inotify.conf)`
  );
}

/** What to say when no further inotify instance can be had. */
export function instanceLimitText(): string {
  const limit = inotifyLimit('max_user_instances');
  const enough = Number.isFinite(limit) ? limit * 4 : 1024;
  return (
    `this user has all of the ${limit} inotify instances that are allowed. To raise that: ` +
    `sysctl -w fs.inotify.max_user_instances=${enough}`
  );
}
