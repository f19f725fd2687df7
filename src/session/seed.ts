import { randomInt } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { rootChanged } from '../libc/libc.js';

/** Largest seed, and how many there are. */
const LARGEST = 0x7fff_ffff;

/**
 * A seed for checksums, which nobody can know in advance; never 0. The system's own source is asked for it, as `node:crypto` takes 4 to 6 ms
 * to load. In another root directory that name may be anything.
 */
export function randomSeed(): number {
  if (rootChanged()) return randomInt(1, LARGEST);
  let fd = -1;
  try {
    fd = openSync('/dev/urandom', 'r');
    const bytes = Buffer.allocUnsafe(4);
    if (readSync(fd, bytes) === bytes.length) return (bytes.readUInt32LE(0) % (LARGEST - 1)) + 1;
  } catch {
    // There is none here.
  } finally {
    if (fd >= 0) closeSync(fd);
  }
  return randomInt(1, LARGEST);
}
