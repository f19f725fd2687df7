import { NO_ENTRY } from '../../protocol/attributes/acl.js';
import { AclName, parseAcl } from '../../protocol/attributes/acl-bytes.js';
import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { hasLibc } from '../libc/libc.js';
import { getXattr } from '../libc/xattrs.js';
import type { Root } from './root.js';

/** What the owner, the group (the mask, where there is one) and others have in an ACL; null when it is none. */
export function aclPermissions(bytes: Buffer): number | null {
  const acl = parseAcl(bytes);
  if (acl === null || acl.user === NO_ENTRY) return null;
  const rights = (access: number): number => access & 7;
  const group = acl.mask === NO_ENTRY ? acl.group : acl.mask;
  return (acl.user << 6) | (rights(group) << 3) | rights(acl.other);
}

/** True when new entries of a directory get an access list from it. Throws an errno error when that cannot be said. */
export function hasDefaultAcl(path: Buffer): boolean {
  try {
    return getXattr(path, AclName.DEFAULT) !== null;
  } catch (error) {
    if (errnoOf(error) === Errno.EOPNOTSUPP) return false;
    throw error;
  }
}

/** Which permissions a new entry of a directory may have without -p: those of its default ACL, or what the umask leaves. */
export class NewRights {
  private path: ByteString | null = null;
  private rights = 0;

  constructor(
    private readonly root: Root,
    private readonly umask: number,
    /** Told why a directory cannot be asked; the umask counts then. */
    private readonly onFault: (path: ByteString, errno: number) => void,
  ) {}

  /** Of an entry of the directory `path` below the root. Entries of one directory come together, so one is kept. */
  of(path: ByteString): number {
    if (path !== this.path) {
      this.rights = this.defaultRights(path) ?? 0o777 & ~this.umask;
      this.path = path;
    }
    return this.rights;
  }

  private defaultRights(path: ByteString): number | null {
    if (!hasLibc()) return null;
    try {
      const acl = getXattr(this.root.dir(path).self(), AclName.DEFAULT);
      return acl === null ? null : aclPermissions(acl);
    } catch (error) {
      const errno = errnoOf(error);
      // There are no such lists on every file system; what is no directory is no place for one (as libacl says it).
      if (errno !== Errno.EOPNOTSUPP) this.onFault(path, errno === Errno.ENOTDIR ? Errno.EACCES : errno);
      return null;
    }
  }
}
