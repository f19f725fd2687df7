// XXH3 with 128 bits, as the xxHash specification describes it: of one piece (`xxh128`), or of a stream whose state
// lies at fixed addresses (`xxh128Start`, `xxh128Update`, `xxh128Final`). Results have the low byte first.

const PRIME32_1: u64 = 0x9e3779b1;
const PRIME32_2: u64 = 0x85ebca77;
const PRIME32_3: u64 = 0xc2b2ae3d;
const PRIME64_1: u64 = 0x9e3779b185ebca87;
const PRIME64_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME64_3: u64 = 0x165667b19e3779f9;
const PRIME64_4: u64 = 0x85ebca77c2b2ae63;
const PRIME64_5: u64 = 0x27d4eb2f165667c5;

const STRIPE: usize = 64;
/** Stripes between two scrambles: each takes a key 8 bytes further in the secret. */
const BLOCK: usize = 1024;
const SECRET_LENGTH: usize = 192;
/** Longest input that has a formula of its own. */
const SHORT: usize = 240;

const SECRET: usize = memory.data<u8>([
  0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d,
  0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0,
  0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0,
  0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b,
  0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
  0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0,
  0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3,
  0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb, 0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3,
  0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1,
  0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40,
  0x7e,
]);
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

/** High half of the last `multiply`. */
let high: u64 = 0;

/** Low half of the product of two 64-bit numbers. */
function multiply(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const low = al * bl;
  const middle = (low >> 32) + ah * bl;
  const other = (middle & 0xffffffff) + al * bh;
  high = (middle >> 32) + (other >> 32) + ah * bh;
  return (other << 32) | (low & 0xffffffff);
}

function fold(a: u64, b: u64): u64 {
  const low = multiply(a, b);
  return low ^ high;
}

function avalanche(h: u64): u64 {
  h = (h ^ (h >> 37)) * 0x165667919e3779f9;
  return h ^ (h >> 32);
}

/** The finish of XXH64. */
function avalanche64(h: u64): u64 {
  h = (h ^ (h >> 33)) * PRIME64_2;
  h = (h ^ (h >> 29)) * PRIME64_3;
  return h ^ (h >> 32);
}

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

let low128: u64 = 0;
let high128: u64 = 0;

function mix16(data: usize, secret: usize, s: u64): u64 {
  return fold(load<u64>(data) ^ (load<u64>(secret) + s), load<u64>(data, 8) ^ (load<u64>(secret, 8) - s));
}

function mix32(a: usize, b: usize, secret: usize, s: u64): void {
  low128 = (low128 + mix16(a, secret, s)) ^ (load<u64>(b) + load<u64>(b, 8));
  high128 = (high128 + mix16(b, secret + 16, s)) ^ (load<u64>(a) + load<u64>(a, 8));
}

/** Sums of at most 240 bytes. */
function short(data: usize, n: usize, s: u64, out: usize): void {
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
