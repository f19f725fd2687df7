import { NO_XATTRS, type XattrSet } from '../../protocol/attributes/xattr-set.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import type { FileList } from '../../protocol/flist/list.js';
import type { ByteString, Options } from '../../protocol/options.js';
import type { FileStat } from '../files/stat.js';
import type { Xattrs } from '../files/xattrs.js';

/** Reads the attributes that travel with an entry besides its columns: with -X its extended attributes. */
export class RowAttributes {
  private found: XattrSet = NO_XATTRS;

  constructor(
    private readonly list: FileList,
    private readonly options: Options,
    private readonly xattrs: Xattrs,
  ) {}

  /** Reads those of a file in the state `st`; false, after a message, when that fails: it is not sent then. */
  read(path: Buffer, st: FileStat, shown: () => ByteString): boolean {
    const found = this.takesPart(st.mode) ? this.xattrs.read(path, shown, false) : NO_XATTRS;
    if (found === null) return false;
    this.found = found;
    return true;
  }

  /** Gives a row what was read last. */
  keep(row: number): void {
    this.list.setXattrs(row, this.list.xattrTable.intern(this.found));
  }

  /** Those of what is not kept itself are not asked for; a missing argument has no type. */
  private takesPart(mode: number): boolean {
    const { links, devices, specials } = this.options;
    switch (mode & S_IFMT) {
      case 0:
        return false;
      case S_IFREG:
      case S_IFDIR:
        return true;
      case S_IFLNK:
        return links;
      case S_IFCHR:
      case S_IFBLK:
        return devices;
      default:
        return specials;
    }
  }
}
