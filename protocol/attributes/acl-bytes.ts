import { type Acl, aclOfMode, byId, type NamedEntry, NO_ACL, NO_ENTRY } from './acl.js';

/** The attributes that Linux keeps lists in, and where --fake-super keeps them (12.5). */
export const AclName = { ACCESS: 'system.posix_acl_access', DEFAULT: 'system.posix_acl_default' } as const;
export const FakeAclName = { ACCESS: 'user.rsync.%aacl', DEFAULT: 'user.rsync.%dacl' } as const;

/** acl_ea_header: a 32-bit version; then entries of 8 bytes: tag, permissions (16 bits each), id (linux/posix_acl_xattr.h). */
const VERSION = 2;
const HEADER = 4;
const ENTRY = 8;
const Tag = { USER_OBJ: 0x01, USER: 0x02, GROUP_OBJ: 0x04, GROUP: 0x08, MASK: 0x10, OTHER: 0x20 } as const;
const NO_ID = 0xffff_ffff;

/** Reads a list as Linux keeps it; null when it is none. */
export function parseAcl(bytes: Buffer): Acl | null {
  if (bytes.length < HEADER || bytes.readUInt32LE(0) !== VERSION) return null;
  const acl = { ...NO_ACL };
  const names: NamedEntry[] = [];
  for (let at = HEADER; at + ENTRY <= bytes.length; at += ENTRY) {
    const access = bytes.readUInt16LE(at + 2) & 7;
    const id = bytes.readUInt32LE(at + 4);
    switch (bytes.readUInt16LE(at)) {
      case Tag.USER_OBJ:
        acl.user = access;
        break;
      case Tag.GROUP_OBJ:
        acl.group = access;
        break;
      case Tag.MASK:
        acl.mask = access;
        break;
      case Tag.OTHER:
        acl.other = access;
        break;
      case Tag.USER:
        names.push({ id, access, isUser: true });
        break;
      case Tag.GROUP:
        names.push({ id, access, isUser: false });
    }
  }
  return { ...acl, names: names.sort(byId) };
}

/** A list as Linux wants it. */
export function aclBytes({ user, group, mask, other, names }: Acl): Buffer {
  const parts: [number, number, number][] = [[Tag.USER_OBJ, user, NO_ID]];
  for (const { id, access, isUser } of names) if (isUser) parts.push([Tag.USER, access, id]);
  parts.push([Tag.GROUP_OBJ, group, NO_ID]);
  for (const { id, access, isUser } of names) if (!isUser) parts.push([Tag.GROUP, access, id]);
  if (mask !== NO_ENTRY) parts.push([Tag.MASK, mask, NO_ID]);
  parts.push([Tag.OTHER, other, NO_ID]);
  const out = Buffer.alloc(HEADER + ENTRY * parts.length);
  out.writeUInt32LE(VERSION, 0);
  for (const [i, [tag, access, id]] of parts.entries()) {
    const at = HEADER + ENTRY * i;
    out.writeUInt16LE(tag, at);
    out.writeUInt16LE(access & 7, at + 2);
    out.writeUInt32LE(id, at + 4);
  }
  return out;
}

/** A fake list: four 32-bit numbers, then number and permissions of each name, with a bit that says it is a user's. */
const FAKE_HEADER = 16;
const FAKE_USER = 0x8000_0000;

/** Reads a list as --fake-super keeps it, for a file with the mode `mode`; null when it is none. */
export function parseFakeAcl(bytes: Buffer, mode: number): Acl | null {
  if (bytes.length < FAKE_HEADER || (bytes.length - FAKE_HEADER) % ENTRY !== 0) return null;
  const plain = aclOfMode(mode);
  const at = (offset: number, otherwise: number): number => {
    const access = bytes[offset];
    return access === NO_ENTRY ? otherwise : access;
  };
  const names: NamedEntry[] = [];
  for (let i = FAKE_HEADER; i < bytes.length; i += ENTRY) {
    const access = bytes.readUInt32LE(i + 4);
    const isUser = access >= FAKE_USER;
    names.push({ id: bytes.readUInt32LE(i), access: isUser ? access - FAKE_USER : access, isUser });
  }
  return {
    user: at(0, plain.user),
    group: at(4, plain.group),
    mask: at(8, NO_ENTRY),
    other: at(12, plain.other),
    names: names.sort(byId),
  };
}

/** A list as --fake-super keeps it. */
export function fakeAclBytes({ user, group, mask, other, names }: Acl): Buffer {
  const out = Buffer.alloc(FAKE_HEADER + ENTRY * names.length);
  for (const [i, access] of [user, group, mask, other].entries()) out.writeUInt32LE(access, 4 * i);
  for (const [i, { id, access, isUser }] of names.entries()) {
    out.writeUInt32LE(id, FAKE_HEADER + ENTRY * i);
    out.writeUInt32LE(isUser ? access + FAKE_USER : access, FAKE_HEADER + ENTRY * i + 4);
  }
  return out;
}
