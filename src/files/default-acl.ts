import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { getXattr, hasLibc } from '../libc/libc.js';
import type { Root } from './root.js';

/** acl_ea_header: a 32-bit version; then entries of 8 bytes: tag, permissions (16 bits each), id (linux/posix_acl_xattr.h). */
const VERSION = 2;
const HEADER = 4;
const ENTRY = 8;
const USER_OBJ = 0x01;
const GROUP_OBJ = 0x04;
const MASK = 0x10;
const OTHER = 0x20;
const RWX = 7;

/** What the owner, the group (the mask, where there is one) and others have in an ACL; null when it is none. */
export function aclPermissions(acl: Buffer): number | null {
  if (acl.length < HEADER || acl.readUInt32LE(0) !== VERSION) return null;
  const found = new Map<number, number>();
  for (let at = HEADER; at + ENTRY <= acl.length; at += ENTRY) {
    found.set(acl.readUInt16LE(at), acl.readUInt16LE(at + 2) & RWX);
  }
  const owner = found.get(USER_OBJ);
  if (owner === undefined) return null;
  return (owner << 6) | ((found.get(MASK) ?? found.get(GROUP_OBJ) ?? 0) << 3) | (found.get(OTHER) ?? 0);
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
      const acl = getXattr(this.root.dir(path).self(), 'system.posix_acl_default');
      return acl === null ? null : aclPermissions(acl);
    } catch (error) {
      const errno = errnoOf(error);
      // There are no such lists on every file system; what is no directory is no place for one (as libacl says it).
      if (errno !== Errno.EOPNOTSUPP) this.onFault(path, errno === Errno.ENOTDIR ? Errno.EACCES : errno);
      return null;
    }
  }
}
