import { closeSync, constants, openSync } from 'node:fs';
import { S_IFMT, S_IFREG } from '../../protocol/constants.js';
import { seekLength } from '../libc/libc.js';
import type { FileStat } from './stat.js';

const { O_RDONLY, O_NONBLOCK } = constants;

/** Bytes on an open device; 0 where it tells none. */
export function deviceLength(fd: number): number {
  try {
    return seekLength(fd);
  } catch {
    return 0;
  }
}

/**
 * What --copy-devices and --write-devices mean: the device at `path`, which `st` is about, counts as a regular file with what is on
 * it. One that cannot be opened, or that tells no length, counts as an empty file.
 */
export function takeForFile(st: FileStat, path: Uint8Array): void {
  st.mode = S_IFREG | (st.mode & ~S_IFMT);
  if (st.size > 0) return;
  try {
    const fd = openSync(path as Buffer, O_RDONLY | O_NONBLOCK);
    st.size = deviceLength(fd);
    closeSync(fd);
  } catch {
    st.size = 0;
  }
}
