// Finds positions of a window whose rolling sum is the sum of some block.
//
// A filter of bytes stands in front: one multiplicative hash of the sum chooses a byte, another one two of its bits,
// and a byte without both of them says "surely not". Sixteen positions are asked at a time. Behind it are open-addressed
// slots of (sum, first block + 1). Blocks of equal sum are linked in rising order. The multiplier is chosen anew by every
// user, so that no peer can aim sums at one slot.

import { sumOf } from './sums';

/** The filter lies at a fixed address, which costs its loads nothing. */
const FILTER: usize = 0x10000;
const PLACE_SHIFT: u32 = 8;
/** Where a step leaves the places in the filter of its sixteen positions. */
const PLACES: usize = 0;
/**
 * Steps that the filter did not rule out are gathered here and looked at together, because a branch for each would be
 * mispredicted: which lanes, the address before the first, and from SUMS on the sums of all.
 */
const CANDIDATES: usize = 0x8000;
const CANDIDATE: usize = 80;
const SUMS: usize = 16;
/** Steps between two looks at the candidates: few at first, so that finds in a row cost little. */
const FIRST_STEPS: usize = 1;
const MOST_STEPS: usize = 64;

let window: usize = 0;
let blockLength: usize = 0;
let links: usize = 0;
let slots: usize = 0;
let slotShift: u32 = 0;
let placeMask: u32 = 0;
let multiplier: u32 = 1;
let bitMultiplier: i16 = 1;
/** The two halves of the sum at the current position, modulo 2^16 in their low bits. */
let half1: i32 = 0;
let half2: i32 = 0;
let found: u32 = 0;

/** Sets the memory map. There are 2^slotBits slots and 2^filterBits bytes of filter. */
export function configure(
  windowAt: usize,
  length: usize,
  linksAt: usize,
  slotsAt: usize,
  slotBits: u32,
  filterBits: u32,
  hashMultiplier: u32,
): void {
  window = windowAt;
  blockLength = length;
  links = linksAt;
  slots = slotsAt;
  slotShift = 32 - slotBits;
  multiplier = hashMultiplier;
  bitMultiplier = <i16>((hashMultiplier >> 15) | 1);
  placeMask = (<u32>1 << filterBits) - 1;
}

/** Sixteen pairs of bits. */
const PATTERNS: usize = memory.data<u8>([
  0x03, 0x0c, 0x30, 0xc0, 0x05, 0x0a, 0x50, 0xa0, 0x11, 0x22, 0x44, 0x88, 0x81, 0x18, 0x42, 0x24,
]);

/** The byte of the filter. Constant shifts cost less. */
// @ts-ignore: decorator
@inline
function placeOf(hash: u32): u32 {
  return (hash >> PLACE_SHIFT) & placeMask;
}

/** The two bits of a sum in its byte of the filter. */
// @ts-ignore: decorator
@inline
function bitsOf(sum: u32): u32 {
  return <u32>load<u8>(PATTERNS + (<u32>(<u16>((<u16>sum + <u16>(sum >> 16)) * <u16>bitMultiplier)) >> 12));
}

/** Builds the tables for `count` blocks whose sums lie at `links`; each sum is replaced by the next block + 1, or 0. */
export function build(count: u32): void {
  memory.fill(slots, 0, (<usize>1 << (32 - slotShift)) << 3);
  memory.fill(FILTER, 0, placeMask + 1);
  const mask: u32 = (1 << (32 - slotShift)) - 1;
  for (let block = count; block > 0; block--) {
    const link = links + ((<usize>block - 1) << 2);
    const sum = load<u32>(link);
    const hash = sum * multiplier;
    const at = placeOf(hash);
    store<u8>(at, <u8>(<u32>load<u8>(at, FILTER) | bitsOf(sum)), FILTER);
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
  const bits = bitsOf(sum);
  return (<u32>load<u8>(placeOf(sum * multiplier), FILTER) & bits) == bits ? slotOf(sum) : 0;
}

/** The same, when the filter was asked already. */
// @ts-ignore: decorator
@inline
function slotOf(sum: u32): u32 {
  const mask: u32 = (1 << (32 - slotShift)) - 1;
  let slot = (sum * multiplier) >> slotShift;
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

/** Sums over the lanes up to each. The shuffles are those that become one instruction. */
// @ts-ignore: decorator
@inline
function running(d: v128): v128 {
  const zero = i16x8.splat(0);
  d = i16x8.add(d, i8x16.shuffle(zero, d, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29));
  d = i16x8.add(d, i8x16.shuffle(zero, d, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27));
  return i16x8.add(d, i8x16.shuffle(zero, d, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23));
}

// @ts-ignore: decorator
@inline
function lastLane(v: v128): v128 {
  return i8x16.shuffle(v, v, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15);
}

// @ts-ignore: decorator
@inline
function lowWords(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}

// @ts-ignore: decorator
@inline
function highWords(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}

/** The filter's bytes for sixteen positions, whose places lie at PLACES. */
// @ts-ignore: decorator
@inline
function filterBytes(): v128 {
  const zero = i8x16.splat(0);
  let v0 = v128.load_lane<u8>(load<u32>(PLACES), zero, 0, FILTER);
  v0 = v128.load_lane<u8>(load<u32>(PLACES + 4), v0, 1, FILTER);
  v0 = v128.load_lane<u8>(load<u32>(PLACES + 8), v0, 2, FILTER);
  v0 = v128.load_lane<u8>(load<u32>(PLACES + 12), v0, 3, FILTER);
  let v1 = v128.load_lane<u8>(load<u32>(PLACES + 16), zero, 4, FILTER);
  v1 = v128.load_lane<u8>(load<u32>(PLACES + 20), v1, 5, FILTER);
  v1 = v128.load_lane<u8>(load<u32>(PLACES + 24), v1, 6, FILTER);
  v1 = v128.load_lane<u8>(load<u32>(PLACES + 28), v1, 7, FILTER);
  let v2 = v128.load_lane<u8>(load<u32>(PLACES + 32), zero, 8, FILTER);
  v2 = v128.load_lane<u8>(load<u32>(PLACES + 36), v2, 9, FILTER);
  v2 = v128.load_lane<u8>(load<u32>(PLACES + 40), v2, 10, FILTER);
  v2 = v128.load_lane<u8>(load<u32>(PLACES + 44), v2, 11, FILTER);
  let v3 = v128.load_lane<u8>(load<u32>(PLACES + 48), zero, 12, FILTER);
  v3 = v128.load_lane<u8>(load<u32>(PLACES + 52), v3, 13, FILTER);
  v3 = v128.load_lane<u8>(load<u32>(PLACES + 56), v3, 14, FILTER);
  v3 = v128.load_lane<u8>(load<u32>(PLACES + 60), v3, 15, FILTER);
  return v128.or(v128.or(v0, v1), v128.or(v2, v3));
}

/**
 * Asks the filter about the step from `at` on, whose places and sums were left, and whose bits are `bits`. Returns where
 * the next candidate goes: one further if this is one.
 */
// @ts-ignore: decorator
@inline
function ask(candidate: usize, at: usize, bits: v128): usize {
  const hits = <u32>i8x16.bitmask(i8x16.eq(v128.and(filterBytes(), bits), bits));
  store<u32>(candidate, hits);
  store<usize>(candidate, at, 4);
  return candidate + (hits != 0 ? CANDIDATE : 0);
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
  const length = i16x8.splat(<i16>n);
  const factor = i32x4.splat(multiplier);
  const bitFactor = i16x8.splat(bitMultiplier);
  const mask = i32x4.splat(placeMask);
  let steps = FIRST_STEPS;
  let bits = i8x16.splat(0);
  while (at + 16 <= end) {
    const first = at;
    const stop = min(at + 16 * steps, end);
    let candidate = CANDIDATES;
    while (at + 16 <= stop) {
      // The filter answers late: it is asked about the step before.
      if (at > first) candidate = ask(candidate, at - 16, bits);
      // Lane i stands for the position at + 1 + i, or at + 9 + i: both halves are running sums over the lanes.
      const out0 = v128.load_ext<i8>(at);
      const out1 = v128.load_ext<i8>(at, 8);
      const a0 = i16x8.add(s1, running(i16x8.sub(v128.load_ext<i8>(at + n), out0)));
      const a1 = i16x8.add(lastLane(a0), running(i16x8.sub(v128.load_ext<i8>(at + n, 8), out1)));
      const b0 = i16x8.add(s2, running(i16x8.sub(a0, i16x8.mul(length, out0))));
      const b1 = i16x8.add(lastLane(b0), running(i16x8.sub(a1, i16x8.mul(length, out1))));
      s1 = lastLane(a1);
      s2 = lastLane(b1);
      const x0 = lowWords(a0, b0);
      const x1 = highWords(a0, b0);
      const x2 = lowWords(a1, b1);
      const x3 = highWords(a1, b1);
      v128.store(PLACES, v128.and(i32x4.shr_u(i32x4.mul(x0, factor), PLACE_SHIFT), mask));
      v128.store(PLACES, v128.and(i32x4.shr_u(i32x4.mul(x1, factor), PLACE_SHIFT), mask), 16);
      v128.store(PLACES, v128.and(i32x4.shr_u(i32x4.mul(x2, factor), PLACE_SHIFT), mask), 32);
      v128.store(PLACES, v128.and(i32x4.shr_u(i32x4.mul(x3, factor), PLACE_SHIFT), mask), 48);
      v128.store(candidate, x0, SUMS);
      v128.store(candidate, x1, SUMS + 16);
      v128.store(candidate, x2, SUMS + 32);
      v128.store(candidate, x3, SUMS + 48);
      const pairs = i8x16.narrow_i16x8_u(
        i16x8.shr_u(i16x8.mul(i16x8.add(a0, b0), bitFactor), 12),
        i16x8.shr_u(i16x8.mul(i16x8.add(a1, b1), bitFactor), 12),
      );
      bits = i8x16.swizzle(v128.load(PATTERNS), pairs);
      at += 16;
    }
    const place = firstBlock(ask(candidate, at - 16, bits));
    if (place >= 0) return place;
    steps = min(2 * steps, MOST_STEPS);
  }
  half1 = i16x8.extract_lane_u(s1, 0);
  half2 = i16x8.extract_lane_u(s2, 0);
  return scanTail(at, end);
}

/** The first position of the candidates in front of `to` whose sum is a block's, which becomes the current one, or -1. */
function firstBlock(to: usize): i32 {
  for (let candidate = CANDIDATES; candidate < to; candidate += CANDIDATE) {
    for (let hits = load<u32>(candidate); hits != 0; hits &= hits - 1) {
      const lane = ctz(hits);
      const sum = load<u32>(candidate + (lane << 2), SUMS);
      const block = slotOf(sum);
      if (block != 0) {
        half1 = sum & 0xffff;
        half2 = sum >> 16;
        found = block;
        return <i32>(load<usize>(candidate, 4) + 1 + lane - window);
      }
    }
  }
  return -1;
}

/** `scan` for fewer than sixteen positions, one by one. */
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
