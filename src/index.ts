/**
 * rsync for Node programs: the same jobs as the command, in this process.
 *
 *     import { push, pull, list, serve, watch } from 'tsrsync';
 *     await push('src/', 'user@host::module', { options: ['-az', '--delete'], password });
 */
import { startRun } from './api/item-stream.js';
import { itemConsumer, itemize, parseRun, runTransfer } from './api/run.js';
import type { RunOptions, TransferRun } from './api/types.js';

export { Exit } from '../protocol/constants.js';
export { ProtocolError, RsyncError } from '../protocol/errors.js';
export { type ListedModule, list, listModules } from './api/list.js';
export type {
  ChangedItem,
  DeletedItem,
  FileType,
  ListedFile,
  Run,
  RunItem,
  RunOptions,
  RunProgress,
  RunResult,
  TransferRun,
} from './api/types.js';
export {
  type MirrorStatus,
  type TargetStatus,
  type WatchBatch,
  type Watching,
  type WatchSettings,
  watch,
} from './api/watch.js';
export {
  type DaemonConfigObject,
  type RunningDaemon,
  type ServeOptions,
  startDaemon as serve,
} from './daemon/server.js';
export type { FileCounts, RunStats } from './report/stats.js';

function run(sources: string | readonly string[], dest: string, options: RunOptions): TransferRun {
  const from = typeof sources === 'string' ? [sources] : sources;
  return startRun(async (stream) => {
    const o = parseRun([...from, dest], options);
    if (stream === null) return runTransfer(o, options);
    itemize(o);
    return runTransfer(o, options, itemConsumer(stream));
  });
}

/**
 * Copies local files to a destination: a daemon's module, a host behind a remote shell, or another local place. Places are
 * written as on rsync's command line. Rejects with RsyncError, whose `exitCode` is rsync's. Who iterates over it sees each
 * file that is sent or deleted (`Run`), and gets no lines about them.
 */
export function push(sources: string | readonly string[], dest: string, options: RunOptions = {}): TransferRun {
  return run(sources, dest, options);
}

/** Copies remote files to a local directory; otherwise as `push`. */
export function pull(sources: string | readonly string[], dest: string, options: RunOptions = {}): TransferRun {
  return run(sources, dest, options);
}
