// Finds positions of a window whose rolling sum is the sum of some block.
//
// Two tables stand behind one multiplicative hash of the sum: a bitmap that answers "surely not" for nearly every
// position, and open-addressed slots of (sum, first block + 1). Blocks of equal sum are linked in rising order. The
// multiplier is chosen anew by every user, so that no peer can aim sums at one slot.

import { sumOf } from './sums';

let window: usize = 0;
let blockLength: usize = 0;
let links: usize = 0;
let slots: usize = 0;
let slotShift: u32 = 0;
let bitmap: usize = 0;
let bitShift: u32 = 0;
let multiplier: u32 = 1;
/** The two halves of the sum at the current position, modulo 2^16 in their low bits. */
let half1: i32 = 0;
let half2: i32 = 0;
let found: u32 = 0;

const SCRATCH: usize = 0;

/** Sets the memory map. Slots and bitmap have 2^slotBits and 2^bitBits members. */
export function configure(
  windowAt: usize,
  length: usize,
  linksAt: usize,
  slotsAt: usize,
  slotBits: u32,
  bitmapAt: usize,
  bitBits: u32,
  hashMultiplier: u32,
): void {
  window = windowAt;
  blockLength = length;
  links = linksAt;
  slots = slotsAt;
  slotShift = 32 - slotBits;
  bitmap = bitmapAt;
  bitShift = 32 - bitBits;
  multiplier = hashMultiplier;
}

/** Builds the tables for `count` blocks whose sums lie at `links`; each sum is replaced by the next block + 1, or 0. */
export function build(count: u32): void {
  memory.fill(slots, 0, (<usize>1 << (32 - slotShift)) << 3);
  memory.fill(bitmap, 0, <usize>1 << (29 - bitShift));
  const mask: u32 = (1 << (32 - slotShift)) - 1;
  for (let block = count; block > 0; block--) {
    const link = links + ((<usize>block - 1) << 2);
    const sum = load<u32>(link);
    const hash = sum * multiplier;
    const bit = hash >> bitShift;
    const at = bitmap + (bit >> 3);
    store<u8>(at, <u8>(<u32>load<u8>(at) | ((<u32>1) << (bit & 7))));
    let slot = hash >> slotShift;
    let entry = slots + (<usize>slot << 3);
    while (load<u32>(entry, 4) != 0 && load<u32>(entry) != sum) {
      slot = (slot + 1) & mask;
      entry = slots + (<usize>slot << 3);
    }
    store<u32>(link, load<u32>(entry, 4));
    store<u32>(entry, sum);
    store<u32>(entry, block, 4);
  }
}

/** The first block with this sum, plus 1, or 0. */
// @ts-ignore: decorator
@inline
function lookup(sum: u32): u32 {
  const hash = sum * multiplier;
  const bit = hash >> bitShift;
  if ((bitOf(bit) & 1) == 0) return 0;
  const mask: u32 = (1 << (32 - slotShift)) - 1;
  let slot = hash >> slotShift;
  while (true) {
    const entry = slots + (<usize>slot << 3);
    const head = load<u32>(entry, 4);
    if (head == 0 || load<u32>(entry) == sum) return head;
    slot = (slot + 1) & mask;
  }
}

/** Makes `position` (in the window) the current one and returns its sum. */
export function seek(position: usize): u32 {
  const sum = sumOf(window + position, blockLength);
  half1 = sum & 0xffff;
  half2 = sum >> 16;
  return sum;
}

/** The first block with the sum of the current position, plus 1, or 0. */
export function head(): u32 {
  return lookup((half1 & 0xffff) | (half2 << 16));
}

/** What the last successful `scan` found: a block plus 1. */
export function foundHead(): u32 {
  return found;
}

// @ts-ignore: decorator
@inline
function bitOf(index: u32): u32 {
  return <u32>load<u8>(bitmap + (index >> 3)) >> (index & 7);
}

/**
 * Rolls on from `position`, the current one, and stops at the first later position up to `last` whose sum is a
 * block's; that one is current then. Returns -1 when there is none; then `last` is current.
 */
export function scan(position: usize, last: usize): i32 {
  let at = window + position;
  const end = window + last;
  const n = blockLength;
  let s1 = i16x8.splat(<i16>half1);
  let s2 = i16x8.splat(<i16>half2);
  const zero = i16x8.splat(0);
  const length = i16x8.splat(<i16>n);
  const factor = i32x4.splat(multiplier);
  while (at + 8 <= end) {
    // Lane i stands for the position at + 1 + i: both halves are running sums over the lanes.
    const out = v128.load_ext<i8>(at);
    let d = i16x8.sub(v128.load_ext<i8>(at + n), out);
    d = i16x8.add(d, i8x16.shuffle(zero, d, 0, 1, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29));
    d = i16x8.add(d, i8x16.shuffle(zero, d, 0, 1, 2, 3, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27));
    d = i16x8.add(d, i8x16.shuffle(zero, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
    const a = i16x8.add(s1, d);
    let e = i16x8.sub(a, i16x8.mul(length, out));
    e = i16x8.add(e, i8x16.shuffle(zero, e, 0, 1, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29));
    e = i16x8.add(e, i8x16.shuffle(zero, e, 0, 1, 2, 3, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27));
    e = i16x8.add(e, i8x16.shuffle(zero, e, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
    const b = i16x8.add(s2, e);
    const low = i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
    const high = i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
    const x = i32x4.shr_u(i32x4.mul(low, factor), bitShift);
    const y = i32x4.shr_u(i32x4.mul(high, factor), bitShift);
    const hit =
      bitOf(i32x4.extract_lane(x, 0)) |
      bitOf(i32x4.extract_lane(x, 1)) |
      bitOf(i32x4.extract_lane(x, 2)) |
      bitOf(i32x4.extract_lane(x, 3)) |
      bitOf(i32x4.extract_lane(y, 0)) |
      bitOf(i32x4.extract_lane(y, 1)) |
      bitOf(i32x4.extract_lane(y, 2)) |
      bitOf(i32x4.extract_lane(y, 3));
    if (hit & 1) {
      v128.store(SCRATCH, low);
      v128.store(SCRATCH, high, 16);
      for (let i: usize = 0; i < 8; i++) {
        const sum = load<u32>(SCRATCH + (i << 2));
        const block = lookup(sum);
        if (block != 0) {
          half1 = sum & 0xffff;
          half2 = sum >> 16;
          found = block;
          return <i32>(at + 1 + i - window);
        }
      }
    }
    s1 = i8x16.shuffle(a, a, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15);
    s2 = i8x16.shuffle(b, b, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15);
    at += 8;
  }
  half1 = i16x8.extract_lane_u(s1, 0);
  half2 = i16x8.extract_lane_u(s2, 0);
  return scanTail(at, end);
}

/** `scan` for fewer than eight positions, one by one. */
function scanTail(at: usize, end: usize): i32 {
  while (at < end) {
    const out = <i32>load<i8>(at);
    half1 += <i32>load<i8>(at + blockLength) - out;
    half2 += half1 - <i32>blockLength * out;
    at += 1;
    const block = head();
    if (block != 0) {
      found = block;
      return <i32>(at - window);
    }
  }
  return -1;
}
