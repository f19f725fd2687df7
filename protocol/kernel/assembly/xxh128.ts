// XXH3 with 128 bits, as the xxHash specification describes it: of one piece (`xxh128`), or of a stream whose state
// lies at fixed addresses (`xxh128Start`, `xxh128Update`, `xxh128Final`). Results have the low byte first.

import { SHORT, short } from './xxh128-short';
import {
  avalanche,
  fold,
  PRIME32_1,
  PRIME32_2,
  PRIME32_3,
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  PRIME64_4,
  PRIME64_5,
  SECRET,
  SECRET_LENGTH,
} from './xxh3-mixing';

const STRIPE: usize = 64;
/** Stripes between two scrambles: each takes a key 8 bytes further in the secret. */
const BLOCK: usize = 1024;

/** The secret of pieces, which their seed has changed. */
const SEEDED: usize = memory.data(192, 16);
/** Accumulators of the piece, and of the stream. */
const PIECE: usize = memory.data(64, 16);
const STREAM: usize = memory.data(64, 16);
/** The last stripe before, and then the bytes of the stream that are not in the accumulators yet. */
const HELD: usize = memory.data(64 + 1024, 16);

let seed: u64 = 0;
/** Bytes of the stream, and those of them that are held. */
let total: u64 = 0;
let held: usize = 0;

/** Sets the seed of pieces. Streams have none. */
export function xxh128Seed(value: i64): void {
  seed = <u64>value;
  for (let i: usize = 0; i < SECRET_LENGTH; i += 16) {
    store<u64>(SEEDED + i, load<u64>(SECRET + i) + seed);
    store<u64>(SEEDED + i, load<u64>(SECRET + i, 8) - seed, 8);
  }
}

/** Writes the 16 bytes of the sum of `n` bytes at `data` to `out`. */
export function xxh128(data: usize, n: usize, out: usize): void {
  if (n <= SHORT) {
    short(data, n, seed, out);
    return;
  }
  start(PIECE);
  const whole = (n - 1) / BLOCK;
  blocks(PIECE, data, whole, SEEDED);
  end(PIECE, data + whole * BLOCK, n - whole * BLOCK, SEEDED, n, out);
}

/** Begins the stream anew. */
export function xxh128Start(): void {
  start(STREAM);
  total = 0;
  held = 0;
}

/** Takes `n` bytes at `data`. */
export function xxh128Update(data: usize, n: usize): void {
  const pending = HELD + STRIPE;
  total += n;
  // The last block of all is not scrambled, so one that is full waits for a byte more.
  if (held + n <= BLOCK) {
    memory.copy(pending + held, data, n);
    held += n;
    return;
  }
  if (held > 0) {
    const missing = BLOCK - held;
    memory.copy(pending + held, data, missing);
    blocks(STREAM, pending, 1, SECRET);
    memory.copy(HELD, HELD + BLOCK, STRIPE);
    data += missing;
    n -= missing;
  }
  const whole = (n - 1) / BLOCK;
  if (whole > 0) {
    blocks(STREAM, data, whole, SECRET);
    data += whole * BLOCK;
    n -= whole * BLOCK;
    memory.copy(HELD, data - STRIPE, STRIPE);
  }
  memory.copy(pending, data, n);
  held = n;
}

/** Writes the 16 bytes of the stream's sum to `out`. */
export function xxh128Final(out: usize): void {
  const pending = HELD + STRIPE;
  if (total <= SHORT) short(pending, held, 0, out);
  else end(STREAM, pending, held, SECRET, total, out);
}

function start(acc: usize): void {
  store<u64>(acc, PRIME32_3);
  store<u64>(acc, PRIME64_1, 8);
  store<u64>(acc, PRIME64_2, 16);
  store<u64>(acc, PRIME64_3, 24);
  store<u64>(acc, PRIME64_4, 32);
  store<u64>(acc, PRIME32_2, 40);
  store<u64>(acc, PRIME64_5, 48);
  store<u64>(acc, PRIME32_1, 56);
}

/** One accumulator pair after a scramble. */
// @ts-ignore: decorator
@inline
function scrambled(acc: v128, key: v128): v128 {
  return i64x2.mul(v128.xor(v128.xor(acc, i64x2.shr_u(acc, 47)), key), i64x2.splat(PRIME32_1));
}

/** Takes `count` blocks of 1024 bytes, each with its scramble. */
function blocks(acc: usize, data: usize, count: usize, secret: usize): void {
  let a0 = v128.load(acc);
  let a1 = v128.load(acc, 16);
  let a2 = v128.load(acc, 32);
  let a3 = v128.load(acc, 48);
  const keysEnd = secret + SECRET_LENGTH - STRIPE;
  for (; count > 0; count--) {
    for (let key = secret; key < keysEnd; key += 8) {
      const d0 = v128.load(data);
      const d1 = v128.load(data, 16);
      const k0 = v128.xor(d0, v128.load(key));
      const k1 = v128.xor(d1, v128.load(key, 16));
      const low = i32x4.shuffle(k0, k1, 0, 2, 4, 6);
      const upper = i32x4.shuffle(k0, k1, 1, 3, 5, 7);
      a0 = i64x2.add(i64x2.add(a0, i64x2.shuffle(d0, d0, 1, 0)), i64x2.extmul_low_i32x4_u(low, upper));
      a1 = i64x2.add(i64x2.add(a1, i64x2.shuffle(d1, d1, 1, 0)), i64x2.extmul_high_i32x4_u(low, upper));
      const d2 = v128.load(data, 32);
      const d3 = v128.load(data, 48);
      const k2 = v128.xor(d2, v128.load(key, 32));
      const k3 = v128.xor(d3, v128.load(key, 48));
      const low2 = i32x4.shuffle(k2, k3, 0, 2, 4, 6);
      const upper2 = i32x4.shuffle(k2, k3, 1, 3, 5, 7);
      a2 = i64x2.add(i64x2.add(a2, i64x2.shuffle(d2, d2, 1, 0)), i64x2.extmul_low_i32x4_u(low2, upper2));
      a3 = i64x2.add(i64x2.add(a3, i64x2.shuffle(d3, d3, 1, 0)), i64x2.extmul_high_i32x4_u(low2, upper2));
      data += STRIPE;
    }
    a0 = scrambled(a0, v128.load(keysEnd));
    a1 = scrambled(a1, v128.load(keysEnd, 16));
    a2 = scrambled(a2, v128.load(keysEnd, 32));
    a3 = scrambled(a3, v128.load(keysEnd, 48));
  }
  v128.store(acc, a0);
  v128.store(acc, a1, 16);
  v128.store(acc, a2, 32);
  v128.store(acc, a3, 48);
}

/** Takes one stripe. */
function stripe(acc: usize, data: usize, key: usize): void {
  for (let i: usize = 0; i < STRIPE; i += 16) {
    const d = v128.load(data + i);
    const k = v128.xor(d, v128.load(key + i));
    const low = i32x4.shuffle(k, k, 0, 2, 0, 2);
    const upper = i32x4.shuffle(k, k, 1, 3, 1, 3);
    const sum = i64x2.add(v128.load(acc + i), i64x2.shuffle(d, d, 1, 0));
    v128.store(acc + i, i64x2.add(sum, i64x2.extmul_low_i32x4_u(low, upper)));
  }
}

/** The last 1 to 1024 of `length` bytes, with the stripe in front of them, and the sum. */
function end(acc: usize, data: usize, n: usize, secret: usize, length: u64, out: usize): void {
  const last = data + n - STRIPE;
  let key = secret;
  for (const to = data + n - 1; data + STRIPE <= to; data += STRIPE) {
    stripe(acc, data, key);
    key += 8;
  }
  stripe(acc, last, secret + SECRET_LENGTH - STRIPE - 7);
  store<u64>(out, merge(acc, secret + 11, length * PRIME64_1));
  store<u64>(out, merge(acc, secret + SECRET_LENGTH - STRIPE - 11, ~(length * PRIME64_2)), 8);
}

function merge(acc: usize, secret: usize, sum: u64): u64 {
  for (let i: usize = 0; i < STRIPE; i += 16) {
    sum += fold(load<u64>(acc + i) ^ load<u64>(secret + i), load<u64>(acc + i, 8) ^ load<u64>(secret + i, 8));
  }
  return avalanche(sum);
}

