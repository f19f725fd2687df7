import { randomInt } from 'node:crypto';
import { Kernels } from '../../../protocol/kernel/kernel.js';
import { parseServerArgs } from '../../cli/options.js';
import { preloadRun } from '../../transfer/preload.js';

/** What a receiving side takes. */
const RECEIVER_KERNELS = 3;

/** Loads whatever a session may need later, as nothing can be loaded in another root directory. */
export async function preloadSession(): Promise<void> {
  await preloadRun();
  rehearse();
}

/** Does once what every connection begins with: its code is compiled, and its tables made, before a client waits. */
function rehearse(): void {
  parseServerArgs(['--server', '-logDtpre.iLsfxCIvu', '.', '/'], { isDaemon: true, env: process.env });
  const kernels = new Kernels();
  for (let i = 0; i < RECEIVER_KERNELS; i++) kernels.take();
  kernels.release();
  randomInt(2);
}
