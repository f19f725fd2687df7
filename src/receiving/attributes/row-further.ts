import { type Acl, hasAcl } from '../../../protocol/attributes/acl.js';
import { type XattrSet, xattrsDiffer } from '../../../protocol/attributes/xattr-set.js';
import type { FileList } from '../../../protocol/flist/list.js';
import { FOUND_NONE, type Found, type FoundAttributes } from '../../files/found-attributes.js';

/** What rows have besides columns, by their numbers in the list's tables: access lists with the ids of this side. */
export interface FurtherOfRows {
  acl(number: number): Acl;
  xattrs(number: number): XattrSet;
}

/** Access lists and extended attributes of regular files, many of which have nothing, or the same. */
export class RowFurther {
  private found: FoundAttributes | null = null;
  // The last comparison that found no difference.
  private acl = -1;
  private xattrs = -1;
  private mode = -1;
  private last: Found | null = null;
  // Numbers of an access list and a set of attributes that say nothing.
  private noAcl = -1;
  private noXattrs = -1;

  constructor(
    private readonly list: FileList,
    private readonly rows: FurtherOfRows,
    private readonly newFound: () => FoundAttributes,
  ) {}

  /** Goes to a directory, whose path has a slash at its end. Only when `libcLoaded()`. */
  enter(path: Uint8Array): void {
    this.found ??= this.newFound();
    this.found.enter(path);
  }

  /** True when the file of a row, which has its mode and whose name is at an address, in an open directory, has what the row has. */
  isRight(row: number, dir: number, name: number): boolean {
    const { list } = this;
    const found = this.found!.look(dir, name);
    if (found === null) return false;
    const acl = list.acl(row);
    const xattrs = list.xattrs(row);
    const mode = list.mode(row);
    if (found === this.last && acl === this.acl && xattrs === this.xattrs && mode === this.mode) return true;
    if (!this.equals(found, acl, xattrs, mode)) return false;
    this.last = found;
    this.acl = acl;
    this.xattrs = xattrs;
    this.mode = mode;
    return true;
  }

  private equals(found: Found, acl: number, xattrs: number, mode: number): boolean {
    const { rows } = this;
    return (acl === 0 || hasAcl(found.acl, rows.acl(acl), mode)) && !xattrsDiffer(rows.xattrs(xattrs), found.xattrs);
  }

  /** True when a set of attributes has some: its row is asked for in another way then. */
  hasXattrs(xattrs: number): boolean {
    return this.rows.xattrs(xattrs).length > 0;
  }

  /** True when a row with this access list and set of attributes has nothing but columns. */
  hasNothing(acl: number, xattrs: number): boolean {
    if (acl !== this.noAcl || xattrs !== this.noXattrs) {
      if (!this.equals(FOUND_NONE, acl, xattrs, 0)) return false;
      this.noAcl = acl;
      this.noXattrs = xattrs;
    }
    return true;
  }
}
