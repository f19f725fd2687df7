// Where things lie in the memory of the answer kernels. A run is up to ROWS requests that are answered together.

export const ROWS: i32 = 256;

/** Last index that was read and written (5.7), and the bytes of OUT that are in use, as i32. */
export const LAST_IN: usize = 0x2200;
export const LAST_OUT: usize = 0x2204;
export const USED: usize = 0x2208;

// Columns of a run, i32: what was asked for, and where its request ends.
export const NDXS: usize = 0x3000;
export const ENDS: usize = 0x3400;
/** Where the name lies in its arena, and the bytes that the list says the file has. */
export const NAMES: usize = 0x3800;
export const SIZES: usize = 0x3c00;
/** Descriptors of files that are handed over. */
export const FDS: usize = 0x4000;

export const REQUESTS: usize = 0x5000;
/** Answers. */
export const OUT: usize = 0x8000;
export const OUT_ROOM: usize = 0xff00;
/** The file that goes into a compressed stream: up to CHUNK_SIZE bytes, and one more. */
export const IN: usize = 0x17f00;
