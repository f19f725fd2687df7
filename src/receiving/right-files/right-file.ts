import type { FileList } from '../../../protocol/flist/list.js';
import type { Options } from '../../../protocol/options.js';
import type { IdMap } from '../../files/ids.js';
import type { FileStat } from '../../files/stat.js';
import { timesDiffer } from '../itemize.js';

const PERMISSION_BITS = 0o7777;

/**
 * What a regular file has to be to need nothing, apart from its sum with -c. A single one is compared here; runs are compared by
 * a kernel (protocol/kernel/assembly/list/look.ts), which is told what counts.
 */
export class RightFile {
  /** Permissions that count. */
  readonly modes: number;
  /** What counts of the time: 0 nothing, 1 seconds (or --modify-window), 2 the fraction as well. */
  readonly asksTime: number;

  constructor(
    private readonly list: FileList,
    private readonly options: Options,
    private readonly ids: IdMap,
    private readonly asksOwner: boolean,
  ) {
    const o = options;
    this.modes = o.perms ? PERMISSION_BITS : 0;
    // With -c the fraction of a time is put right as well.
    if (o.checksum) this.asksTime = o.times ? 2 : 0;
    else this.asksTime = o.sizeOnly && !o.times ? 0 : o.modifyWindow < 0 ? 2 : 1;
  }

  /** The user that a row's file is to have, -1 for any. */
  uid(row: number): number {
    return this.asksOwner ? this.ids.uid(this.list.uid(row)) : -1;
  }

  /** The group that a row's file is to have, -1 for any. */
  gid(row: number): number {
    const { ids, list } = this;
    return this.options.group && ids.maySetGroup(list.gid(row)) ? ids.gid(list.gid(row)) : -1;
  }

  /** True when a row's file, which is there as `stat` says, is right. */
  is(row: number, stat: FileStat): boolean {
    const { list } = this;
    if (!stat.isRegular || stat.size !== list.size(row) || !this.hasTime(row, stat)) return false;
    if (((list.mode(row) ^ stat.mode) & this.modes) !== 0) return false;
    const uid = this.uid(row);
    const gid = this.gid(row);
    return (uid === -1 || uid === stat.uid) && (gid === -1 || gid === stat.gid);
  }

  private hasTime(row: number, { mtime, nsec }: FileStat): boolean {
    const { list, asksTime } = this;
    if (asksTime === 0) return true;
    if (asksTime === 2 && list.nsec(row) !== nsec) return false;
    return !timesDiffer(this.options, list.mtime(row), list.nsec(row), mtime, nsec);
  }
}
