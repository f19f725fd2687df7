import { type Acl, NO_ACL } from '../../protocol/attributes/acl.js';
import { AclName, parseAcl } from '../../protocol/attributes/acl-bytes.js';
import type { XattrNames } from '../../protocol/attributes/xattr-names.js';
import { NO_XATTRS, type XattrSet } from '../../protocol/attributes/xattr-set.js';
import type { ByteString } from '../../protocol/options.js';
import { Errno } from '../libc/errno.js';
import { XattrPlace } from '../libc/xattr-place.js';
import { xattrSet } from './xattrs.js';

/** Access list and extended attributes of a regular file, as far as they take part. */
export interface Found {
  /** NO_ACL where the mode says it all. */
  readonly acl: Acl;
  readonly xattrs: XattrSet;
}

export const FOUND_NONE: Found = { acl: NO_ACL, xattrs: NO_XATTRS };

/** What files with the same names of attributes have: those that are asked for, and what came of their values. */
interface Kind {
  /** Where the names begin and end in the list; `isAcl`: that of the access list. */
  readonly asked: readonly { from: number; to: number; isAcl: boolean }[];
  readonly byValues: Map<string, Found>;
}

/** Different values that are remembered, at most. */
const MOST = 2000;

/**
 * Looks what the files of a directory have besides their modes. Most have nothing, which one call says; others mostly have what
 * another one had, which is recognised by the bytes. What is large or cannot be read is left to `Acls` and `Xattrs`.
 */
export class FoundAttributes {
  private readonly place = new XattrPlace();
  private readonly kinds = new Map<string, Kind>();
  private remembered = 0;

  constructor(
    private readonly acls: boolean,
    /** Null without -X. */
    private readonly names: XattrNames | null,
  ) {}

  /** Goes to a directory, whose path has a slash at its end. */
  enter(path: Uint8Array): void {
    this.place.enter(path);
  }

  /** Looks at a file, see `XattrPlace.list`; null: that is to be done in another way. */
  look(dir: number, name: number): Found | null {
    const length = this.place.list(dir, name);
    if (length <= 0) return length === 0 || length === -Errno.EOPNOTSUPP ? FOUND_NONE : null;
    const names = this.place.bytes.toString('latin1', 0, length);
    const kind = this.kinds.get(names) ?? this.newKind(names);
    return kind.asked.length === 0 ? FOUND_NONE : this.read(kind, length);
  }

  private newKind(names: string): Kind {
    const asked: { from: number; to: number; isAcl: boolean }[] = [];
    for (let from = 0; from < names.length; ) {
      const to = names.indexOf('\0', from);
      const name = names.slice(from, to);
      const isAcl = name === AclName.ACCESS;
      if (isAcl ? this.acls : this.names?.counts(name) === true) asked.push({ from, to, isAcl });
      from = to + 1;
    }
    const kind = { asked, byValues: new Map<string, Found>() };
    this.remember();
    this.kinds.set(names, kind);
    return kind;
  }

  /** Reads the values that are asked for behind the names, which take `start` bytes. */
  private read(kind: Kind, start: number): Found | null {
    const { place } = this;
    let lengths = '';
    let end = start;
    for (const { from } of kind.asked) {
      const length = place.get(from, end);
      if (length < 0) return null;
      if (kind.asked.length > 1) lengths += `${length} `;
      end += length;
    }
    const key = lengths + place.bytes.toString('latin1', start, end);
    return kind.byValues.get(key) ?? this.newFound(kind, start, key);
  }

  private newFound(kind: Kind, start: number, key: string): Found | null {
    const { bytes } = this.place;
    const values: { name: ByteString; value: Buffer }[] = [];
    let acl: Acl | null = NO_ACL;
    let at = start;
    const lengths = kind.asked.length > 1 ? key.split(' ', kind.asked.length).map(Number) : [key.length];
    for (const [i, { from, to, isAcl }] of kind.asked.entries()) {
      const value = Buffer.from(bytes.subarray(at, at + lengths[i]));
      at += lengths[i];
      if (isAcl) acl = parseAcl(value);
      else values.push({ name: bytes.toString('latin1', from, to), value });
    }
    if (acl === null) return null;
    const found = { acl, xattrs: xattrSet(values, false) };
    this.remember();
    kind.byValues.set(key, found);
    return found;
  }

  private remember(): void {
    if (++this.remembered <= MOST) return;
    this.kinds.clear();
    this.remembered = 1;
  }
}
