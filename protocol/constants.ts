/** The names of the numbers that both ends of an rsync connection know. Source: the protocol description, by section. */

/** Highest protocol version spoken here, and the lowest one: before it (rsync 2.6.0) checksums were others. */
export const PROTOCOL_VERSION = 32;
export const MIN_PROTOCOL_VERSION = 27;
/** A peer that claims more than this is not an rsync. */
export const MAX_PROTOCOL_VERSION = 40;

/** TCP port of the daemon. */
export const RSYNC_PORT = 873;

/** Frame codes of the multiplexed stream (4.1). The header byte on the wire is the code plus `MPLEX_BASE`. */
export const MPLEX_BASE = 7;
export const Msg = {
  DATA: 0,
  ERROR_XFER: 1,
  INFO: 2,
  ERROR: 3,
  WARNING: 4,
  IO_ERROR: 22,
  IO_TIMEOUT: 33,
  NOOP: 42,
  ERROR_EXIT: 86,
  SUCCESS: 100,
  DELETED: 101,
  NO_SEND: 102,
} as const;

/** Longest text or DELETED payload that a peer may send (exclusive), and the longest DATA frame. */
export const MAX_TEXT_PAYLOAD = 5120;
export const MAX_FRAME = 0xffffff;

/** Compat flags that the server sends (3.2). */
export const Compat = {
  INC_RECURSE: 0x001,
  SYMLINK_TIMES: 0x002,
  SYMLINK_ICONV: 0x004,
  SAFE_FLIST: 0x008,
  AVOID_XATTR_OPTIM: 0x010,
  CHKSUM_SEED_FIX: 0x020,
  INPLACE_PARTIAL_DIR: 0x040,
  VARINT_FLIST_FLAGS: 0x080,
  ID0_NAMES: 0x100,
} as const;

/** Flags in front of a file-list entry on the wire (7.2). */
export const Xmit = {
  TOP_DIR: 0x0001,
  SAME_MODE: 0x0002,
  SAME_RDEV_PRE28: 0x0004,
  EXTENDED_FLAGS: 0x0004,
  SAME_UID: 0x0008,
  SAME_GID: 0x0010,
  SAME_NAME: 0x0020,
  LONG_NAME: 0x0040,
  SAME_TIME: 0x0080,
  SAME_RDEV_MAJOR: 0x0100,
  NO_CONTENT_DIR: 0x0100,
  HLINKED: 0x0200,
  SAME_DEV_PRE30: 0x0400,
  USER_NAME_FOLLOWS: 0x0400,
  RDEV_MINOR_8_PRE30: 0x0800,
  GROUP_NAME_FOLLOWS: 0x0800,
  HLINK_FIRST: 0x1000,
  IO_ERROR_ENDLIST: 0x1000,
  MOD_NSEC: 0x2000,
  SAME_ATIME: 0x4000,
  CRTIME_EQ_MTIME: 0x20000,
} as const;

/** Special values in the stream of file indexes (5.7). */
export const NDX_DONE = -1;
export const NDX_FLIST_EOF = -2;
export const NDX_DEL_STATS = -3;
export const NDX_FLIST_OFFSET = -101;

/** Item flags of a request (9.3). `SENT` are the bits that travel; the others only steer local logging. */
export const Item = {
  REPORT_ATIME: 0x0001,
  REPORT_CHANGE: 0x0002,
  REPORT_SIZE: 0x0004,
  REPORT_TIMEFAIL: 0x0004,
  REPORT_TIME: 0x0008,
  REPORT_PERMS: 0x0010,
  REPORT_OWNER: 0x0020,
  REPORT_GROUP: 0x0040,
  REPORT_ACL: 0x0080,
  REPORT_XATTR: 0x0100,
  REPORT_CRTIME: 0x0400,
  BASIS_TYPE_FOLLOWS: 0x0800,
  XNAME_FOLLOWS: 0x1000,
  IS_NEW: 0x2000,
  LOCAL_CHANGE: 0x4000,
  TRANSFER: 0x8000,
  MISSING_DATA: 0x10000,
  DELETED: 0x20000,
  MATCHED: 0x40000,
} as const;
/** Bits that make an unchanged item worth telling the peer about (9.4). */
export const SIGNIFICANT_ITEM_FLAGS = 0xffff & ~(Item.BASIS_TYPE_FOLLOWS | Item.XNAME_FOLLOWS | Item.LOCAL_CHANGE);

/** Which file served as basis (9.5). */
export const Basis = {
  DEST_DIR_LOW: 0x00,
  DEST_DIR_HIGH: 0x7f,
  FNAME: 0x80,
  PARTIAL_DIR: 0x81,
  BACKUP: 0x82,
  FUZZY: 0x83,
} as const;

/** Bits of io_error (4.5). */
export const IoError = { GENERAL: 1, VANISHED: 2, DEL_LIMIT: 4, MASK: 7 } as const;

/** Exit codes (13.4). */
export const Exit = {
  OK: 0,
  SYNTAX: 1,
  PROTOCOL: 2,
  FILESELECT: 3,
  UNSUPPORTED: 4,
  STARTCLIENT: 5,
  LOG_FILE: 6,
  SOCKETIO: 10,
  FILEIO: 11,
  STREAMIO: 12,
  MESSAGEIO: 13,
  IPC: 14,
  CRASHED: 15,
  TERMINATED: 16,
  SIGNAL1: 19,
  SIGNAL: 20,
  WAITCHILD: 21,
  MALLOC: 22,
  PARTIAL: 23,
  VANISHED: 24,
  DEL_LIMIT: 25,
  TIMEOUT: 30,
  CONTIMEOUT: 35,
  CMD_FAILED: 124,
  CMD_KILLED: 125,
  CMD_RUN: 126,
  CMD_NOTFOUND: 127,
} as const;

/** File type bits of a Unix mode, as they travel. */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

/** Longest path name on the wire (exclusive) and longest symlink target (exclusive). */
export const MAX_PATH = 4096;
/** Block length limits (9.6) and the length of a literal token as the reference writes it (10.1). */
export const BLOCK_SIZE = 700;
export const MAX_BLOCK_SIZE = 1 << 17;
export const OLD_MAX_BLOCK_SIZE = 1 << 29;
export const CHUNK_SIZE = 32 * 1024;
export const SUM_LENGTH = 16;
