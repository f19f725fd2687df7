import type { ByteString, Options } from '../../protocol/options.js';
import { leadsOutside } from '../libc/confinement.js';
import { Errno, systemError } from '../libc/errno.js';
import { leadsThroughForeignLink } from '../libc/foreign-link.js';

/**
 * Throws an errno error of `open`, ELOOP as rsync does, for a path that leads out of --confine-root, or through a foreign
 * link; `told` is called before for the latter. Does nothing with --insecure-links.
 */
export function checkOperatorPath(path: ByteString, o: Pick<Options, 'insecureLinks'>, told: () => void): void {
  if (o.insecureLinks) return;
  if (leadsThroughForeignLink(path)) told();
  else if (!leadsOutside(path)) return;
  throw systemError(Errno.ELOOP, 'open');
}
