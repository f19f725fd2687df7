import { realpathSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import type { ChangeSink, TreeWatcher, WatchOptions } from './changes.js';
import { InotifyWatcher, reportWatchLimit } from './inotify-watcher.js';

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
  const watcher = new InotifyWatcher(at, sink);
  if (watcher.limitMet) reportWatchLimit(at, `what is not watched is compared every ${at.pollMs / 1000} s`);
  return watcher;
}
