// Rolling sums (11.1) of whole pieces. Both halves of a sum live modulo 2^16, so that 16-bit lanes are enough.

import { xxh128 } from './xxh128';

/** The sum of `n` bytes at `data`: first half in the low 16 bits, second half in the high ones. */
export function sumOf(data: usize, n: usize): u32 {
  const end = data + n;
  const whole = data + (n & ~15);
  const weights0 = i16x8(16, 15, 14, 13, 12, 11, 10, 9);
  const weights1 = i16x8(8, 7, 6, 5, 4, 3, 2, 1);
  // Per 16 bytes: `before` gathers what the bytes so far add to the second half 16 times, `within` the rest of it.
  let total = i16x8.splat(0);
  let before = i16x8.splat(0);
  let within0 = i16x8.splat(0);
  let within1 = i16x8.splat(0);
  while (data < whole) {
    const bytes0 = v128.load_ext<i8>(data);
    const bytes1 = v128.load_ext<i8>(data, 8);
    before = i16x8.add(before, total);
    total = i16x8.add(total, i16x8.add(bytes0, bytes1));
    within0 = i16x8.add(within0, i16x8.mul(bytes0, weights0));
    within1 = i16x8.add(within1, i16x8.mul(bytes1, weights1));
    data += 16;
  }
  let s1 = lanes(total);
  let s2 = (lanes(before) << 4) + lanes(i16x8.add(within0, within1));
  while (data < end) {
    s1 += load<i8>(data);
    s2 += s1;
    data += 1;
  }
  return (s1 & 0xffff) | (s2 << 16);
}

/** Sum of the eight lanes; only its low 16 bits mean anything. */
// @ts-ignore: decorator
@inline
function lanes(v: v128): i32 {
  const pairs = i32x4.extadd_pairwise_i16x8_s(v);
  return (
    i32x4.extract_lane(pairs, 0) +
    i32x4.extract_lane(pairs, 1) +
    i32x4.extract_lane(pairs, 2) +
    i32x4.extract_lane(pairs, 3)
  );
}

/** Writes the sum of every block of `block` bytes (the last may be short) in `length` bytes at `data` to `out`. */
export function blockSums(data: usize, length: usize, block: usize, out: usize): void {
  const end = data + length;
  while (data < end) {
    store<u32>(out, sumOf(data, min(block, end - data)));
    data += block;
    out += 4;
  }
}

/**
 * Writes for every block of `block` bytes (the last may be short) in `length` bytes at `data` what the wire has: its
 * rolling sum and the first `sumLength` bytes of its XXH128. 16 bytes behind `out` and the result are overwritten.
 */
export function blockRecords(data: usize, length: usize, block: usize, sumLength: usize, out: usize): void {
  const end = data + length;
  while (data < end) {
    const n = min(block, end - data);
    store<u32>(out, sumOf(data, n));
    xxh128(data, n, out + 4);
    data += n;
    out += 4 + sumLength;
  }
}
