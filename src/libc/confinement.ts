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

/** Throws ELOOP, as rsync does, when an open directory lies outside. */
export function checkWithin(fd: number): void {
  if (confinement === null || isWithin(readlinkSync(`/proc/self/fd/${fd}`, 'latin1'))) return;
  throw systemError(Errno.ELOOP, 'open');
}
