// What statx says of an entry, taken into a run or compared with one.

import { GIDS, LENGTHS, MODES, MTIMES, NAMES, NAMES_ROOM, NSECS, OFFSETS, ROWS, S_IFMT, S_IFREG } from './layout';
import { SIZES, STATX, UIDS, USED } from './layout';

// struct statx
const UID: usize = STATX + 20;
const GID: usize = STATX + 24;
const MODE: usize = STATX + 28;
const SIZE: usize = STATX + 40;
const MTIME: usize = STATX + 112;
const NSEC: usize = STATX + 120;
/** A name that the Linux file systems know, and no other one, is at most this long. */
const LONGEST_NAME: i32 = 255;

/**
 * Makes the entry that was looked at row `i` of the run, behind USED bytes of names; `name` is where its name is, which
 * has a NUL behind it. False, and nothing is done, when it is no regular file, when size or time or an id need more than
 * 31 bits, when the name is longer than usual, or when the run is full.
 */
export function takeFound(i: i32, name: usize, length: i32): i32 {
  const mode = <u32>load<u16>(MODE);
  const size = load<u64>(SIZE);
  const mtime = load<u64>(MTIME);
  if ((mode & S_IFMT) != S_IFREG || size > 0x7fffffff || mtime > 0x7fffffff) return 0;
  const uid = load<i32>(UID);
  const gid = load<i32>(GID);
  const used = load<i32>(USED);
  if (uid < 0 || gid < 0 || i >= ROWS || length > LONGEST_NAME || used + length + 1 > NAMES_ROOM) return 0;
  memory.copy(NAMES + used, name, length + 1);
  store<i32>(USED, used + length + 1);
  const at = (<usize>i) << 1;
  store<u16>(LENGTHS + at, <u16>length);
  store<u16>(MODES + at, <u16>mode);
  const wide = at << 1;
  store<i32>(OFFSETS + wide, used);
  store<i32>(SIZES + wide, <i32>size);
  store<i32>(MTIMES + wide, <i32>mtime);
  store<i32>(NSECS + wide, load<i32>(NSEC));
  store<i32>(UIDS + wide, uid);
  store<i32>(GIDS + wide, gid);
  return 1;
}

/**
 * True when the entry that was looked at is what row `i` of the run says: a regular file of the same size, the same in
 * the bits of `modes`, and of the same time and the given owner and group where these are asked for. `asksTime`: 1 for
 * seconds, 2 for nanoseconds as well. An id of -1 is not asked for.
 */
export function isRight(i: i32, modes: i32, asksTime: i32, uid: i32, gid: i32): i32 {
  const at = (<usize>i) << 2;
  const mode = <u32>load<u16>(MODE);
  if ((mode & S_IFMT) != S_IFREG || load<u64>(SIZE) != <u64>load<i32>(SIZES + at)) return 0;
  if ((<i32>(mode ^ <u32>load<u16>(MODES + (at >> 1))) & modes) != 0) return 0;
  if (asksTime > 0 && load<i64>(MTIME) != <i64>load<i32>(MTIMES + at)) return 0;
  if (asksTime > 1 && load<i32>(NSEC) != load<i32>(NSECS + at)) return 0;
  return (uid == -1 || load<i32>(UID) == uid) && (gid == -1 || load<i32>(GID) == gid) ? 1 : 0;
}
