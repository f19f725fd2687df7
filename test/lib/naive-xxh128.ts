/**
 * XXH3 with 128 bits in plain BigInts, written after the xxHash specification: the oracle of the kernel. It is slow.
 * Returns the 16 bytes with the low byte first, as they travel.
 */

const MASK = (1n << 64n) - 1n;
const P32 = [0x9e3779b1n, 0x85ebca77n, 0xc2b2ae3dn];
const P64 = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n];

const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221' +
    'b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb' +
    '170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
);

type Pair = [bigint, bigint];

const u64 = (value: bigint): bigint => value & MASK;
const word = (b: Buffer, at: number): bigint => b.readBigUInt64LE(at);
const half = (b: Buffer, at: number): bigint => BigInt(b.readUInt32LE(at));

function fold(a: bigint, b: bigint): bigint {
  const product = a * b;
  return u64(product) ^ (product >> 64n);
}

function avalanche(h: bigint): bigint {
  const mixed = u64((h ^ (h >> 37n)) * 0x165667919e3779f9n);
  return mixed ^ (mixed >> 32n);
}

function avalanche64(h: bigint): bigint {
  let mixed = u64((h ^ (h >> 33n)) * P64[1]);
  mixed = u64((mixed ^ (mixed >> 29n)) * P64[2]);
  return mixed ^ (mixed >> 32n);
}

function swap(value: bigint, bytes: number): bigint {
  let out = 0n;
  for (let i = 0; i < bytes; i++) out = (out << 8n) | ((value >> BigInt(8 * i)) & 0xffn);
  return out;
}

function upTo3(b: Buffer, seed: bigint): Pair {
  const n = b.length;
  if (n === 0) {
    const low = avalanche64(seed ^ word(SECRET, 64) ^ word(SECRET, 72));
    return [low, avalanche64(seed ^ word(SECRET, 80) ^ word(SECRET, 88))];
  }
  const low = BigInt(((b[0] << 16) | (b[n >> 1] << 24) | b[n - 1] | (n << 8)) >>> 0);
  const swapped = swap(low, 4);
  const high = ((swapped << 13n) | (swapped >> 19n)) & 0xffffffffn;
  const flipLow = u64((half(SECRET, 0) ^ half(SECRET, 4)) + seed);
  const flipHigh = u64((half(SECRET, 8) ^ half(SECRET, 12)) - seed);
  return [avalanche64(low ^ flipLow), avalanche64(high ^ flipHigh)];
}

function upTo8(b: Buffer, seed: bigint): Pair {
  const n = b.length;
  const mixed = u64(seed ^ (swap(seed & 0xffffffffn, 4) << 32n));
  const input = half(b, 0) | (half(b, n - 4) << 32n);
  const keyed = input ^ u64((word(SECRET, 16) ^ word(SECRET, 24)) + mixed);
  const product = keyed * u64(P64[0] + BigInt(n << 2));
  const high = u64((product >> 64n) + (u64(product) << 1n));
  let low = u64(product) ^ (high >> 3n);
  low = u64((low ^ (low >> 35n)) * 0x9fb21c651e98df25n);
  return [low ^ (low >> 28n), avalanche(high)];
}

function upTo16(b: Buffer, seed: bigint): Pair {
  const n = b.length;
  const flipLow = u64((word(SECRET, 32) ^ word(SECRET, 40)) - seed);
  const flipHigh = u64((word(SECRET, 48) ^ word(SECRET, 56)) + seed);
  const last = word(b, n - 8);
  const first = (word(b, 0) ^ last ^ flipLow) * P64[0];
  const flipped = last ^ flipHigh;
  const high = u64((first >> 64n) + flipped + (flipped & 0xffffffffn) * (P32[1] - 1n));
  const second = (u64(first + (BigInt(n - 1) << 54n)) ^ swap(high, 8)) * P64[1];
  return [avalanche(u64(second)), avalanche(u64((second >> 64n) + high * P64[1]))];
}

function upTo240(b: Buffer, seed: bigint): Pair {
  const n = b.length;
  let acc: Pair = [u64(BigInt(n) * P64[0]), 0n];
  const mix = (at: number, key: number, s: bigint) =>
    fold(word(b, at) ^ u64(word(SECRET, key) + s), word(b, at + 8) ^ u64(word(SECRET, key + 8) - s));
  const mixBoth = (one: number, other: number, key: number, s: bigint) => {
    const low = u64(acc[0] + mix(one, key, s)) ^ u64(word(b, other) + word(b, other + 8));
    acc = [low, u64(acc[1] + mix(other, key + 16, s)) ^ u64(word(b, one) + word(b, one + 8))];
  };
  if (n <= 128) {
    for (let i = (n - 1) >> 5; i >= 0; i--) mixBoth(16 * i, n - 16 * (i + 1), 32 * i, seed);
  } else {
    for (let at = 0; at < 128; at += 32) mixBoth(at, at + 16, at, seed);
    acc = [avalanche(acc[0]), avalanche(acc[1])];
    for (let at = 128; at + 32 <= n; at += 32) mixBoth(at, at + 16, 3 + at - 128, seed);
    mixBoth(n - 16, n - 32, 103, u64(-seed));
  }
  const high = u64(acc[0] * P64[0] + acc[1] * P64[3] + (BigInt(n) - seed) * P64[1]);
  return [avalanche(u64(acc[0] + acc[1])), u64(-avalanche(high))];
}

function long(b: Buffer, seed: bigint): Pair {
  const secret = Buffer.from(SECRET);
  for (let at = 0; at < secret.length; at += 16) {
    secret.writeBigUInt64LE(u64(word(SECRET, at) + seed), at);
    secret.writeBigUInt64LE(u64(word(SECRET, at + 8) - seed), at + 8);
  }
  const acc = [P32[2], P64[0], P64[1], P64[2], P64[3], P32[1], P64[4], P32[0]];
  const stripe = (at: number, key: number) => {
    for (let i = 0; i < 8; i++) {
      const value = word(b, at + 8 * i);
      const keyed = value ^ word(secret, key + 8 * i);
      acc[i ^ 1] = u64(acc[i ^ 1] + value);
      acc[i] = u64(acc[i] + (keyed & 0xffffffffn) * (keyed >> 32n));
    }
  };
  const n = b.length;
  for (let at = 0, i = 0; at + 64 < n; at += 64) {
    stripe(at, 8 * i);
    i = (i + 1) % 16;
    if (i !== 0) continue;
    for (let k = 0; k < 8; k++) acc[k] = u64((acc[k] ^ (acc[k] >> 47n) ^ word(secret, 128 + 8 * k)) * P32[0]);
  }
  stripe(n - 64, 121);
  const merge = (key: number, start: bigint) => {
    let sum = start;
    for (let i = 0; i < 8; i += 2) {
      sum += fold(acc[i] ^ word(secret, key + 8 * i), acc[i + 1] ^ word(secret, key + 8 * i + 8));
    }
    return avalanche(u64(sum));
  };
  return [merge(11, u64(BigInt(n) * P64[0])), merge(117, MASK ^ u64(BigInt(n) * P64[1]))];
}

/** `seed` is a signed 32-bit number, as the sessions have it. */
export function naiveXxh128(data: Uint8Array, seed: number): Buffer {
  const b = Buffer.from(data);
  const s = BigInt.asUintN(64, BigInt(seed));
  const n = b.length;
  const pair = n > 240 ? long(b, s) : n > 16 ? upTo240(b, s) : n > 8 ? upTo16(b, s) : n > 3 ? upTo8(b, s) : upTo3(b, s);
  const out = Buffer.alloc(16);
  out.writeBigUInt64LE(pair[0], 0);
  out.writeBigUInt64LE(pair[1], 8);
  return out;
}
