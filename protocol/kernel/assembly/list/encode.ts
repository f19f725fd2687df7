// Rows of a run as wire entries (7.3), in the form of protocol 31 and later with flags as varints.

import { ACLS, BYTES, BYTES_ROOM, DEFAULT_ACLS, DIR_LENGTH, DIR_NAME, FLAGS, GID, GIDS, LENGTHS, LONG_NAME } from './layout';
import { MODE, MODES, MOD_NSEC, MTIME, MTIMES, NAME, NAMES, NAME_LENGTH, NO_CONTENT_DIR, NSECS, OFFSETS } from './layout';
import { S_IFDIR, S_IFMT, S_IFREG, SAME_GID, SAME_MODE, SAME_NAME, SAME_TIME, SAME_UID, SIZES, SUMS } from './layout';
import { TOP_DIR, UID, UIDS, USED, XATTRS } from './layout';

const LONGEST_PREFIX: i32 = 255;
const MAX_PATH: i32 = 4096;
/** The longest entry: a whole path of 4096 bytes, and some 40 more. */
const LONGEST_ENTRY: usize = 0x2000;
// Local flags of a directory (EntryFlag).
const LOCAL_TOP: u32 = 0x01;
const LOCAL_CONTENT: u32 = 0x02;
const LOCAL_IMPLIED: u32 = 0x04;

/** Bytes that the present name shares with DIR_NAME, where the rows of a run lie. */
let sharedDir: i32 = 0;

/**
 * Writes the rows [from, to) of the run to BYTES. Stops at a row that is neither a file nor a directory, or whose owner or
 * group is not that of the row before (if these travel), and when BYTES is full. A file's sum is `sumLength` bytes. With `acls` and `xattrs`, numbers on
 * the wire of access control lists and sets of attributes follow. Returns the row behind the last one that was written; USED is how many bytes they take.
 */
export function encodeRows(from: i32, to: i32, owner: i32, group: i32, sumLength: i32, acls: i32, xattrs: i32): i32 {
  sharedDir = sharedBytes();
  let out = BYTES;
  const stop = BYTES + BYTES_ROOM - LONGEST_ENTRY;
  let i = from;
  for (; i < to && out < stop; i++) {
    const mode = <u32>load<u16>(MODES + ((<usize>i) << 1));
    const type = mode & S_IFMT;
    if (type != S_IFREG && type != S_IFDIR) break;
    const at = (<usize>i) << 2;
    if (owner && load<i32>(UIDS + at) != load<i32>(UID)) break;
    if (group && load<i32>(GIDS + at) != load<i32>(GID)) break;
    const length = <i32>load<u16>(LENGTHS + (at >> 1));
    if (length + load<i32>(DIR_LENGTH) > MAX_PATH) break;
    out = encodeRow(out, at, mode, length);
    if (sumLength != 0 && type == S_IFREG) {
      memory.copy(out, SUMS + i * sumLength, sumLength);
      out += sumLength;
    }
    if (acls) out = writeVarint(out, load<u32>(ACLS + at));
    if (acls && type == S_IFDIR) out = writeVarint(out, load<u32>(DEFAULT_ACLS + at));
    if (xattrs) out = writeVarint(out, load<u32>(XATTRS + at));
  }
  store<i32>(USED, <i32>(out - BYTES));
  return i;
}

function sharedBytes(): i32 {
  const limit = min(load<i32>(NAME_LENGTH), load<i32>(DIR_LENGTH));
  let i = 0;
  while (i < limit && load<u8>(NAME + i) == load<u8>(DIR_NAME + i)) i++;
  return i;
}

/** `at` is the row's place in columns of four bytes. */
function encodeRow(start: usize, at: usize, mode: u32, length: i32): usize {
  const prefix = advance(NAMES + load<i32>(OFFSETS + at), length);
  const suffix = load<i32>(NAME_LENGTH) - prefix;
  let flags = SAME_UID | SAME_GID;
  if ((mode & S_IFMT) == S_IFDIR) flags |= directoryFlags(<u32>load<u16>(FLAGS + (at >> 1)));
  if (<i32>mode == load<i32>(MODE)) flags |= SAME_MODE;
  const mtime = load<i32>(MTIMES + at);
  if (mtime == load<i32>(MTIME)) flags |= SAME_TIME;
  const nsec = load<i32>(NSECS + at);
  if (nsec != 0) flags |= MOD_NSEC;
  if (prefix > 0) flags |= SAME_NAME;
  if (suffix > 255) flags |= LONG_NAME;
  let out = writeVarint(start, flags);
  if (prefix > 0) store<u8>(out++, <u8>prefix);
  if (suffix > 255) out = writeVarint(out, suffix);
  else store<u8>(out++, <u8>suffix);
  memory.copy(out, NAME + prefix, suffix);
  out = writeVarlong(out + suffix, load<i32>(SIZES + at), 3);
  if ((flags & SAME_TIME) == 0) out = writeVarlong(out, mtime, 4);
  if (nsec != 0) out = writeVarint(out, nsec);
  if ((flags & SAME_MODE) == 0) {
    store<u32>(out, mode);
    out += 4;
  }
  store<i32>(MODE, <i32>mode);
  store<i32>(MTIME, mtime);
  return out;
}

/** What the wire says about a directory's place in the transfer (7.8). */
function directoryFlags(local: u32): u32 {
  if (local & LOCAL_CONTENT) return local & LOCAL_TOP ? TOP_DIR : 0;
  return local & LOCAL_IMPLIED ? TOP_DIR | NO_CONTENT_DIR : NO_CONTENT_DIR;
}

/** Makes the next name of the directory the present one; returns how many bytes it shares with the one before. */
function advance(name: usize, length: i32): i32 {
  const dirLength = load<i32>(DIR_LENGTH);
  const before = min(load<i32>(NAME_LENGTH), LONGEST_PREFIX);
  let shared = min(before, sharedDir);
  if (sharedDir < dirLength) memory.copy(NAME + sharedDir, DIR_NAME + sharedDir, dirLength - sharedDir);
  const target = NAME + dirLength;
  if (shared == dirLength) {
    const limit = min(before - dirLength, length);
    let i = 0;
    while (i < limit && load<u8>(target + i) == load<u8>(name + i)) i++;
    shared += i;
  }
  memory.copy(target, name, length);
  sharedDir = dirLength;
  store<i32>(NAME_LENGTH, dirLength + length);
  return shared;
}

/** varint (5.3) */
function writeVarint(out: usize, v: u32): usize {
  if (v < 0x80) {
    store<u8>(out, <u8>v);
    return out + 1;
  }
  const n: u32 = v < 0x100 ? 1 : v < 0x10000 ? 2 : v < 0x1000000 ? 3 : 4;
  const top = v >> (8 * (n - 1));
  const extra = top < (<u32>1) << (8 - n) ? n - 1 : n;
  const ones = (0xff00 >> extra) & 0xff;
  store<u8>(out, <u8>(extra == n ? ones : ones | top));
  store<u32>(out, v, 1);
  return out + 1 + extra;
}

/** varlong (5.4) of a value that is not negative */
function writeVarlong(out: usize, value: i32, least: usize): usize {
  store<u64>(out, <u64>value, 1);
  let n: usize = 4;
  while (n > least && load<u8>(out + n) == 0) n--;
  const e = n - least;
  const top = <u32>load<u8>(out + n);
  if (top < (<u32>1) << (7 - e)) {
    store<u8>(out, <u8>(((0xff00 >> e) & 0xff) | top));
    return out + n;
  }
  store<u8>(out, <u8>(0xff00 >> (e + 1)));
  return out + 1 + n;
}
