import type { XattrNames } from '../../protocol/attributes/xattr-names.js';
import {
  byName,
  MAX_FULL_VALUE,
  NO_XATTRS,
  type Xattr,
  type XattrSet,
  XattrState,
} from '../../protocol/attributes/xattr-set.js';
import { S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import { oneShot } from '../../protocol/hash/digest.js';
import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf, systemError } from '../libc/errno.js';
import { getXattr, listXattrs, removeXattr, setXattr } from '../libc/xattrs.js';
import type { Reporter } from './report.js';
import { chmodNoFollow } from './set.js';
import type { FileStat } from './stat.js';

const OWNER_WRITES = 0o200;
const PERMISSION_BITS = 0o7777;

export interface NamedValue {
  name: ByteString;
  value: Buffer;
}

/** A set of attributes that a file has. With `keep` long values are kept besides their digests. */
export function xattrSet(values: readonly NamedValue[], keep: boolean): XattrSet {
  if (values.length === 0) return NO_XATTRS;
  const set = values.map(({ name, value }): Xattr => {
    const isLong = value.length > MAX_FULL_VALUE;
    return {
      name,
      length: value.length,
      value: isLong && !keep ? null : value,
      digest: isLong ? oneShot('md5', [value]) : null,
      number: 0,
      state: XattrState.ABBREVIATED,
    };
  });
  return set.sort(byName).map((item, i) => ({ ...item, number: i + 1 }));
}

/** Reads and sets the extended attributes that take part in a transfer. Links are never followed. */
export class Xattrs {
  constructor(
    private readonly names: XattrNames,
    private readonly reporter: Pick<Reporter, 'problem' | 'failure'>,
  ) {}

  /**
   * The set of a file, in the order of the names; null, after a message, when it cannot be read. `shown` is its name for
   * messages, in quotes. With `keep` long values are kept besides their digests.
   */
  read(path: Buffer, shown: () => ByteString, keep: boolean): XattrSet | null {
    const names = this.list(path, shown);
    if (names === null) return null;
    const values: NamedValue[] = [];
    for (const name of names) {
      if (!this.names.counts(name)) continue;
      const value = this.value(path, name, shown);
      if (value === null) return null;
      values.push({ name, value });
    }
    return xattrSet(values, keep);
  }

  /** The value of one attribute; null, after a message, when it cannot be read. */
  value(path: Buffer, name: ByteString, shown: () => ByteString): Buffer | null {
    try {
      const value = getXattr(path, name);
      if (value !== null) return value;
      throw systemError(Errno.ENODATA, 'lgetxattr');
    } catch (error) {
      this.reporter.problem(`get_xattr_data: lgetxattr(${shown()},"${name}",0) failed`, error);
      return null;
    }
  }

  private list(path: Buffer, shown: () => ByteString): string[] | null {
    try {
      return listXattrs(path);
    } catch (error) {
      // A file system without attributes.
      if (errnoOf(error) === Errno.EOPNOTSUPP) return [];
      this.reporter.problem(`get_xattr_names: llistxattr(${shown()},1024) failed`, error);
      return null;
    }
  }

  /** Gives a file, whose state is `st`, the attributes of a set, and no others. What fails is told, and the rest is done. */
  apply(path: Buffer, set: XattrSet, st: FileStat, shown: () => ByteString): void {
    const present = this.list(path, shown);
    if (present === null) return;
    const writer = new XattrWriter(path, st);
    const call = callPrefix(st);
    for (const item of set) {
      if (item.value === null && item.state !== XattrState.DONE) this.expectSame(path, item, shown);
      else this.try(`rsync_xal_set: ${call}setxattr(${shown()},"${item.name}") failed`, () => writer.set(item));
    }
    const wanted = new Set(set.map(({ name }) => name));
    for (const name of present) {
      if (wanted.has(name) || !this.names.mayGo(name)) continue;
      this.try(`rsync_xal_set: ${call}removexattr(${shown()},"${name}") failed`, () => writer.remove(name));
    }
    writer.end();
  }

  /** A long value was not sent because the file has it already. */
  private expectSame(path: Buffer, { name, digest }: Xattr, shown: () => ByteString): void {
    let value: Buffer | null = null;
    try {
      value = getXattr(path, name);
    } catch {
      // It is missed below.
    }
    if (value !== null && digest !== null && oneShot('md5', [value]).equals(digest)) return;
    this.reporter.failure(`Missing abbreviated xattr value, ${name}, for ${shown()}`);
  }

  /** Gives a file those of another one. */
  copy(from: Buffer, to: Buffer, st: FileStat, shown: () => ByteString): void {
    const set = this.read(from, shown, true);
    if (set !== null && set.length > 0) this.apply(to, set, st, shown);
  }

  private try(text: ByteString, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.reporter.problem(text, error);
    }
  }
}

/** rsync's messages name the call, which is another one for what can be opened. */
function callPrefix({ mode }: FileStat): 'f' | 'l' {
  const type = mode & S_IFMT;
  return type === S_IFREG || type === S_IFDIR || type === S_IFIFO ? 'f' : 'l';
}

/** Changes attributes of one file; where its owner may not write to it, that is allowed meanwhile. */
class XattrWriter {
  private isOpened = false;

  constructor(
    private readonly path: Buffer,
    private readonly st: FileStat,
  ) {}

  set(item: Xattr): void {
    const { value } = item;
    // A value that was too long to be kept.
    if (value === null) throw systemError(Errno.E2BIG, 'lsetxattr');
    this.withRights(() => setXattr(this.path, item.name, value));
  }

  remove(name: ByteString): void {
    this.withRights(() => removeXattr(this.path, name));
  }

  private withRights(work: () => void): void {
    const { path, st } = this;
    try {
      work();
    } catch (error) {
      if (errnoOf(error) !== Errno.EACCES || this.isOpened || st.isLink || st.mode & OWNER_WRITES) throw error;
      chmodNoFollow(path, (st.mode & PERMISSION_BITS) | OWNER_WRITES);
      this.isOpened = true;
      work();
    }
  }

  /** Takes back what was allowed. */
  end(): void {
    if (this.isOpened) chmodNoFollow(this.path, this.st.mode & PERMISSION_BITS);
  }
}
