// The entries of a directory: found in the records of getdents64, and sorted by the bytes of their names.

import { DIRENTS, DOT, SLASH } from './layout';

/** struct dirent64: number and offset, then these. */
const RECORD_LENGTH: usize = 16;
const RECORD_NAME: usize = 19;
const RECORD_ALIGN: usize = 8;
const INSERTION_LIMIT: i32 = 8;

/**
 * Finds the names in the records that fill DIRENTS up to `used`: writes where each begins as u32 to `offsets`, and its
 * length to `lengths`. Returns their number, without `.` and `..`.
 */
export function indexEntries(used: usize, offsets: usize, lengths: usize): i32 {
  const stop = DIRENTS + used;
  let count = 0;
  for (let at = DIRENTS; at < stop; ) {
    const name = at + RECORD_NAME;
    at += load<u16>(at, RECORD_LENGTH);
    // The name ends in the last eight bytes; what is behind its NUL may be anything.
    let end = max(name, at - RECORD_ALIGN);
    while (load<u8>(end) != 0) end++;
    const length = end - name;
    if (load<u8>(name) == DOT && (length == 1 || (length == 2 && load<u8>(name, 1) == DOT))) continue;
    store<u32>(offsets, name);
    store<u32>(lengths, length);
    offsets += 4;
    lengths += 4;
    count++;
  }
  return count;
}

let nameOffsets: usize = 0;
let nameLengths: usize = 0;
let tail: u8 = 0;

/**
 * Sorts the `count` numbers of entries at `order` in place, by the bytes of their names; `isDir`: as if a slash followed
 * each. `spare` has room for as many numbers, `keys` for twice as many u64.
 */
export function sortEntries(
  order: usize,
  count: i32,
  isDir: i32,
  offsets: usize,
  lengths: usize,
  spare: usize,
  keys: usize,
): void {
  nameOffsets = offsets;
  nameLengths = lengths;
  tail = isDir ? SLASH : 0;
  const common = commonPrefix(order, count);
  for (let i = 0; i < count; i++) {
    store<u64>(keys + ((<usize>i) << 3), keyOf(load<u32>(order + ((<usize>i) << 2)), common));
  }
  for (let at = 0; at < count; at += INSERTION_LIMIT) insertionSort(order, keys, at, min(at + INSERTION_LIMIT, count));
  let from = order;
  let to = spare;
  let fromKeys = keys;
  let toKeys = keys + ((<usize>count) << 3);
  for (let width = INSERTION_LIMIT; width < count; width *= 2) {
    for (let low = 0; low < count; low += 2 * width) {
      merge(from, fromKeys, to, toKeys, low, min(low + width, count), min(low + 2 * width, count));
    }
    const rows = from;
    from = to;
    to = rows;
    const k = fromKeys;
    fromKeys = toKeys;
    toKeys = k;
  }
  if (from != order) memory.copy(order, from, (<usize>count) << 2);
}

/** True when two neighbours among the `count` sorted numbers at `order` have the same name. */
export function hasEqual(order: usize, count: i32, offsets: usize, lengths: usize): i32 {
  for (let i = 1; i < count; i++) {
    const a = (<usize>load<u32>(order + ((<usize>(i - 1)) << 2))) << 2;
    const b = (<usize>load<u32>(order + ((<usize>i) << 2))) << 2;
    const length: usize = load<u32>(lengths + a);
    if (length != <usize>load<u32>(lengths + b)) continue;
    if (memory.compare(<usize>load<u32>(offsets + a), <usize>load<u32>(offsets + b), length) == 0) return 1;
  }
  return 0;
}

function commonPrefix(order: usize, count: i32): usize {
  const first = load<u32>(order);
  const name: usize = load<u32>(nameOffsets + ((<usize>first) << 2));
  let common: usize = load<u32>(nameLengths + ((<usize>first) << 2));
  for (let i = 1; i < count && common > 0; i++) {
    const entry: usize = load<u32>(order + ((<usize>i) << 2));
    const other: usize = load<u32>(nameOffsets + (entry << 2));
    common = min(common, <usize>load<u32>(nameLengths + (entry << 2)));
    let k: usize = 0;
    while (k < common && load<u8>(name + k) == load<u8>(other + k)) k++;
    common = k;
  }
  return common;
}

/** The eight bytes behind what all names have in common, as a number that sorts like them. */
function keyOf(entry: usize, common: usize): u64 {
  const name: usize = load<u32>(nameOffsets + (entry << 2)) + common;
  const length = load<u32>(nameLengths + (entry << 2)) - common;
  let key: u64 = 0;
  for (let i: usize = 0; i < 8; i++) {
    key = (key << 8) | (i < length ? <u64>load<u8>(name + i) : i == length ? <u64>tail : 0);
  }
  return key;
}

/** True when entry `a` sorts behind `b`, the keys of both being equal. */
function isBehind(a: usize, b: usize): bool {
  const x: usize = load<u32>(nameOffsets + (a << 2));
  const y: usize = load<u32>(nameOffsets + (b << 2));
  const xLength: usize = load<u32>(nameLengths + (a << 2));
  const yLength: usize = load<u32>(nameLengths + (b << 2));
  const n = min(xLength, yLength);
  for (let i: usize = 0; i < n; i++) {
    const d = <i32>load<u8>(x + i) - <i32>load<u8>(y + i);
    if (d != 0) return d > 0;
  }
  if (xLength == yLength) return false;
  const d = <i32>(xLength > n ? load<u8>(x + n) : tail) - <i32>(yLength > n ? load<u8>(y + n) : tail);
  return d != 0 ? d > 0 : xLength > yLength;
}

function insertionSort(order: usize, keys: usize, from: i32, to: i32): void {
  for (let i = from + 1; i < to; i++) {
    const entry = load<u32>(order + ((<usize>i) << 2));
    const key = load<u64>(keys + ((<usize>i) << 3));
    let j = i - 1;
    while (j >= from) {
      const other = load<u64>(keys + ((<usize>j) << 3));
      if (other < key || (other == key && !isBehind(load<u32>(order + ((<usize>j) << 2)), entry))) break;
      store<u32>(order + ((<usize>(j + 1)) << 2), load<u32>(order + ((<usize>j) << 2)));
      store<u64>(keys + ((<usize>(j + 1)) << 3), other);
      j--;
    }
    store<u32>(order + ((<usize>(j + 1)) << 2), entry);
    store<u64>(keys + ((<usize>(j + 1)) << 3), key);
  }
}

function merge(from: usize, keys: usize, to: usize, toKeys: usize, low: i32, middle: i32, high: i32): void {
  let a = low;
  let b = middle;
  for (let out = low; out < high; out++) {
    let takeA = b >= high;
    if (!takeA && a < middle) {
      const x = load<u64>(keys + ((<usize>a) << 3));
      const y = load<u64>(keys + ((<usize>b) << 3));
      takeA = x < y;
      if (x == y) takeA = !isBehind(load<u32>(from + ((<usize>a) << 2)), load<u32>(from + ((<usize>b) << 2)));
    }
    const at = <usize>(takeA ? a++ : b++);
    store<u32>(to + ((<usize>out) << 2), load<u32>(from + (at << 2)));
    store<u64>(toKeys + ((<usize>out) << 3), load<u64>(keys + (at << 3)));
  }
}
