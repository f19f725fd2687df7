import { createHash } from 'node:crypto';
import type { IHasher } from 'hash-wasm';
import type { XXHashAPI } from 'xxhash-wasm';
import { Kernel, type Kernels } from '../kernel/kernel.js';
import { type Hasher, NoHasher, OpensslHasher, PackageHasher, putUint64, Xxh64Hasher } from './hashers.js';
import { Xxh128Blocks, Xxh128Hasher } from './xxh128.js';

/** The checksums of a session, by their names in the negotiation (3.3). */
export type DigestName = 'xxh128' | 'xxh3' | 'xxh64' | 'md5' | 'md4' | 'sha1' | 'none';

/** Bytes of each digest on the wire (11.2). */
export const DIGEST_LENGTH: Record<DigestName, number> = {
  xxh128: 16,
  xxh3: 8,
  xxh64: 8,
  md5: 16,
  md4: 16,
  sha1: 20,
  none: 1,
};

/** What decides where the seed of a session goes. */
export interface SumContext {
  protocol: number;
  /** int32; 0 means unseeded block sums. */
  seed: number;
  /** Compat flag CHKSUM_SEED_FIX. */
  seedFix: boolean;
  /** The algorithm was chosen by an option or negotiated, and is not the default of the protocol version. */
  explicit: boolean;
  /** Where digests get their kernels; without it they make them. */
  kernels?: Kernels;
}

/** A running digest. One object serves a whole session: `init` starts the next file. */
export interface Digest {
  /** Bytes that `final` writes. */
  readonly length: number;
  /** Data in the memory of this kernel is taken without a copy. */
  readonly kernel: Kernel | null;
  init(): void;
  /** Takes data[from, to). */
  update(data: Uint8Array, from: number, to: number): void;
  /** Writes `length` wire bytes to `out` from `at` on. */
  final(out: Uint8Array, at: number): void;
}

/** The strong sum of one block, seeded as 11.4 says. */
export interface BlockDigest {
  /** Bytes that `sum` writes; callers cut them to the sum length of the head. */
  readonly length: number;
  /** Set when this is the XXH128 of that kernel, which can sum many blocks in one call. */
  readonly kernel: Kernel | null;
  sum(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void;
}

/** Below this many bytes MD5 and SHA-1 are faster in wasm than through a new OpenSSL context. */
const SHORT_INPUT = 2048;

const HASH_WASM = {
  xxh3: 'createXXHash3',
  md5: 'createMD5',
  md4: 'createMD4',
  sha1: 'createSHA1',
} as const;

// Both packages load only when a session asks for a digest of theirs.
async function packageHasher(name: keyof typeof HASH_WASM, seed = 0): Promise<PackageHasher> {
  const hashes = await import('hash-wasm');
  const low = seed >>> 0;
  const high = seed < 0 ? 0xffffffff : 0;
  const isXxh = name === 'xxh3';
  return new PackageHasher(isXxh ? await hashes[HASH_WASM[name]](low, high) : await hashes[HASH_WASM[name]](), isXxh);
}

async function xxh64(): Promise<XXHashAPI> {
  // The package's types and its module form disagree about the default export.
  const module = (await import('xxhash-wasm')) as unknown as { default: () => Promise<XXHashAPI> };
  return module.default();
}

function seedBytes(seed: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(seed | 0);
  return bytes;
}

async function plainHasher(name: Exclude<DigestName, 'xxh128'>): Promise<Hasher> {
  switch (name) {
    case 'none':
      return new NoHasher();
    case 'xxh64':
      return new Xxh64Hasher(await xxh64());
    case 'md5':
    case 'sha1':
      return new OpensslHasher(name);
    default:
      return packageHasher(name);
  }
}

class PlainDigest implements Digest {
  constructor(
    readonly length: number,
    private readonly hasher: Hasher,
    private readonly prefix: Buffer | null,
    readonly kernel: Kernel | null,
  ) {}

  init(): void {
    this.hasher.init();
    if (this.prefix) this.hasher.update(this.prefix, 0, this.prefix.length);
  }

  update(data: Uint8Array, from: number, to: number): void {
    if (from < to) this.hasher.update(data, from, to);
  }

  final(out: Uint8Array, at: number): void {
    this.hasher.final(out, at);
  }
}

async function plainDigest(name: DigestName, kernels: Kernels | undefined, prefix: Buffer | null): Promise<Digest> {
  const kernel = name === 'xxh128' ? (kernels?.take() ?? new Kernel()) : null;
  const hasher = name === 'xxh128' ? new Xxh128Hasher(kernel!) : await plainHasher(name);
  return new PlainDigest(DIGEST_LENGTH[name], hasher, prefix, kernel);
}

/** The whole-file sum that follows the tokens. Only the default MD4 of old protocols is seeded, in front (11.3). */
export async function createFileDigest(name: DigestName, ctx: SumContext): Promise<Digest> {
  return plainDigest(name, ctx.kernels, name === 'md4' && !ctx.explicit ? seedBytes(ctx.seed) : null);
}

/** The sum of a whole file in the list, as -c sends it: never seeded (11.2). */
export async function createListDigest(name: DigestName, ctx: SumContext): Promise<Digest> {
  return plainDigest(name, ctx.kernels, null);
}

/** Seed bytes in front of or behind the data. Short and long blocks may have hashers of their own. */
class SeededBlocks implements BlockDigest {
  readonly kernel = null;

  constructor(
    readonly length: number,
    private readonly short: Hasher,
    private readonly long: Hasher,
    private readonly before: Buffer | null,
    private readonly after: Buffer | null,
  ) {}

  sum(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
    const hasher = to - from < SHORT_INPUT ? this.short : this.long;
    hasher.init();
    if (this.before) hasher.update(this.before, 0, 4);
    hasher.update(data, from, to);
    if (this.after) hasher.update(this.after, 0, 4);
    hasher.final(out, at);
  }
}

class Xxh64Blocks implements BlockDigest {
  readonly kernel = null;
  readonly length = DIGEST_LENGTH.xxh64;

  constructor(
    private readonly api: XXHashAPI,
    private readonly seed: bigint,
  ) {}

  sum(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
    putUint64(this.api.h64Raw(data.subarray(from, to), this.seed), out, at);
  }
}

/** Block sums with the seeding rules of 11.4. `kernel`: where XXH128 works, one of its own when it is left out. */
export async function createBlockDigest(
  name: DigestName,
  ctx: SumContext,
  kernel: Kernel | null = null,
): Promise<BlockDigest> {
  const length = DIGEST_LENGTH[name];
  const seed = ctx.seed | 0;
  const bytes = seed === 0 ? null : seedBytes(seed);
  switch (name) {
    case 'xxh64':
      return new Xxh64Blocks(await xxh64(), BigInt.asUintN(64, BigInt(seed)));
    case 'xxh128':
      return new Xxh128Blocks(kernel ?? ctx.kernels?.take() ?? new Kernel(), seed);
    case 'xxh3': {
      const hasher = await packageHasher(name, seed);
      return new SeededBlocks(length, hasher, hasher, null, null);
    }
    case 'md4': {
      const hasher = await packageHasher(name);
      return new SeededBlocks(length, hasher, hasher, null, bytes);
    }
    case 'md5':
    case 'sha1': {
      const inFront = name === 'sha1' || ctx.seedFix;
      const short = await packageHasher(name);
      return new SeededBlocks(length, short, new OpensslHasher(name), inFront ? bytes : null, inFront ? null : bytes);
    }
    case 'none': {
      const hasher = new NoHasher();
      return new SeededBlocks(length, hasher, hasher, null, null);
    }
  }
}

let md4: IHasher | null = null;

/** Makes `oneShot('md4', …)` usable: OpenSSL 3 refuses MD4, and the replacement has to be compiled first. */
export async function loadMd4(): Promise<void> {
  md4 ??= await (await import('hash-wasm')).createMD4();
}

/** Loads the packages of all digests, for a process that will not reach their files later (chroot). */
export async function preloadDigests(): Promise<void> {
  await Promise.all([loadMd4(), xxh64()]);
}

/** The hash of all parts in a row, in the usual byte order. For `md4`, `loadMd4` must have finished before. */
export function oneShot(name: 'sha512' | 'sha256' | 'sha1' | 'md5' | 'md4', parts: Uint8Array[]): Buffer {
  if (name === 'md4') {
    if (!md4) throw new Error('md4 was not loaded');
    md4.init();
    for (const part of parts) md4.update(part);
    return Buffer.from(md4.digest('binary'));
  }
  const hash = createHash(name);
  for (const part of parts) hash.update(part);
  return hash.digest();
}
