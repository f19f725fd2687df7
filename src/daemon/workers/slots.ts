import fs from 'node:fs';
import type { ByteString } from '../../../protocol/options.js';
import { hasLibc, lockRange } from '../../libc/libc.js';
import { openTrusted } from '../clients/trusted-file.js';

/** Each slot is a record of so many bytes in the lock file. */
const RECORD = 4;

interface LockFile {
  fd: number;
  taken: Set<number>;
}

export interface Slot {
  release(): void;
}

const FREE: Slot = { release() {} };

/**
 * Counts connections against "max connections". Modules that name the same lock file share its slots; a module may use
 * the first N of them. The slots are locked as records of the file as well, so that other daemons with the same file
 * see them, where record locks can be had.
 */
export class Slots {
  private readonly files = new Map<ByteString, LockFile>();

  /** Takes a slot: null when all N are taken. Throws an errno error when the file cannot be opened. 0 is no limit. */
  claim(path: ByteString, maxConnections: number): Slot | null {
    if (maxConnections === 0) return FREE;
    const file = this.open(path);
    for (let i = 0; i < maxConnections; i++) {
      if (file.taken.has(i)) continue;
      if (hasLibc() && !lockRange(file.fd, i * RECORD, RECORD)) continue;
      file.taken.add(i);
      return { release: () => this.release(path, file, i) };
    }
    this.closeIfUnused(path, file);
    return null;
  }

  private open(path: ByteString): LockFile {
    let file = this.files.get(path);
    if (file === undefined) {
      const { O_RDWR, O_CREAT } = fs.constants;
      file = { fd: openTrusted(path, O_RDWR | O_CREAT), taken: new Set() };
      this.files.set(path, file);
    }
    return file;
  }

  private release(path: ByteString, file: LockFile, index: number): void {
    if (!file.taken.delete(index)) return;
    this.closeIfUnused(path, file);
  }

  /** Closing drops every lock that this process has on the file, so that it waits for the last connection. */
  private closeIfUnused(path: ByteString, file: LockFile): void {
    if (file.taken.size > 0 || this.files.get(path) !== file) return;
    this.files.delete(path);
    fs.closeSync(file.fd);
  }
}
