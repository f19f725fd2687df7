// Answers to requests of files that are not there (9.1, 10.1): an index, flags, an empty sum head, the whole file as one
// literal token or none, the end of the tokens, and its XXH128. In a compressed stream (10.2) the file is data frames and their
// end. At anything else this ends, and whoever knows all forms, and what is forbidden, goes on.

import { xxh128 } from './xxh128';

const ITEM: i32 = 3;
/** Bytes in front of the tokens: index, flags and sum head. The same with the length of a plain token. */
const HEAD: i32 = 19;
const FRONT: i32 = 23;
const SUM_LENGTH: i32 = 16;
const RECORD: usize = 16;
/** Longest literal token. */
const LONGEST: i32 = 32 * 1024;
/** The head of a data frame, the bits of its first byte that say so, and the end of the tokens. */
const FRAME_HEAD: i32 = 2;
const KIND: i32 = 0xc0;
const DATA: i32 = 0x40;
const END: i32 = 0;
const TRANSFER: u32 = 0x8000;
/** What makes an item longer: a type of basis, a name, extended attributes. */
const MORE_FOLLOWS: u32 = 0x1900;
/** From this first byte on an index is no small step. */
const NO_STEP: u32 = 254;

/** Where a sum is computed. */
const SUM: usize = 0x1f00;

/** How many bytes the answer at `at` takes, of which `left` are there: at least, as far as that can be said. 0: it is not plain. */
function lengthOf(at: usize, left: i32, isPacked: bool): i32 {
  if (left == 0) return 1;
  const step = <u32>load<u8>(at);
  if (step == 0 || step >= NO_STEP) return 0;
  if (left < ITEM) return ITEM;
  const flags = <u32>load<u16>(at, 1);
  if ((flags & TRANSFER) == 0 || (flags & MORE_FOLLOWS) != 0) return 0;
  if (left < FRONT) return FRONT;
  if ((load<u64>(at, 3) | load<u64>(at, 11)) != 0) return 0;
  return isPacked ? packedLength(at, left) : plainLength(at);
}

function plainLength(at: usize): i32 {
  const token = load<i32>(at, 19);
  if (token < 0 || token > LONGEST) return 0;
  return token == 0 ? FRONT + SUM_LENGTH : FRONT + token + 4 + SUM_LENGTH;
}

function packedLength(at: usize, left: i32): i32 {
  let n = HEAD;
  while (n < left) {
    const flag = <i32>load<u8>(at + n);
    if (flag == END) break;
    if ((flag & KIND) != DATA) return 0;
    n += FRAME_HEAD;
    if (n > left) break;
    n += ((flag & ~KIND) << 8) | <i32>load<u8>(at + n - 1);
  }
  return n + 1 + SUM_LENGTH;
}

/** True when the answer at `at`, `whole` bytes long, is one token with the sum that it says. */
function isRight(at: usize, whole: i32): bool {
  const token = load<i32>(at, 19);
  if (token != 0 && load<i32>(at + FRONT + token) != 0) return false;
  return hasSum(at + FRONT, token, at + whole - SUM_LENGTH);
}

/** True when the XXH128 of the `length` bytes at `data` lies at `sum`. */
export function hasSum(data: usize, length: i32, sum: usize): bool {
  xxh128(data, length, SUM);
  return load<u64>(sum) == load<u64>(SUM) && load<u64>(sum, 8) == load<u64>(SUM, 8);
}

/**
 * Reads answers from the `length` bytes at `data`, at most `most`; `previous` is the index before the first. Stops in front of
 * one that is not plain, whose sum is wrong, or that is not whole. Returns their number. What is at `out`: how many bytes the
 * last one needs at least, if it is not whole, else 0, and then its index, if that is there, else -1; from `out` + 16 on, four words
 * for each: index, flags, where its data begins, and how much that is. `isPacked`: the data is frames, and the sum is not looked at.
 */
export function readAnswers(
  data: usize,
  length: i32,
  previous: i32,
  most: i32,
  out: usize,
  isPacked: bool,
): i32 {
  const front = isPacked ? HEAD : FRONT;
  const end = data + length;
  let at = data;
  let ndx = previous;
  let record = out + RECORD;
  let count = 0;
  store<i32>(out, 0);
  for (; count < most; count++) {
    const left = <i32>(end - at);
    const whole = lengthOf(at, left, isPacked);
    if (whole > left) {
      store<i32>(out, whole);
      store<i32>(out, left == 0 ? -1 : ndx + <i32>load<u8>(at), 4);
      break;
    }
    if (whole == 0 || !(isPacked || isRight(at, whole))) break;
    ndx += <i32>load<u8>(at);
    store<i32>(record, ndx);
    store<i32>(record, <i32>load<u16>(at, 1), 4);
    store<i32>(record, <i32>at + front, 8);
    store<i32>(record, isPacked ? whole - front - 1 - SUM_LENGTH : load<i32>(at, 19), 12);
    record += RECORD;
    at += whole;
  }
  return count;
}
