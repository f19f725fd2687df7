import { preloadDigests } from '../../protocol/hash/digest.js';
import { preload as preloadCodecs } from '../codec/index.js';
import { loadCodecs } from '../codec/load.js';
import { preloadThread as preloadCodecThread } from '../codec/thread/aside-compressor.js';
import { preloadThread } from '../files/thread/file-thread.js';
import { preload as preloadLibc } from '../libc/libc.js';
import { preloadThread as preloadSums } from '../receiving/basis/sum-thread.js';
import { preloadThread as preloadLookout } from '../sending/lookout/thread.js';
import { preloadRole } from './roles.js';

/**
 * Loads whatever a run may need later: once the root directory or the user has changed, no file of this program or of the
 * system may be in reach any more.
 */
export async function preloadRun(): Promise<void> {
  preloadLibc();
  preloadCodecs();
  preloadThread();
  preloadCodecThread();
  preloadLookout();
  preloadSums();
  // The time zone is a file, too.
  new Date().getTimezoneOffset();
  await Promise.all([preloadDigests(), loadCodecs(), preloadRole(true), preloadRole(false)]);
}
