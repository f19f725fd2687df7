import { chmodSync, closeSync, constants, futimesSync, lstatSync, lutimesSync, openSync } from 'node:fs';
import { Errno, systemError } from '../libc/errno.js';
import { futimens, hasLibc, libcLoaded, utimensat } from '../libc/libc.js';
import type { FileStat } from './stat.js';

const O_PATH = 0o10000000;

/** chmod() that never follows a link: one in the file's place gives an errno error. */
export function chmodNoFollow(path: Buffer, bits: number): void {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${fd}`, bits);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A link: what the kernel says of its permissions is no help to anybody.
    if (code === 'ENOTSUP' || code === 'EOPNOTSUPP') throw systemError(Errno.ELOOP, 'chmod');
    if (code !== 'ENOENT') throw error;
    // No /proc, as inside a changed root: nothing outside of it can be reached through a link that comes now.
    if (!lstatSync(path).isSymbolicLink()) chmodSync(path, bits);
  } finally {
    closeSync(fd);
  }
}

/** Half of what a JavaScript number of seconds of our time cannot tell, and a little more. */
const ROUNDING = 3e-7;

/** A time as Node takes it. Node cuts it to microseconds, and reads a negative number as "now" unless it is a Date. */
function nodeTime(seconds: number, nsec: number): number | Date {
  const time = nsec === 0 ? seconds : seconds + nsec / 1e9 + ROUNDING;
  return time < 0 ? new Date(time * 1000) : time;
}

/**
 * Sets times of a file (through `fd` when it is not negative) or of a link itself. null: this time stays; `st` says
 * what it is. Whole seconds need no C library; without it other times are cut to the microsecond.
 */
export function setFileTimes(
  path: Buffer,
  fd: number,
  st: FileStat,
  atime: number | null,
  mtime: number | null,
  nsec: number,
): void {
  const whole = mtime !== null && nsec === 0;
  if (whole ? libcLoaded() : hasLibc()) {
    if (fd >= 0) futimens(fd, atime, 0, mtime, nsec);
    else utimensat(path, atime, 0, mtime, nsec, true);
    return;
  }
  const a = atime === null ? nodeTime(st.atime, st.atimeNsec) : nodeTime(atime, 0);
  const m = mtime === null ? nodeTime(st.mtime, st.nsec) : nodeTime(mtime, nsec);
  if (fd >= 0) futimesSync(fd, a, m);
  else lutimesSync(path, a, m);
}
