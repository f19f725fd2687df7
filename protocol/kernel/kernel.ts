import { randomInt } from 'node:crypto';
import { Exit } from '../constants.js';
import { RsyncError } from '../errors.js';
import { KERNEL_BYTES } from './bytes.gen.js';

/** What assembly/ exports. Addresses and lengths are bytes; sums are int32. */
interface Exports {
  memory: WasmMemory;
  sumOf(data: number, length: number): number;
  blockSums(data: number, length: number, block: number, out: number): void;
  configure(
    windowAt: number,
    blockLength: number,
    linksAt: number,
    slotsAt: number,
    slotBits: number,
    bitmapAt: number,
    bitBits: number,
    multiplier: number,
  ): void;
  build(count: number): void;
  seek(position: number): number;
  head(): number;
  foundHead(): number;
  scan(position: number, last: number): number;
}

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** The part of the WebAssembly global that is used here; its full types come only with those of a browser. */
interface WasmApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: unknown };
}

const PAGE = 64 * 1024;
/** The first bytes belong to the kernels. */
const FIRST_FREE = 1024;

let compiled: object | null = null;

/** Compiles once per process, at the first use, in well under a millisecond: that may be done synchronously. */
function instantiate(): Exports {
  const wasm = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
  compiled ??= new wasm.Module(Buffer.from(KERNEL_BYTES, 'base64'));
  return new wasm.Instance(compiled, {}).exports as Exports;
}

/** An instance of the kernels with memory of its own. */
class Kernel {
  protected readonly wasm = instantiate();
  /** The whole memory. Growing replaces it: read this field anew after every call that says so. */
  bytes = new Uint8Array(this.wasm.memory.buffer);
  protected words = new Int32Array(this.wasm.memory.buffer);

  /** Makes the memory at least `size` bytes long; an RsyncError 22 when it cannot be had. */
  protected reserve(size: number): void {
    const missing = Math.ceil(size / PAGE) - this.bytes.length / PAGE;
    if (missing <= 0) return;
    try {
      this.wasm.memory.grow(missing);
    } catch {
      throw new RsyncError(Exit.MALLOC, `out of memory in the block search (${size} bytes)`);
    }
    this.bytes = new Uint8Array(this.wasm.memory.buffer);
    this.words = new Int32Array(this.wasm.memory.buffer);
  }
}

/** Longest piece that is copied into wasm for one call. */
const PIECE = 256 * 1024;

/** Rolling sums (11.1) of blocks of bytes that lie anywhere. */
export class SumKernel extends Kernel {
  /**
   * The sums of the blocks in data[from, to), each `blockLength` bytes, the last maybe short.
   * The result is a view that is valid until the next call.
   */
  sums(data: Uint8Array, from: number, to: number, blockLength: number): Int32Array {
    const length = to - from;
    const count = Math.ceil(length / blockLength);
    const room = FIRST_FREE + Math.min(length, PIECE) + 16;
    const out = room - (room % 4);
    this.reserve(out + 4 * count);
    if (length <= PIECE) {
      this.bytes.set(data.subarray(from, to), FIRST_FREE);
      this.wasm.blockSums(FIRST_FREE, length, blockLength, out);
    } else if (blockLength <= PIECE) {
      const step = PIECE - (PIECE % blockLength);
      for (let at = 0; at < length; at += step) {
        const n = Math.min(step, length - at);
        this.bytes.set(data.subarray(from + at, from + at + n), FIRST_FREE);
        this.wasm.blockSums(FIRST_FREE, n, blockLength, out + 4 * (at / blockLength));
      }
    } else {
      for (let i = 0; i < count; i++) {
        const start = from + i * blockLength;
        this.words[out / 4 + i] = this.longSum(data, start, Math.min(start + blockLength, to));
      }
    }
    return this.words.subarray(out / 4, out / 4 + count);
  }

  /** The sum of a block that is longer than a piece: the second half counts each byte once per byte that follows. */
  private longSum(data: Uint8Array, from: number, to: number): number {
    let s1 = 0;
    let s2 = 0;
    for (let at = from; at < to; at += PIECE) {
      const n = Math.min(PIECE, to - at);
      this.bytes.set(data.subarray(at, at + n), FIRST_FREE);
      const sum = this.wasm.sumOf(FIRST_FREE, n);
      s2 = (s2 + Math.imul(n, s1) + (sum >>> 16)) | 0;
      s1 = (s1 + (sum & 0xffff)) | 0;
    }
    return (s1 & 0xffff) | (s2 << 16);
  }
}

/** More blocks than this are not indexed (their tables would fill wasm's 4 GiB): they match only one after another. */
const MAX_INDEXED = 1 << 26;
const MIN_SLOT_BITS = 8;
const MAX_SLOT_BITS = 27;
const MIN_BIT_BITS = 15;
/**
 * Bitmap bits per block, as a power of two: 1 of 128 positions of unrelated data gets past it. Fewer bits cost
 * mispredicted branches (half the speed at 5); a bitmap beyond 2^26 bits costs more in cache than it saves.
 */
const BITS_PER_BLOCK_LOG2 = 7;
const LEAST_BITS_PER_BLOCK_LOG2 = 3;
const CACHED_BIT_BITS = 26;

/**
 * A window of file bytes in wasm memory, and the index of the blocks to be found in it.
 * Positions are relative to the window; `windowAt + position` is the byte's place in `bytes`.
 */
export class SearchKernel extends Kernel {
  /** Where the window begins in `bytes`. */
  readonly windowAt = FIRST_FREE;
  private links = 0;
  private readonly multiplier = (randomInt(2 ** 31) * 2 + 1) | 0;

  /**
   * Makes room for `windowLength` bytes and the index of the first `count` sums, and builds it. Replaces `bytes` and
   * forgets what was in the window.
   */
  prepare(windowLength: number, blockLength: number, rolling: Int32Array, count: number): void {
    const indexed = Math.min(count, MAX_INDEXED);
    const log2 = 32 - Math.clz32(Math.max(1, indexed - 1));
    const slotBits = Math.min(MAX_SLOT_BITS, Math.max(MIN_SLOT_BITS, log2 + 1));
    const mostBits = Math.max(CACHED_BIT_BITS, log2 + LEAST_BITS_PER_BLOCK_LOG2);
    const bitBits = Math.min(mostBits, Math.max(MIN_BIT_BITS, log2 + BITS_PER_BLOCK_LOG2));
    const slots = Math.ceil((this.windowAt + windowLength + 64) / 64) * 64;
    const bitmap = slots + 2 ** slotBits * 8;
    const links = bitmap + 2 ** bitBits / 8;
    this.reserve(links + indexed * 4);
    this.links = links / 4;
    this.words.set(rolling.subarray(0, indexed), this.links);
    this.wasm.configure(this.windowAt, blockLength, links, slots, slotBits, bitmap, bitBits, this.multiplier);
    this.wasm.build(indexed);
  }

  /** The rolling sum of `length` bytes from `position` on. */
  sumOf(position: number, length: number): number {
    return this.wasm.sumOf(this.windowAt + position, length);
  }

  /** Makes `position` current; returns its sum. */
  seek(position: number): number {
    return this.wasm.seek(position);
  }

  /** First block whose sum is that of the current position, or -1. */
  head(): number {
    return this.wasm.head() - 1;
  }

  /**
   * Rolls from the current `position` to the next one, at most `last`, that has a block's sum, and makes it current;
   * -1 when there is none, and then `last` is current.
   */
  scan(position: number, last: number): number {
    return this.wasm.scan(position, last);
  }

  /** The first block of the sum that `scan` has found. */
  foundHead(): number {
    return this.wasm.foundHead() - 1;
  }

  /** The next block after `block` with the same sum, or -1. */
  next(block: number): number {
    return this.words[this.links + block] - 1;
  }
}
