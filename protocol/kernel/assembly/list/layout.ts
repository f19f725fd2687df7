// Where things lie in the memory of the list kernels. A run is up to ROWS rows that are worked on together, as columns.

export const ROWS: i32 = 1024;

/** struct statx of the entry that was looked at last. */
export const STATX: usize = 0x400;
/** What an entry is compressed against (7.3), as i32: see the names below. */
export const STATE: usize = 0x600;
/** Whole name of the entry before. */
export const NAME: usize = 0x1000;
/** The directory of a run, with its slash. */
export const DIR_NAME: usize = 0x3000;

// Columns of a run: u16, then i32.
export const LENGTHS: usize = 0x5000;
export const MODES: usize = 0x5800;
export const FLAGS: usize = 0x6000;
export const OFFSETS: usize = 0x7000;
export const SIZES: usize = 0x8000;
export const MTIMES: usize = 0x9000;
export const NSECS: usize = 0xa000;
export const UIDS: usize = 0xb000;
export const GIDS: usize = 0xc000;
/** Numbers of what follows entries (7.3): the list's own of attributes, or those that they have on the wire. */
export const ACLS: usize = 0xd000;
export const DEFAULT_ACLS: usize = 0xe000;
export const XATTRS: usize = 0xf000;
/** Names of a run, the last components, each with a NUL behind it. */
export const NAMES: usize = 0x10000;
export const NAMES_ROOM: i32 = 0x10000;
/** Entries in the form of the wire. */
export const BYTES: usize = 0x20000;
export const BYTES_ROOM: i32 = 0x10000;
/** Sums of -c of a run, each as long as it travels. */
export const SUMS: usize = 0x30000;
/** Records of getdents64, and behind them what is made of them: the memory grows when they need it. */
export const DIRENTS: usize = 0x38000;

// Places in STATE. `USED` is a result: bytes of NAMES or BYTES that were filled or read.
export const NAME_LENGTH: usize = STATE;
export const DIR_LENGTH: usize = STATE + 4;
export const MODE: usize = STATE + 8;
export const MTIME: usize = STATE + 12;
export const UID: usize = STATE + 16;
export const GID: usize = STATE + 20;
export const USED: usize = STATE + 24;
/** Result of `decodeRows`: 1 when each name is greater than the one before. */
export const ASCENDING: usize = STATE + 28;

export const S_IFMT: u32 = 0o170000;
export const S_IFREG: u32 = 0o100000;
export const S_IFDIR: u32 = 0o040000;
export const SLASH: u8 = 0x2f;
export const DOT: u8 = 0x2e;

// Flags of an entry on the wire (7.2).
export const TOP_DIR: u32 = 0x01;
export const SAME_MODE: u32 = 0x02;
export const SAME_UID: u32 = 0x08;
export const SAME_GID: u32 = 0x10;
export const SAME_NAME: u32 = 0x20;
export const LONG_NAME: u32 = 0x40;
export const SAME_TIME: u32 = 0x80;
export const NO_CONTENT_DIR: u32 = 0x100;
export const HLINKED: u32 = 0x200;
export const USER_NAME_FOLLOWS: u32 = 0x400;
export const GROUP_NAME_FOLLOWS: u32 = 0x800;
export const MOD_NSEC: u32 = 0x2000;
