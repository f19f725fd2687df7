import { readlinkSync, realpathSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { Errno, systemError } from './errno.js';

/** Without a slash at its end; null: anywhere. */
let confinement: ByteString | null = null;

/**
 * --confine-root of a server: from now on, files and directories that a peer can name in options and rules must lie in
 * `dir`, wherever links lead. It is for a wrapper that serves one directory over a remote shell: it can look at the
 * arguments, but rules come over the connection. Throws the errno error of a directory that is not there.
 */
export function confineTo(dir: ByteString): void {
  const real = realpathSync(Buffer.from(dir, 'latin1'), { encoding: 'latin1' });
  confinement = real === '/' ? null : real;
}

function isWithin(real: ByteString): boolean {
  return confinement === null || real === confinement || real.startsWith(`${confinement}/`);
}

/** True for the path of something that is there and lies outside. */
export function leadsOutside(path: ByteString): boolean {
  if (confinement === null) return false;
  try {
    return !isWithin(realpathSync(Buffer.from(path, 'latin1'), { encoding: 'latin1' }));
  } catch {
    return false;
  }
}

/** Where the wrapper's own descriptors are, which it gives in place of paths: nobody can turn those elsewhere. */
const DESCRIPTORS = '/proc/self/fd';

/**
 * Throws ELOOP, as rsync does, when an open directory lies outside. `asked` is its path as it was given: what a whole path
 * passes through on its way to the confinement is no place of its own, unless a link led there.
 */
export function checkWithin(fd: number, asked: ByteString): void {
  if (confinement === null || asked === DESCRIPTORS) return;
  const real = readlinkSync(`/proc/self/fd/${fd}`, 'latin1');
  if (isWithin(real) || (real === asked && confinement.startsWith(real === '/' ? real : `${real}/`))) return;
  throw systemError(Errno.ELOOP, 'open');
}
