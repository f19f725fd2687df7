import { FIRST_FREE, Kernel, RESULT, STAGE, STAGE_LENGTH } from '../kernel/kernel.js';
import type { Hasher } from './hashers.js';

const LENGTH = 16;

/** XXH128 of a stream, unseeded. Data in the kernel's own memory is not copied. */
export class Xxh128Hasher implements Hasher {
  constructor(private readonly kernel: Kernel) {}

  init(): void {
    this.kernel.wasm.xxh128Start();
  }

  update(data: Uint8Array, from: number, to: number): void {
    const { bytes, wasm } = this.kernel;
    const place = this.kernel.placeOf(data);
    if (place >= 0) {
      wasm.xxh128Update(place + from, to - from);
      return;
    }
    for (let at = from; at < to; at += STAGE_LENGTH) {
      const end = Math.min(at + STAGE_LENGTH, to);
      bytes.set(data.subarray(at, end), STAGE);
      wasm.xxh128Update(STAGE, end - at);
    }
  }

  final(out: Uint8Array, at: number): void {
    this.kernel.wasm.xxh128Final(RESULT);
    copyResult(this.kernel, out, at);
  }
}

function copyResult({ bytes }: Kernel, out: Uint8Array, at: number): void {
  for (let i = 0; i < LENGTH; i++) out[at + i] = bytes[RESULT + i];
}

/** XXH128 of blocks, seeded. Implements BlockDigest. */
export class Xxh128Blocks {
  readonly length = LENGTH;
  /** For data that lies elsewhere. */
  private spare: Kernel | null = null;

  constructor(
    readonly kernel: Kernel,
    private readonly seed: number,
  ) {
    kernel.wasm.xxh128Seed(BigInt(seed));
  }

  sum(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
    if (data === this.kernel.bytes) {
      this.kernel.wasm.xxh128(from, to - from, RESULT);
      copyResult(this.kernel, out, at);
    } else {
      this.sumElsewhere(data.subarray(from, to), out, at);
    }
  }

  private sumElsewhere(data: Uint8Array, out: Uint8Array, at: number): void {
    if (this.spare === null) {
      this.spare = new Kernel();
      this.spare.wasm.xxh128Seed(BigInt(this.seed));
    }
    const { spare } = this;
    spare.reserve(FIRST_FREE + data.length);
    spare.bytes.set(data, FIRST_FREE);
    spare.wasm.xxh128(FIRST_FREE, data.length, RESULT);
    copyResult(spare, out, at);
  }
}
