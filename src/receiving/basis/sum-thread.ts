import type { SumHead } from '../../../protocol/delta/blocks.js';
import { HelperThread } from '../../libc/helper-thread.js';

/** What the thread is told of a basis. */
export interface SumJob {
  memory: SharedArrayBuffer;
  fd: number;
  head: SumHead;
  /** Of the blocks' XXH128. */
  seed: number;
}

const thread = new HelperThread<SumJob>(import.meta.url, './sum-thread-main.js', './sum-thread.bundle.cjs');

/** For a process that is going to change its root directory. */
export function preloadThread(): void {
  thread.preload();
}

/** Has the thread help with a basis, unless it is busy or cannot be had. It may still read from `fd` when it is not needed any more. */
export function helpSumming(job: SumJob): void {
  if (!thread.isBusy) thread.give(job);
}
