/**
 * rsync for Node programs: the same jobs as the command, in this process.
 *
 *     import { push, pull, list, serve, watch } from 'tsrsync';
 *     await push('src/', 'user@host::module', { options: ['-az', '--delete'], password });
 */
import type { RunOptions, RunResult } from './api/run.js';
import { parseRun, runTransfer } from './api/run.js';

export { ProtocolError, RsyncError } from '../protocol/errors.js';
export { type ListedFile, type ListedModule, list, listModules } from './api/list.js';
export type { RunOptions, RunResult } from './api/run.js';
export {
  type MirrorStatus,
  type TargetStatus,
  type WatchBatch,
  type Watching,
  type WatchSettings,
  watch,
} from './api/watch.js';
export { type DaemonConfigObject, type RunningDaemon, startDaemon as serve } from './daemon/server.js';
export type { FileCounts, RunStats } from './report/stats.js';

function run(sources: string | readonly string[], dest: string, options: RunOptions): Promise<RunResult> {
  const from = typeof sources === 'string' ? [sources] : sources;
  return runTransfer(parseRun([...from, dest], options), options);
}

/**
 * Copies local files to a destination: a daemon's module, a host behind a remote shell, or another local place. Places are
 * written as on rsync's command line. Rejects with RsyncError, whose `exitCode` is rsync's.
 */
export async function push(
  sources: string | readonly string[],
  dest: string,
  options: RunOptions = {},
): Promise<RunResult> {
  return run(sources, dest, options);
}

/** Copies remote files to a local directory; otherwise as `push`. */
export async function pull(
  sources: string | readonly string[],
  dest: string,
  options: RunOptions = {},
): Promise<RunResult> {
  return run(sources, dest, options);
}
