import type { NameForm } from '../charset.js';
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK, Xmit } from '../constants.js';
import type { ByteString } from '../options.js';

/** Everything that shapes an entry on the wire; both ends know it from the options and the negotiation. */
export interface ListWire {
  protocol: number;
  /** VARINT_FLIST_FLAGS: flags are one varint, and the end mark carries an error value. */
  varintFlags: boolean;
  /** SAFE_FLIST, or protocol 31 and later. */
  safeList: boolean;
  incremental: boolean;
  owner: boolean;
  group: boolean;
  numericIds: boolean;
  devices: boolean;
  specials: boolean;
  links: boolean;
  hardLinks: boolean;
  /** Modification times always travel; here for completeness of the option set. */
  times: boolean;
  atimes: boolean;
  /** -A: access control lists follow each entry but links. */
  acls: boolean;
  /** -X: a set of extended attributes follows each entry. */
  xattrs: boolean;
  /** Digest length of -c sums, 0 without -c. */
  sumLength: number;
  relative: boolean;
  recurse: boolean;
  deleteMissingArgs: boolean;
  id0Names: boolean;
  /** --iconv: how names travel; null: as they are. */
  names: NameForm | null;
}

/** Where the encoder asks for the names of ids; null when an id has none. */
export interface IdNames {
  userName(uid: number): ByteString | null;
  groupName(gid: number): ByteString | null;
}

export const isDevice = (mode: number): boolean => {
  const type = mode & S_IFMT;
  return type === S_IFBLK || type === S_IFCHR;
};

export const isSpecial = (mode: number): boolean => {
  const type = mode & S_IFMT;
  return type === S_IFIFO || type === S_IFSOCK;
};

/** True for entries whose device number travels (7.5). */
export const carriesRdev = (wire: ListWire, mode: number): boolean =>
  (wire.devices && isDevice(mode)) || (wire.specials && wire.protocol < 31 && isSpecial(mode));

/** True for entries that carry device and inode number for hard-link detection (7.6, below protocol 30). */
export const carriesInode = (wire: ListWire, mode: number, flags: number): boolean =>
  wire.hardLinks &&
  wire.protocol < 30 &&
  (wire.protocol < 28 ? (mode & S_IFMT) === S_IFREG : (flags & Xmit.HLINKED) !== 0);

/** True for entries with a checksum (7.3). */
export const carriesSum = (wire: ListWire, mode: number): boolean =>
  wire.sumLength > 0 && (wire.protocol < 28 || (mode & S_IFMT) === S_IFREG);

/** The raw device number of Linux, as protocol 27 sends it. */
export function packRdev(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
}

/** The mirror of `packRdev`. */
export function unpackRdev(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
