import type { ByteString, Options } from '../../protocol/options.js';
import { Errno, systemError } from '../libc/errno.js';
import { leadsThroughForeignLink } from '../libc/foreign-link.js';

/**
 * Throws an errno error of `open`, ELOOP as rsync does, for a path that leads through a foreign link; `told` is called
 * before. Does nothing with --insecure-links.
 */
export function checkOperatorPath(path: ByteString, o: Pick<Options, 'insecureLinks'>, told: () => void): void {
  if (o.insecureLinks || !leadsThroughForeignLink(path)) return;
  told();
  throw systemError(Errno.ELOOP, 'open');
}
