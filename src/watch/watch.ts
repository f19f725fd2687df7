import { realpathSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { hasInotify } from '../libc/inotify.js';
import type { ChangeSink, TreeWatcher, WatchOptions } from './changes.js';
import { FanotifyWatcher } from './fanotify-watcher.js';
import { InotifyWatcher, reportWatchLimit } from './inotify-watcher.js';
import { lacksEvents, type Mount, mountOf, mountsBelow, readMounts } from './mounts.js';
import { PollWatcher } from './poll-watcher.js';

/** The same path without symbolic links; throws when there is nothing. */
function resolved(root: ByteString): ByteString {
  return realpathSync(Buffer.from(root, 'latin1'), { encoding: 'latin1' });
}

/**
 * Watches a tree from the moment that this returns. Throws a system error when the root is no directory that can be
 * read, and RsyncError when what was asked for cannot be had here.
 */
export function watchTree(options: WatchOptions, sink: ChangeSink): TreeWatcher {
  const at = { ...options, root: resolved(options.root) };
  if (at.via === 'poll') return new PollWatcher(at, sink);
  const mounts = readMounts();
  if (at.via === 'auto') {
    const why = whyPoll(at.root, mountOf(at.root, mounts)?.type);
    if (why !== null) {
      at.report('info', `${why}: it is looked through every ${at.pollMs / 1000} s instead`);
      return new PollWatcher(at, sink);
    }
  }
  if (at.via === 'fanotify') {
    const marked = tryFanotify(at, sink, mounts);
    if (marked !== null) return marked;
  }
  const watcher = new InotifyWatcher(at, sink);
  if (watcher.limitMet && at.via === 'auto') {
    const marked = tryFanotify(at, sink, mounts);
    if (marked !== null) {
      reportWatchLimit(at, 'fanotify watches the whole file system instead');
      watcher.close();
      return marked;
    }
  }
  for (const { path, type } of mountsBelow(at.root, mounts).filter((mount) => lacksEvents(mount.type))) {
    const place = path.slice(at.root.length).replace(/^\//, '');
    if (at.isExcluded(place)) continue;
    at.report('info', `${path} is on ${type}: what others change there is found every ${at.pollMs / 1000} s`);
    watcher.alsoLookAt(place, `on ${type}`);
  }
  if (watcher.limitMet) reportWatchLimit(at, `what is not watched is compared every ${watcher.lookMs / 1000} s`);
  return watcher;
}

/** A mark on each file system of the tree; null, with the reason reported, when that cannot be had. */
function tryFanotify(options: WatchOptions, sink: ChangeSink, mounts: readonly Mount[]): TreeWatcher | null {
  const within = mountsBelow(options.root, mounts).filter((mount) => !lacksEvents(mount.type));
  const paths = [options.root, ...within.map((mount) => mount.path)];
  try {
    return new FanotifyWatcher(options, sink, paths);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    options.report('warning', `fanotify cannot be used (it needs root's rights and Linux 5.17): ${why}`);
    return null;
  }
}

function whyPoll(root: ByteString, type: ByteString | undefined): string | null {
  if (type !== undefined && lacksEvents(type)) return `${root} is on ${type}, where others change files without events`;
  if (!hasInotify()) return `${root} cannot be watched, the optional package "koffi" cannot be loaded`;
  return null;
}
