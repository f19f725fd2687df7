import { randomInt } from 'node:crypto';
import { preloadDigests } from '../../protocol/hash/digest.js';
import { Kernels } from '../../protocol/kernel/kernel.js';
import { parseServerArgs } from '../cli/options.js';
import { preload as preloadCodecs } from '../codec/index.js';
import { loadCodecs } from '../codec/load.js';
import { preloadThread as preloadCodecThread } from '../codec/thread/aside-compressor.js';
import { preloadThread } from '../files/thread/file-thread.js';
import { preload as preloadLibc } from '../libc/libc.js';
import { preloadThread as preloadSums } from '../receiving/sum-thread.js';
import { preloadThread as preloadLookout } from '../sending/lookout-thread.js';
import { preloadRole } from '../transfer/roles.js';

/** What a receiving side takes. */
const RECEIVER_KERNELS = 3;

/**
 * Loads whatever a session may need later: once the root directory and the user have changed, no file of this program
 * or of the system can be reached any more.
 */
export async function preloadSession(): Promise<void> {
  preloadLibc();
  preloadCodecs();
  preloadThread();
  preloadCodecThread();
  preloadLookout();
  preloadSums();
  // The time zone is a file, too.
  new Date().getTimezoneOffset();
  await Promise.all([preloadDigests(), loadCodecs(), preloadRole(true), preloadRole(false)]);
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
