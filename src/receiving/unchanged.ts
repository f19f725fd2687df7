import fs from 'node:fs';
import type { Digest } from '../../protocol/hash/digest.js';
import type { FileStat } from '../files/stat.js';
import { timesDiffer } from './itemize.js';
import type { Receiving } from './receiving.js';

const PIECE = 256 * 1024;

/** Writes the -c sum of a file into `out`; false when it cannot be read. */
export function sumFile(path: Buffer, digest: Digest, out: Uint8Array, at: number, buffer: Buffer): boolean {
  let fd = -1;
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
    digest.init();
    for (;;) {
      const n = fs.readSync(fd, buffer, 0, buffer.length, null);
      if (n === 0) break;
      digest.update(buffer, 0, n);
    }
    digest.final(out, at);
    return true;
  } catch {
    return false;
  } finally {
    if (fd >= 0) fs.closeSync(fd);
  }
}

/** Decides whether a regular file needs no data: the quick check, or the sums of -c. */
export class QuickCheck {
  private buffer: Buffer | null = null;
  private readonly sum: Buffer;

  constructor(private readonly receiving: Receiving) {
    this.sum = Buffer.alloc(receiving.parts.listDigest?.length ?? 0);
  }

  same(row: number, path: Buffer, st: FileStat): boolean {
    const { session, parts } = this.receiving;
    const { list, options: o } = session;
    if (st.size !== list.size[row]) return false;
    if (o.checksum && parts.listDigest !== null) {
      this.buffer ??= Buffer.allocUnsafeSlow(PIECE);
      if (!sumFile(path, parts.listDigest, this.sum, 0, this.buffer)) return false;
      return this.sum.compare(list.sums, row * list.sumLength, (row + 1) * list.sumLength) === 0;
    }
    if (o.sizeOnly) return true;
    if (o.ignoreTimes) return false;
    return !timesDiffer(o, list.mtime[row], list.nsec[row], st.mtime, st.nsec);
  }
}
