import { constants, readSync } from 'node:fs';
import type { Digest } from '../../protocol/hash/digest.js';
import { FIRST_FREE } from '../../protocol/kernel/kernel.js';
import { closeFile, openFile } from '../libc/files.js';

/** Bytes that are read at once. */
const PIECE = 256 * 1024;
const CLOSE_ON_EXEC = 0o2000000;
/** A link in the place of a file is an error, and a fifo does not make us wait. */
const OPEN_FOR_SUM = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | CLOSE_ON_EXEC;

/** Sums of whole files, as -c compares them. One object serves a session; with a kernel, files are read into its memory. */
export class FileSummer {
  private readonly bytes: Uint8Array;
  private readonly from: number;

  /** How a file is opened. */
  readonly openFlags: number;

  /** `more`: flags for opening files beside the usual ones. */
  constructor(
    private readonly digest: Digest,
    more = 0,
  ) {
    this.openFlags = OPEN_FOR_SUM | more;
    const { kernel } = digest;
    kernel?.reserve(FIRST_FREE + PIECE);
    this.bytes = kernel?.bytes ?? Buffer.allocUnsafeSlow(PIECE);
    this.from = kernel === null ? 0 : FIRST_FREE;
  }

  /** Bytes of a sum. */
  get length(): number {
    return this.digest.length;
  }

  /** Writes the sum of the first `size` bytes of a file to `out` from `at` on; false when it cannot be read. */
  sum(path: Buffer, size: number, out: Uint8Array, at: number): boolean {
    let fd = -1;
    try {
      fd = openFile(path, this.openFlags);
    } catch {
      return false;
    }
    return this.sumOpen(fd, size, out, at);
  }

  /** The same for a file that is open, or -1; it is closed. */
  sumOpen(fd: number, size: number, out: Uint8Array, at: number): boolean {
    try {
      if (fd < 0) return false;
      this.read(fd, size);
      this.digest.final(out, at);
      return true;
    } catch {
      return false;
    } finally {
      if (fd >= 0) closeFile(fd);
    }
  }

  /** Most files are one read: what `size` says is not asked for again to see the end of the file. */
  private read(fd: number, size: number): void {
    const { digest, bytes, from } = this;
    digest.init();
    for (let left = size; left > 0; ) {
      const n = readSync(fd, bytes, from, Math.min(left, PIECE), null);
      if (n === 0) break;
      digest.update(bytes, from, from + n);
      left -= n;
    }
  }
}
