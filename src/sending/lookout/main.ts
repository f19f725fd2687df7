import { parentPort } from 'node:worker_threads';
import { Lookout } from '../../../protocol/delta/lookout.js';
import { SearchKernel } from '../../../protocol/kernel/search-kernel.js';
import { readFully } from '../../files/window.js';
import type { LookoutJob } from './thread.js';

/** The program of the thread that looks ahead. */
const port = parentPort!;
const kernel = new SearchKernel();

port.on('message', ({ memory, fd, order }: LookoutJob) => {
  const lookout = new Lookout(kernel, memory, order, (target, at, length, offset) =>
    readFully(fd, target, at, length, offset),
  );
  try {
    lookout.run();
  } catch {
    // The search reads the same file, and tells what is wrong with it.
  }
  port.postMessage('free');
});
