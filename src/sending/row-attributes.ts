import { type Acl, condense, NO_ACL } from '../../protocol/attributes/acl.js';
import { NO_XATTRS, type XattrSet } from '../../protocol/attributes/xattr-set.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import type { FileList } from '../../protocol/flist/list.js';
import type { ByteString, Options } from '../../protocol/options.js';
import type { Acls } from '../files/acls.js';
import type { FileStat } from '../files/stat.js';
import type { Xattrs } from '../files/xattrs.js';

/** Reads the attributes that travel with an entry besides its columns: access control lists (-A), extended attributes (-X). */
export class RowAttributes {
  private acl: Acl = NO_ACL;
  private defaultAcl: Acl = NO_ACL;
  private xattrs: XattrSet = NO_XATTRS;

  constructor(
    private readonly list: FileList,
    private readonly options: Options,
    private readonly aclFiles: Acls,
    private readonly xattrFiles: Xattrs,
  ) {}

  /** Reads those of a file in the state `st`; false, after a message, when that fails: it is not sent then. */
  read(path: Buffer, st: FileStat, shown: () => ByteString): boolean {
    const takesPart = this.takesPart(st.mode);
    if (this.options.acls && !this.readAcls(path, takesPart && !st.isLink, st, shown)) return false;
    const xattrs = takesPart && this.options.xattrs > 0 ? this.xattrFiles.read(path, shown, false) : NO_XATTRS;
    if (xattrs === null) return false;
    this.xattrs = xattrs;
    return true;
  }

  private readAcls(path: Buffer, takesPart: boolean, st: FileStat, shown: () => ByteString): boolean {
    const { aclFiles } = this;
    const acl = takesPart ? aclFiles.read(path, 'ACCESS', st.mode, shown) : NO_ACL;
    const defaultAcl = takesPart && st.isDir ? aclFiles.read(path, 'DEFAULT', st.mode, shown) : NO_ACL;
    if (acl === null || defaultAcl === null) return false;
    this.acl = acl;
    this.defaultAcl = defaultAcl;
    return true;
  }

  /** Gives a row what was read last. */
  keep(row: number): void {
    const { list, options } = this;
    if (options.acls) {
      list.setAcl(row, list.aclTable.intern(condense(this.acl, list.mode(row))));
      list.setDefaultAcl(row, list.defaultAclTable.intern(this.defaultAcl));
    }
    if (options.xattrs > 0) list.setXattrs(row, list.xattrTable.intern(this.xattrs));
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
