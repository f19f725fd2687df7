import { createHash, type Hash } from 'node:crypto';
import type { IHasher } from 'hash-wasm';
import type { XXHash, XXHashAPI } from 'xxhash-wasm';

/** One running hash. `init` starts over, so that one object serves all files of a session. */
export interface Hasher {
  init(): void;
  update(data: Uint8Array, from: number, to: number): void;
  /** Writes the digest in wire order (11.2) to `out` from `at` on. */
  final(out: Uint8Array, at: number): void;
}

/** A hash of the hash-wasm package. The xxHash family is printed high byte first and travels low byte first. */
export class PackageHasher implements Hasher {
  constructor(
    private readonly hasher: IHasher,
    private readonly reversed: boolean,
  ) {}

  init(): void {
    this.hasher.init();
  }

  update(data: Uint8Array, from: number, to: number): void {
    this.hasher.update(data.subarray(from, to));
  }

  final(out: Uint8Array, at: number): void {
    const sum = this.hasher.digest('binary');
    const n = sum.length;
    for (let i = 0; i < n; i++) out[at + i] = sum[this.reversed ? n - 1 - i : i];
  }
}

/** MD5 and SHA-1 of OpenSSL: 1.3 and 2 times as fast as wasm on long input, slower below about 4 KiB. */
export class OpensslHasher implements Hasher {
  private hash: Hash;

  constructor(private readonly name: 'md5' | 'sha1') {
    this.hash = createHash(name);
  }

  init(): void {
    this.hash = createHash(this.name);
  }

  update(data: Uint8Array, from: number, to: number): void {
    this.hash.update(data.subarray(from, to));
  }

  final(out: Uint8Array, at: number): void {
    out.set(this.hash.digest(), at);
  }
}

/** Writes a 64-bit value low byte first. */
export function putUint64(value: bigint, out: Uint8Array, at: number): void {
  let low = Number(value & 0xffffffffn);
  let high = Number(value >> 32n);
  for (let i = 0; i < 4; i++) {
    out[at + i] = low;
    out[at + 4 + i] = high;
    low >>>= 8;
    high >>>= 8;
  }
}

/** Longest piece given to xxhash-wasm, which grows its memory to the longest input it ever saw. */
const XXH64_PIECE = 128 * 1024;

/** XXH64 of the xxhash-wasm package, unseeded. */
export class Xxh64Hasher implements Hasher {
  private state: XXHash<bigint>;

  constructor(private readonly api: XXHashAPI) {
    this.state = api.create64(0n);
  }

  init(): void {
    this.state = this.api.create64(0n);
  }

  update(data: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at += XXH64_PIECE) {
      this.state.update(data.subarray(at, Math.min(at + XXH64_PIECE, to)));
    }
  }

  final(out: Uint8Array, at: number): void {
    putUint64(this.state.digest(), out, at);
  }
}

/** The hash of nothing: one zero byte (11.2). */
export class NoHasher implements Hasher {
  init(): void {}

  update(_data: Uint8Array, _from: number, _to: number): void {}

  final(out: Uint8Array, at: number): void {
    out[at] = 0;
  }
}
