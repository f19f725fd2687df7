import { type Acl, condense, NO_ACL } from '../../../protocol/attributes/acl.js';
import type { XattrNames } from '../../../protocol/attributes/xattr-names.js';
import { NO_XATTRS, type XattrSet } from '../../../protocol/attributes/xattr-set.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../../protocol/constants.js';
import type { FileList } from '../../../protocol/flist/list.js';
import type { ByteString, Options } from '../../../protocol/options.js';
import type { Acls } from '../../files/acls.js';
import { FoundAttributes } from '../../files/found-attributes.js';
import type { FileStat } from '../../files/stat.js';
import type { Xattrs } from '../../files/xattrs.js';
import { libcLoaded } from '../../libc/libc.js';
import { FoundNumbers } from './found-numbers.js';

/** Reads the attributes that travel with an entry besides its columns: access control lists (-A), extended attributes (-X). */
export class RowAttributes {
  /** Those of files that are taken in runs; null until there are some. */
  private found: FoundNumbers | null = null;
  private acl: Acl = NO_ACL;
  private defaultAcl: Acl = NO_ACL;
  private xattrs: XattrSet = NO_XATTRS;

  constructor(
    private readonly list: FileList,
    private readonly options: Options,
    private readonly aclFiles: Acls,
    private readonly xattrFiles: Xattrs,
    private readonly names: XattrNames,
  ) {}

  /** What takes files of a directory, whose path has a slash at its end, in runs; null without the C library, which runs need. */
  takerFor(path: Uint8Array): FoundNumbers | null {
    const { list, options: o } = this;
    if (!libcLoaded()) return null;
    this.found ??= new FoundNumbers(list, o, new FoundAttributes(o.acls, o.xattrs > 0 ? this.names : null));
    this.found.enter(path);
    return this.found;
  }

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
