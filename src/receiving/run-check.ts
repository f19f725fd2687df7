import { rowIn } from '../../protocol/flist/chunk.js';
import type { FileList } from '../../protocol/flist/list.js';
import { ListKernel, ListPlace } from '../../protocol/kernel/list-kernel.js';
import type { Options } from '../../protocol/options.js';
import type { IdMap } from '../files/ids.js';
import { addressOf } from '../libc/libc.js';
import type { RawPlace } from '../libc/place.js';

const PERMISSION_BITS = 0o7777;

/** Compares runs of plain files with what is there: a look at each, and a call of the kernel. */
export class RunCheck {
  /** The error number of the look at the row that ended the last run; `kernel.statx` is what it has found. */
  errno = 0;
  readonly kernel = new ListKernel();
  private readonly out = addressOf(this.kernel.bytes) + ListPlace.STATX;
  private readonly modes: number;
  private readonly asksTime: number;

  constructor(
    private readonly list: FileList,
    private readonly options: Options,
    private readonly ids: IdMap,
    private readonly asksOwner: boolean,
  ) {
    const o = options;
    this.modes = o.perms ? PERMISSION_BITS : 0;
    this.asksTime = o.sizeOnly && !o.times ? 0 : o.modifyWindow < 0 ? 2 : 1;
  }

  /** False when options ask for more than the kernel compares. */
  static applies(o: Options): boolean {
    return !o.checksum && o.modifyWindow <= 0;
  }

  /**
   * How many of the `count` rows from `row` on, plain files of the directory that `place` is in and of one chunk, are right:
   * the row behind them, if there is one, was looked at in vain. -1 when it cannot be said.
   */
  pass(place: RawPlace, row: number, count: number): number {
    const { list, kernel, options: o, ids, modes, asksTime, out } = this;
    const chunk = list.chunkOf(row);
    const i = rowIn(row);
    if (!chunk.load(kernel, i, count) || !chunk.uid.isUniform(i, count) || !chunk.gid.isUniform(i, count)) return -1;
    const uid = this.asksOwner ? ids.uid(list.uid(row)) : -1;
    const gid = o.group && ids.maySetGroup(list.gid(row)) ? ids.gid(list.gid(row)) : -1;
    if (uid !== (uid | 0) || gid !== (gid | 0)) return -1;
    const names = addressOf(chunk.arena);
    const { nameOffset } = chunk;
    const { wasm } = kernel;
    for (let k = 0; k < count; k++) {
      this.errno = place.statxAt(names + nameOffset[i + k], out);
      if (this.errno !== 0 || wasm.isRight(k, modes, asksTime, uid, gid) === 0) return k;
    }
    return count;
  }
}
