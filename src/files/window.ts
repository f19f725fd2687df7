import { closeSync, constants, fstatSync, openSync, read, readFileSync, readSync, writeSync } from 'node:fs';
import type { Options } from '../../protocol/options.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { copyFileRange, libcLoaded } from '../libc/libc.js';

const WINDOW = 256 * 1024;

/** What is added to the flags of an open for reading: with --open-noatime that does not change the time of access. */
export function accessFlags(o: Pick<Options, 'openNoatime'>): number {
  return o.openNoatime ? constants.O_NOATIME : 0;
}

/** Opens a file for reading; a link in its place is an error (ELOOP), and a fifo does not make us wait. */
export function openForReading(path: Buffer, more = 0): number {
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | more);
}

/** Largest file of rules or names that is read. */
const MAX_TEXT_FILE = 64 * 1024 * 1024;

/**
 * Content of the file that `open` gives a descriptor of; null when that fails or gives -1, and for what is no regular file or
 * longer than 64 MiB.
 */
export function readText(open: () => number): Buffer | null {
  let fd = -1;
  try {
    fd = open();
    if (fd < 0) return null;
    const stat = fstatSync(fd);
    return stat.isFile() && stat.size <= MAX_TEXT_FILE ? readFileSync(fd) : null;
  } catch {
    return null;
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}

/** Reads until `length` bytes are there or the file ends; returns how many there are. `position` null: where it stands. */
export function readFully(fd: number, into: Uint8Array, at: number, length: number, position: number | null): number {
  let have = 0;
  while (have < length) {
    const n = readSync(fd, into, at + have, length - have, position === null ? null : position + have);
    if (n === 0) break;
    have += n;
  }
  return have;
}

/** The same from a position on, by a thread of Node's pool. Memory and descriptor must stay until it is done. */
export async function readFullyAside(
  fd: number,
  into: Uint8Array,
  at: number,
  length: number,
  position: number,
): Promise<number> {
  let have = 0;
  while (have < length) {
    const n = await readAside(fd, into, at + have, length - have, position + have);
    if (n === 0) break;
    have += n;
  }
  return have;
}

function readAside(fd: number, into: Uint8Array, at: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, into, at, length, position, (error, n) => {
      if (error === null) resolve(n);
      else reject(error);
    });
  });
}

let copyBuffer: Buffer | null = null;

/**
 * Copies everything from the present position of one open file to another's. Returns the number of bytes. Errors of
 * reading and writing are errno errors with `syscall` "read" or "write".
 */
export function copyContents(from: number, to: number): number {
  let total = libcLoaded() ? copyInKernel(from, to) : 0;
  copyBuffer ??= Buffer.allocUnsafeSlow(WINDOW);
  for (;;) {
    const n = readSync(from, copyBuffer, 0, WINDOW, null);
    if (n === 0) return total;
    for (let done = 0; done < n; ) done += writeSync(to, copyBuffer, done, n - done, null);
    total += n;
  }
}

/** Bytes copied without passing through this process; 0 when the file systems cannot do that. */
function copyInKernel(from: number, to: number): number {
  let total = 0;
  try {
    for (;;) {
      const n = copyFileRange(from, to, 0x4000_0000);
      if (n === 0) return total;
      total += n;
    }
  } catch (error) {
    // The plain loop goes on where this stopped, and meets real errors again.
    if (errnoOf(error) === Errno.EINTR) return total + copyInKernel(from, to);
    return total;
  }
}
