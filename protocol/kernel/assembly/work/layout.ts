// Where things lie in the memory that a run shares with its thread for file work (src/files/thread/queue.ts says how it is used).

/** Words that both sides see. Positions count bytes (HEAD, TAIL) or jobs (DONE) from the start on. */
export const HEAD: usize = 0x400;
export const TAIL: usize = 0x404;
export const DONE: usize = 0x408;
export const STOP: usize = 0x414;

/** Two words for each job that may be under way: attributes, landing. */
export const RESULTS: usize = 0x800;
export const MOST_JOBS: u32 = 1024;

/** Jobs in a ring, each in one piece. */
export const RING: usize = 0x4000;
export const RING_BYTES: u32 = 0x400000;

// Words of a job.
export const LENGTH: usize = 0;
export const KIND: usize = 4;
export const DIR: usize = 8;
export const FD: usize = 12;
export const MODE: usize = 16;
export const UID: usize = 20;
export const GID: usize = 24;
export const HAS_TIME: usize = 28;
export const SECONDS: usize = 32;
export const NSEC: usize = 40;
export const NAME_LENGTH: usize = 44;
export const SIZE: usize = 48;
/** Where its data is, counted from RING. */
export const DATA: usize = 52;
/** 1: it may have no extended attributes. */
export const NO_FURTHER: usize = 56;
/** 1: it is copied whole, as long as it is by now; SIZE is what it was once. */
export const IS_LISTED: usize = 60;
/** Where its name begins, which has a NUL behind it. */
export const NAME: usize = 64;

export const FILLER: i32 = 0;
export const LEAVE: i32 = 1;
export const WRITE: i32 = 2;
export const COPY: i32 = 3;

// What each side has for itself: struct statx, two struct timespec, the empty name, a temporary name, data on its way.
export const STATX: usize = 0;
export const TIMES: usize = 0x100;
export const NO_NAME: usize = 0x140;
export const TEMP: usize = 0x180;
export const BUFFER: usize = 0x300;
export const BUFFER_BYTES: i32 = 0x10000;
