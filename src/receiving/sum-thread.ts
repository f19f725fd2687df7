import type { Worker } from 'node:worker_threads';
import type { SumHead } from '../../protocol/delta/blocks.js';
import { ThreadProgram } from '../libc/thread-program.js';

/** What the thread is told of a basis. */
export interface SumJob {
  memory: SharedArrayBuffer;
  fd: number;
  head: SumHead;
  /** Of the blocks' XXH128. */
  seed: number;
}

const program = new ThreadProgram(import.meta.url, './sum-thread-main.js', './sum-thread.bundle.cjs');

/** For a process that is going to change its root directory. */
export function preloadThread(): void {
  program.preload();
}

/** The thread of this process, which works for one basis at a time. */
let worker: Worker | null = null;
let isBusy = false;

/** Has the thread help with a basis, unless it is busy or cannot be had. It may still read from `fd` when it is not needed any more. */
export function helpSumming(job: SumJob): void {
  if (isBusy) return;
  worker ??= startWorker();
  if (worker === null) return;
  isBusy = true;
  worker.postMessage(job);
}

function startWorker(): Worker | null {
  const started = program.start(null);
  if (started === null) return null;
  // Nobody waits for what the thread says: without it, sums just take longer.
  const leave = (): void => {
    worker = null;
    isBusy = false;
  };
  started.on('message', () => {
    isBusy = false;
  });
  started.on('error', leave);
  started.on('exit', leave);
  started.unref();
  return started;
}
