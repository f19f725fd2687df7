import { parentPort } from 'node:worker_threads';
import { SumHelper } from '../../../protocol/delta/sum-share.js';
import { Kernel } from '../../../protocol/kernel/kernel.js';
import { SumKernel } from '../../../protocol/kernel/sum-kernel.js';
import { readFully } from '../../files/window.js';
import type { SumJob } from './sum-thread.js';

/** The program of the thread that makes block sums. */
const port = parentPort!;
const kernel = new SumKernel(new Kernel());

port.on('message', ({ memory, fd, head, seed }: SumJob) => {
  kernel.kernel.wasm.xxh128Seed(BigInt(seed));
  try {
    new SumHelper(memory, head, kernel, (target, at, length, offset) =>
      readFully(fd, target, at, length, offset),
    ).run();
  } catch {
    // The other side reads what this one has not summed, and tells what is wrong with it.
  }
  port.postMessage('free');
});
