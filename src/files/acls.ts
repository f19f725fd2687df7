import { type Acl, aclOfMode, expand, NO_ACL, NO_ENTRY, safeMode } from '../../protocol/attributes/acl.js';
import {
  AclName,
  aclBytes,
  FakeAclName,
  fakeAclBytes,
  parseAcl,
  parseFakeAcl,
} from '../../protocol/attributes/acl-bytes.js';
import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf, systemError } from '../libc/errno.js';
import { getXattr, removeXattr, setXattr } from '../libc/xattrs.js';
import type { Reporter } from './report.js';

const PERMISSIONS = 0o777;
const KIND = { ACCESS: 'ACL_TYPE_ACCESS', DEFAULT: 'ACL_TYPE_DEFAULT' } as const;
/** Which of a file's two lists. */
export type AclKind = keyof typeof KIND;

/** True for the errors of a file system without lists. */
function hasNone(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === Errno.EOPNOTSUPP || errno === Errno.ENOSYS || errno === Errno.EINVAL;
}

/** Reads and sets access control lists of files that are no links. */
export class Acls {
  constructor(
    /** --fake-super: lists are kept in attributes of its own, and give a file no permissions. */
    readonly isFake: boolean,
    private readonly reporter: Pick<Reporter, 'problem'>,
  ) {}

  /** A list of a file with the mode `mode`; null, after a message, when it cannot be read. */
  read(path: Buffer, kind: AclKind, mode: number, shown: () => ByteString): Acl | null {
    try {
      const bytes = getXattr(path, this.isFake ? FakeAclName[kind] : AclName[kind]);
      if (bytes === null) return kind === 'ACCESS' && !this.isFake ? aclOfMode(mode) : NO_ACL;
      const acl = this.isFake ? parseFakeAcl(bytes, mode) : parseAcl(bytes);
      if (acl !== null) return acl;
      throw systemError(Errno.EINVAL, 'lgetxattr');
    } catch (error) {
      if (hasNone(error)) return kind === 'ACCESS' ? aclOfMode(mode) : NO_ACL;
      this.reporter.problem(`get_acl: sys_acl_get_file(${shown()}, ${KIND[kind]})`, error);
      return null;
    }
  }

  /** Gives a directory a list for new entries, or none. False, after a message, when that fails. */
  setDefault(path: Buffer, acl: Acl, shown: () => ByteString): boolean {
    const name = this.isFake ? FakeAclName.DEFAULT : AclName.DEFAULT;
    const isNone = acl.user === NO_ENTRY;
    try {
      if (isNone) removeXattr(path, name);
      else setXattr(path, name, this.isFake ? fakeAclBytes(acl) : aclBytes(acl));
      return true;
    } catch (error) {
      this.failed(isNone ? 'sys_acl_delete_def_file' : 'sys_acl_set_file', 'DEFAULT', error, shown);
      return false;
    }
  }

  /**
   * Gives a file of the mode `from`, which is to have the mode `to`, an access list in its condensed form. Returns the mode that it
   * has then: the list has its permissions, but for those that must wait. -1, after a message, when that fails.
   */
  setAccess(path: Buffer, acl: Acl, from: number, to: number, shown: () => ByteString): number {
    const safe = safeMode(from, to);
    try {
      if (this.isFake) setXattr(path, FakeAclName.ACCESS, fakeAclBytes(acl));
      else setXattr(path, AclName.ACCESS, aclBytes(expand(acl, safe)));
    } catch (error) {
      this.failed('sys_acl_set_file', 'ACCESS', error, shown);
      return -1;
    }
    return this.isFake ? from : (from & ~PERMISSIONS) | (safe & PERMISSIONS);
  }

  private failed(call: string, kind: AclKind, error: unknown, shown: () => ByteString): void {
    const text = this.isFake
      ? `set_xattr_acl: fsetxattr(${shown()},"${FakeAclName[kind]}") failed`
      : `set_acl: ${call}(${shown()}, ${KIND[kind]})`;
    this.reporter.problem(text, error);
  }

  /** Gives a copy the lists of its original, whatever they are. */
  copy(from: Buffer, to: Buffer, isDir: boolean, shown: () => ByteString): void {
    const names = this.isFake ? FakeAclName : AclName;
    for (const kind of isDir ? (['ACCESS', 'DEFAULT'] as const) : (['ACCESS'] as const)) {
      try {
        const bytes = getXattr(from, names[kind]);
        if (bytes !== null) setXattr(to, names[kind], bytes);
        else removeXattr(to, names[kind]);
      } catch (error) {
        if (!hasNone(error)) this.failed('sys_acl_set_file', kind, error, shown);
      }
    }
  }
}
