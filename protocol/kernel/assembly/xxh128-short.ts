// XXH3 with 128 bits of short inputs: each range of lengths has a formula of its own.

import {
  avalanche,
  avalanche64,
  fold,
  high,
  multiply,
  PRIME32_2,
  PRIME64_1,
  PRIME64_2,
  PRIME64_4,
  SECRET,
} from './xxh3-mixing';

/** Longest input that has a formula of its own. */
export const SHORT: usize = 240;

let low128: u64 = 0;
let high128: u64 = 0;

function mix16(data: usize, secret: usize, s: u64): u64 {
  return fold(load<u64>(data) ^ (load<u64>(secret) + s), load<u64>(data, 8) ^ (load<u64>(secret, 8) - s));
}

function mix32(a: usize, b: usize, secret: usize, s: u64): void {
  low128 = (low128 + mix16(a, secret, s)) ^ (load<u64>(b) + load<u64>(b, 8));
  high128 = (high128 + mix16(b, secret + 16, s)) ^ (load<u64>(a) + load<u64>(a, 8));
}

/** Writes the 16 bytes of the sum of `n` bytes, at most SHORT, to `out`. `s` is the seed. */
export function short(data: usize, n: usize, s: u64, out: usize): void {
  if (n <= 3) upTo3(data, n, s, out);
  else if (n <= 8) upTo8(data, n, s, out);
  else if (n <= 16) upTo16(data, n, s, out);
  else upTo240(data, n, s, out);
}

function upTo3(data: usize, n: usize, s: u64, out: usize): void {
  if (n == 0) {
    store<u64>(out, avalanche64(s ^ load<u64>(SECRET, 64) ^ load<u64>(SECRET, 72)));
    store<u64>(out, avalanche64(s ^ load<u64>(SECRET, 80) ^ load<u64>(SECRET, 88)), 8);
    return;
  }
  const first = <u32>load<u8>(data);
  const middle = <u32>load<u8>(data + (n >> 1));
  const last = <u32>load<u8>(data + n - 1);
  const low = (first << 16) | (middle << 24) | last | (<u32>n << 8);
  const upper = rotl<u32>(bswap<u32>(low), 13);
  store<u64>(out, avalanche64(<u64>low ^ (<u64>(load<u32>(SECRET) ^ load<u32>(SECRET, 4)) + s)));
  store<u64>(out, avalanche64(<u64>upper ^ (<u64>(load<u32>(SECRET, 8) ^ load<u32>(SECRET, 12)) - s)), 8);
}

function upTo8(data: usize, n: usize, s: u64, out: usize): void {
  s ^= <u64>bswap<u32>(<u32>s) << 32;
  const word = <u64>load<u32>(data) | (<u64>load<u32>(data + n - 4) << 32);
  const keyed = word ^ ((load<u64>(SECRET, 16) ^ load<u64>(SECRET, 24)) + s);
  let low = multiply(keyed, PRIME64_1 + (<u64>n << 2));
  const upper = high + (low << 1);
  low ^= upper >> 3;
  low = (low ^ (low >> 35)) * 0x9fb21c651e98df25;
  store<u64>(out, low ^ (low >> 28));
  store<u64>(out, avalanche(upper), 8);
}

function upTo16(data: usize, n: usize, s: u64, out: usize): void {
  const flipLow = (load<u64>(SECRET, 32) ^ load<u64>(SECRET, 40)) - s;
  const flipHigh = (load<u64>(SECRET, 48) ^ load<u64>(SECRET, 56)) + s;
  let last = load<u64>(data + n - 8);
  let low = multiply(load<u64>(data) ^ last ^ flipLow, PRIME64_1);
  let upper = high;
  low += <u64>(n - 1) << 54;
  last ^= flipHigh;
  upper += last + (last & 0xffffffff) * (PRIME32_2 - 1);
  low ^= bswap<u64>(upper);
  low = multiply(low, PRIME64_2);
  upper = high + upper * PRIME64_2;
  store<u64>(out, avalanche(low));
  store<u64>(out, avalanche(upper), 8);
}

function upTo240(data: usize, n: usize, s: u64, out: usize): void {
  low128 = <u64>n * PRIME64_1;
  high128 = 0;
  if (n <= 128) {
    for (let i: usize = (n - 1) >> 5; i > 0; i--) {
      mix32(data + 16 * i, data + n - 16 * (i + 1), SECRET + 32 * i, s);
    }
    mix32(data, data + n - 16, SECRET, s);
  } else {
    for (let i: usize = 0; i < 128; i += 32) mix32(data + i, data + i + 16, SECRET + i, s);
    low128 = avalanche(low128);
    high128 = avalanche(high128);
    for (let i: usize = 128; i + 32 <= n; i += 32) mix32(data + i, data + i + 16, SECRET + 3 + i - 128, s);
    mix32(data + n - 16, data + n - 32, SECRET + 103, 0 - s);
  }
  const low = low128 + high128;
  const upper = low128 * PRIME64_1 + high128 * PRIME64_4 + (<u64>n - s) * PRIME64_2;
  store<u64>(out, avalanche(low));
  store<u64>(out, 0 - avalanche(upper), 8);
}
