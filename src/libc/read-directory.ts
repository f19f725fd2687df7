import { closeSync, constants } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { lazily, needed } from './bind.js';
import { Errno } from './errno.js';

const { O_DIRECTORY, O_NOFOLLOW, O_NOATIME } = constants;
const O_CLOEXEC = 0o2000000;

/** Types of entries as directories keep them (d_type). */
export const EntryType = { UNKNOWN: 0, DIRECTORY: 4, FILE: 8 } as const;

const functions = lazily({
  open: 'int open(void *path, int flags)',
  getdents64: 'int64_t getdents64(int fd, void *entries, size_t size)',
});

const entries = Buffer.alloc(1 << 16);
const DOT = 0x2e;

/**
 * Calls `onEntry` for each entry of a directory (`path` ends with a NUL byte; links are not followed) without an object
 * per entry. Returns 0 or a positive errno. `onEntry` must not read directories itself: there is one buffer.
 */
export function readDirectory(path: Uint8Array, onEntry: (name: ByteString, type: number) => void): number {
  const c = needed(functions(), 'watching');
  const flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  let fd = c.open(path, flags | O_NOATIME);
  // Only the owner may read without leaving a trace.
  if (fd < 0 && c.koffi.errno() === Errno.EPERM) fd = c.open(path, flags);
  if (fd < 0) return c.koffi.errno();
  try {
    for (;;) {
      const length = Number(c.getdents64(fd, entries, entries.length));
      if (length < 0) return c.koffi.errno();
      if (length === 0) return 0;
      decodeEntries(length, onEntry);
    }
  } finally {
    closeSync(fd);
  }
}

/** struct linux_dirent64: inode (8 bytes), offset (8), record length (2), type (1), name with a NUL. */
function decodeEntries(length: number, onEntry: (name: ByteString, type: number) => void): void {
  for (let at = 0; at < length; ) {
    const size = entries.readUInt16LE(at + 16);
    const start = at + 19;
    const isDot =
      entries[start] === DOT && (entries[start + 1] === 0 || (entries[start + 1] === DOT && entries[start + 2] === 0));
    if (!isDot) onEntry(entries.toString('latin1', start, entries.indexOf(0, start)), entries[at + 18]);
    at += size;
  }
}
