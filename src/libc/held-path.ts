import { systemError } from './errno.js';

/*
 * Paths through a directory that this process holds open, /proc/self/fd/N/NAME, as the *at() calls take them: N and NAME. They
 * reach the same file, and save the kernel the way through /proc, which takes longer than all the rest.
 */

/** The directory of paths that are taken as they are. */
export const AT_FDCWD = -100;

const SLASH = 0x2f;
const ZERO = 0x30;
/** How a path through a directory that this process holds open starts. */
const HELD = Buffer.from('/proc/self/fd/');
/** The directory that the last `splitHeld` found. */
export let heldDir = AT_FDCWD;

/**
 * Where NAME starts in /proc/self/fd/N/NAME, with `heldDir` set to N; 0 and AT_FDCWD for other paths. The *at() calls
 * reach the same file with N and NAME, and save the kernel the way through /proc, which takes longer than all the rest.
 */
export function splitHeld(path: Uint8Array): number {
  heldDir = AT_FDCWD;
  let at = HELD.length;
  if (path.length <= at) return 0;
  for (let i = 0; i < at; i++) if (path[i] !== HELD[i]) return 0;
  let fd = 0;
  for (; at < path.length && path[at] !== SLASH; at++) {
    const digit = path[at] - ZERO;
    if (!(digit >= 0 && digit <= 9) || fd > 1e8) return 0;
    fd = fd * 10 + digit;
  }
  // The directory itself, or what would be an absolute path, is left to the kernel.
  if (at === HELD.length || at + 1 >= path.length || path[at + 1] === SLASH) return 0;
  heldDir = fd;
  return at + 1;
}

/** N of the path /proc/self/fd/N/ of a directory that this process holds open; -1 for any other path. */
export function heldDirectory(path: Uint8Array): number {
  const end = path.length - 1;
  if (end <= HELD.length || end > HELD.length + 8 || path[end] !== SLASH) return -1;
  for (let i = 0; i < HELD.length; i++) if (path[i] !== HELD[i]) return -1;
  let fd = 0;
  for (let at = HELD.length; at < end; at++) {
    const digit = path[at] - ZERO;
    if (!(digit >= 0 && digit <= 9)) return -1;
    fd = fd * 10 + digit;
  }
  return fd;
}

/** Puts path[from, end) and a NUL into `into`; a positive errno when that cannot be. */
export function fillPath(path: Uint8Array, from: number, into: Buffer): number {
  const { length } = path;
  if (length - from >= into.length) return 36;
  for (let i = from; i < length; i++) {
    if (path[i] === 0) return 22;
    into[i - from] = path[i];
  }
  into[length - from] = 0;
  return 0;
}

/**
 * Puts a path into `into` as the *at() calls take it, and returns the directory that goes with it. Throws an errno error
 * of `syscall` when that cannot be.
 */
export function fillHeldPath(path: Uint8Array, into: Buffer, syscall: string): number {
  const errno = fillPath(path, splitHeld(path), into);
  if (errno !== 0) throw systemError(errno, syscall);
  return heldDir;
}
