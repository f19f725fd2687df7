import { CHUNK_ROWS, type Chunk, rowIn } from '../../../protocol/flist/chunk.js';
import { type FileList, rowAt, type Segment } from '../../../protocol/flist/list.js';
import { ListKernel, ListPlace, RUN_ROWS } from '../../../protocol/kernel/list-kernel.js';
import type { Options } from '../../../protocol/options.js';
import { addressOf } from '../../libc/libc.js';
import type { RawPlace } from '../../libc/place.js';
import type { RowFurther } from '../attributes/row-further.js';
import type { QuickCheck } from './quick-check.js';
import type { RightFile } from './right-file.js';

const LARGEST_SUMMED = 1 << 20;

/** Compares runs of plain files with what is there: a look at each, and a call of the kernel. */
export class RunCheck {
  /** The error number of the look at the row that ended the last run; `kernel.statx` is what it has found. */
  errno = 0;
  readonly kernel = new ListKernel();
  private readonly out = addressOf(this.kernel.bytes) + ListPlace.STATX;
  /** Where the names of a run are in memory: kept by the chunks that they lie in. */
  private readonly names = new Float64Array(RUN_ROWS);

  constructor(
    private readonly list: FileList,
    private readonly options: Options,
    private readonly right: RightFile,
    private readonly check: QuickCheck,
    /** Null where files have nothing but what the kernel compares. */
    private readonly further: RowFurther | null,
  ) {}

  /**
   * How many entries of a plain list, `count` at most and from its `at`-th on, are right; `place` is in their directory. The
   * one behind them, if it is below `count`, was looked at in vain. -1 when it cannot be said.
   */
  pass(place: RawPlace, segment: Segment, at: number, count: number): number {
    const { kernel, options: o, right, out, names, further } = this;
    const { modes, asksTime } = right;
    const row = rowAt(segment, at);
    if (segment.order === null ? !this.loadRows(row, count) : !this.loadOrder(segment.order, at, count)) return -1;
    const uid = right.uid(row);
    const gid = right.gid(row);
    if (uid !== (uid | 0) || gid !== (gid | 0)) return -1;
    const { wasm } = kernel;
    for (let k = 0; k < count; k++) {
      this.errno = place.statxAt(names[k], out);
      if (this.errno !== 0 || wasm.isRight(k, modes, asksTime, uid, gid) === 0) return k;
      if (further !== null && !further.isRight(rowAt(segment, at + k), place.fd, names[k])) return k;
      if (o.checksum && !this.hasSum(place, rowAt(segment, at + k), k)) return k;
    }
    return count;
  }

  /** -c: true for a file that is small and has the sum of its row. A large one is not worth to be read twice if it has not. */
  private hasSum(place: RawPlace, row: number, k: number): boolean {
    const size = this.kernel.sizes[k];
    return size <= LARGEST_SUMMED && this.check.sameSum(row, place.openAt(this.names[k], this.check.openFlags), size);
  }

  /** Makes rows that follow each other in a chunk the kernel's run. False when that is not possible. */
  private loadRows(row: number, count: number): boolean {
    const chunk = this.list.chunkOf(row);
    const i = rowIn(row);
    if (i + count > CHUNK_ROWS || !chunk.load(this.kernel, i, count)) return false;
    const { names } = this;
    const base = addressOf(chunk.arena);
    const { nameOffset } = chunk;
    for (let k = 0; k < count; k++) names[k] = base + nameOffset[i + k];
    return chunk.uid.isUniform(i, count) && chunk.gid.isUniform(i, count);
  }

  /** The same for rows in any order. */
  private loadOrder(order: Int32Array, at: number, count: number): boolean {
    const { list, kernel, names } = this;
    const { modes, sizes, mtimes, nsecs } = kernel;
    const [uid, gid] = [list.uid(order[at]), list.gid(order[at])];
    let last: Chunk | null = null;
    let base = 0;
    for (let k = 0; k < count; k++) {
      const row = order[at + k];
      const chunk = list.chunkOf(row);
      if (chunk !== last) base = addressOf(chunk.arena);
      last = chunk;
      const i = rowIn(row);
      const size = chunk.size.get(i);
      const mtime = chunk.mtime.get(i);
      if (size !== (size | 0) || mtime !== (mtime | 0) || chunk.uid.get(i) !== uid || chunk.gid.get(i) !== gid)
        return false;
      modes[k] = chunk.mode[i];
      sizes[k] = size;
      mtimes[k] = mtime;
      nsecs[k] = chunk.nsec.get(i);
      names[k] = base + chunk.nameOffset[i];
    }
    return true;
  }
}
