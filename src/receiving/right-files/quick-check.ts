import { FileSummer } from '../../files/file-sum.js';
import type { FileStat } from '../../files/stat.js';
import { accessFlags } from '../../files/window.js';
import { timesDiffer } from '../itemize.js';
import type { Receiving } from '../receiving.js';

/** Decides whether a regular file needs no data: the quick check, or the sums of -c. */
export class QuickCheck {
  private readonly summer: FileSummer | null;
  private readonly sum: Buffer;

  constructor(private readonly receiving: Receiving) {
    const { listDigest } = receiving.parts;
    this.summer = listDigest === null ? null : new FileSummer(listDigest, accessFlags(receiving.session.options));
    this.sum = Buffer.alloc(listDigest?.length ?? 0);
  }

  /** -c: how a file is opened. */
  get openFlags(): number {
    return this.summer?.openFlags ?? 0;
  }

  /** -c: true when an open file, or -1, has the sum of a row; it is closed. */
  sameSum(row: number, fd: number, size: number): boolean {
    return (
      this.summer?.sumOpen(fd, size, this.sum, 0) === true && this.sum.equals(this.receiving.session.list.sum(row))
    );
  }

  same(row: number, path: Buffer, st: FileStat): boolean {
    const { list, options: o } = this.receiving.session;
    if (st.size !== list.size(row)) return false;
    if (o.checksum && this.summer !== null) {
      if (!this.summer.sum(path, st.size, this.sum, 0)) return false;
      return this.sum.equals(list.sum(row));
    }
    if (o.sizeOnly) return true;
    if (o.ignoreTimes) return false;
    return !timesDiffer(o, list.mtime(row), list.nsec(row), st.mtime, st.nsec);
  }
}
