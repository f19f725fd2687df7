// Wire entries (7.3) as rows of a run, in the form of protocol 31 and later with flags as varints: the plain ones. At
// anything else this ends, and whoever knows all forms, and what is forbidden, goes on.

import { ACLS, ASCENDING, BYTES, DOT, GROUP_NAME_FOLLOWS, HLINKED, LENGTHS, LONG_NAME, MODE, MODES, MOD_NSEC } from './layout';
import { MTIME, MTIMES, NAME, NAMES, NAMES_ROOM, NAME_LENGTH, NSECS, OFFSETS, ROWS, S_IFMT, S_IFREG } from './layout';
import { SAME_GID, SAME_MODE, SAME_NAME, SAME_TIME, SAME_UID, SIZES, SLASH, SUMS, USED, USER_NAME_FOLLOWS } from './layout';
import { XATTRS } from './layout';

const MAX_PATH: i32 = 4096;
const MAX_NSEC: u32 = 999_999_999;
/** Bytes of an entry besides its name, at most. */
const LONGEST_REST: usize = 48;

/** Number of further bytes of a varint or varlong, by its first byte: that many ones, as the first two are a value. */
// @ts-ignore: decorator
@inline
function extraOf(first: u32): i32 {
  return <i32>clz(~(first << 24));
}

/** The next byte to read. */
let pos: usize = 0;
/** A number has more bytes than it may. */
let bad: bool = false;
// The entry that is being read: nothing is changed before it is whole.
let shared: i32 = 0;
let suffix: i32 = 0;
let suffixAt: usize = 0;

/**
 * Reads entries from `length` bytes at BYTES. Stops in front of one that is not whole within them, of one that is no
 * regular file in the directory of the entry before, whose last slash is at `slash` (-1: none), or has an owner or group
 * of its own (if these travel), or a value beyond 31 bits, and at the end mark. `comparesFirst`: the entry before is a
 * regular file of this list. `acls` and `xattrs`: how many access control lists and sets of attributes have come so far, one of
 * which follows each entry as a number; -1 where none does. Returns the number of rows; USED is how many bytes they took, ASCENDING says whether each
 * name is greater than the one before.
 */
export function decodeRows(
  length: i32,
  slash: i32,
  owner: i32,
  group: i32,
  comparesFirst: i32,
  sumLength: i32,
  acls: i32,
  xattrs: i32,
): i32 {
  const end = BYTES + length;
  const refused = HLINKED | (owner ? USER_NAME_FOLLOWS : 0) | (group ? GROUP_NAME_FOLLOWS : 0);
  const needed = (owner ? SAME_UID : 0) | (group ? SAME_GID : 0);
  let names = 0;
  let ascending = 1;
  let start = BYTES;
  let i = 0;
  while (i < ROWS && start < end) {
    pos = start;
    bad = false;
    const flags = readVarint();
    if (flags == 0 || (flags & refused) != 0 || (flags & needed) != needed) break;
    if (!readName(flags, slash + 1, end) || names + MAX_PATH > NAMES_ROOM) break;
    if (!readAttributes(flags, i)) break;
    const sum = pos;
    const at = (<usize>i) << 2;
    pos += sumLength;
    if (acls >= 0 && !readKnown(ACLS + at, acls)) break;
    if (xattrs >= 0 && !readKnown(XATTRS + at, xattrs)) break;
    if (pos > end || bad) break;
    memory.copy(SUMS + i * sumLength, sum, sumLength);
    const order = takeName();
    const last = shared + suffix - slash - 1;
    memory.copy(NAMES + names, NAME + slash + 1, last);
    store<u8>(NAMES + names + last, 0);
    store<u16>(LENGTHS + (at >> 1), <u16>last);
    store<i32>(OFFSETS + at, names);
    store<i32>(MODE, <i32>load<u16>(MODES + (at >> 1)));
    store<i32>(MTIME, load<i32>(MTIMES + at));
    names += last + 1;
    if (order <= 0 && (i > 0 || comparesFirst)) ascending = 0;
    start = pos;
    i++;
  }
  store<i32>(USED, <i32>(start - BYTES));
  store<i32>(ASCENDING, ascending);
  return i;
}

/**
 * Reads where a name is. False when it is not whole, or not plainly one of the directory of the entry before, of which
 * `from` bytes have to stay.
 */
function readName(flags: u32, from: i32, end: usize): bool {
  shared = flags & SAME_NAME ? <i32>load<u8>(pos++) : 0;
  suffix = flags & LONG_NAME ? <i32>readVarint() : <i32>load<u8>(pos++);
  if (shared < from || shared > load<i32>(NAME_LENGTH) || suffix < 0 || suffix >= MAX_PATH) return false;
  const length = shared + suffix;
  suffixAt = pos;
  pos += suffix;
  if (length >= MAX_PATH || pos > end) return false;
  for (let at = suffixAt; at < pos; at++) {
    const byte = load<u8>(at);
    if (byte == SLASH || byte == 0) return false;
  }
  const last = length - from;
  if (last > 2) return true;
  // "." and "..", by their first byte.
  return last > 0 && (shared > from ? load<u8>(NAME + from) : load<u8>(suffixAt)) != DOT;
}

/** Makes the name that was read the present one; says how it compares with the one before. */
function takeName(): i32 {
  const old = load<i32>(NAME_LENGTH);
  const length = shared + suffix;
  let order = 0;
  for (let i = shared, at = suffixAt; i < length; i++, at++) {
    const byte = load<u8>(at);
    if (order == 0) order = i < old ? <i32>byte - <i32>load<u8>(NAME + i) : 1;
    store<u8>(NAME + i, byte);
  }
  store<i32>(NAME_LENGTH, length);
  return order == 0 && length < old ? -1 : order;
}

/** Reads what stands behind the name into row `i`. */
function readAttributes(flags: u32, i: i32): bool {
  const at = (<usize>i) << 2;
  const size = readVarlong(3);
  const mtime = flags & SAME_TIME ? <u64>load<i32>(MTIME) : readVarlong(4);
  const nsec = flags & MOD_NSEC ? readVarint() : 0;
  let mode = load<u32>(MODE);
  if ((flags & SAME_MODE) == 0) {
    mode = load<u32>(pos) & 0xffff;
    pos += 4;
  }
  if ((mode & S_IFMT) != S_IFREG || size > 0x7fffffff || mtime > 0x7fffffff || nsec > MAX_NSEC) return false;
  store<u16>(MODES + (at >> 1), <u16>mode);
  store<i32>(SIZES + at, <i32>size);
  store<i32>(MTIMES + at, <i32>mtime);
  store<i32>(NSECS + at, <i32>nsec);
  return true;
}

/** Reads the number of what has come before, `count` so far, to `to`; false when it is none, or something new follows. */
function readKnown(to: usize, count: i32): bool {
  const number = readVarint();
  store<u32>(to, number);
  return number > 0 && number <= <u32>count;
}

/** varint (5.3) */
function readVarint(): u32 {
  const first = <u32>load<u8>(pos++);
  if (first < 0x80) return first;
  const extra = extraOf(first);
  if (extra > 4) {
    bad = true;
    return 0;
  }
  const bytes = load<u64>(pos) & (((<u64>1) << (8 * extra)) - 1);
  pos += extra;
  const top = extra < 4 ? (first & ((1 << (8 - extra)) - 1)) << (8 * extra) : 0;
  return <u32>bytes | top;
}

/** varlong (5.4) */
function readVarlong(least: i32): u64 {
  const first = <u32>load<u8>(pos++);
  const extra = extraOf(first);
  const total = least - 1 + extra;
  if (total > 7) {
    bad = true;
    return 0;
  }
  const bytes = load<u64>(pos) & (((<u64>1) << (8 * total)) - 1);
  pos += total;
  return bytes | (<u64>(first & ((1 << (8 - extra)) - 1)) << (8 * total));
}
