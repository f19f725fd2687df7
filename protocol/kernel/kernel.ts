import { Exit } from '../constants.js';
import { RsyncError } from '../errors.js';
import { KERNEL_BYTES } from './bytes.gen.js';

/** What assembly/ exports. Addresses and lengths are bytes; sums are int32. */
interface Exports {
  memory: WasmMemory;
  sumOf(data: number, length: number): number;
  blockSums(data: number, length: number, block: number, out: number): void;
  blockRecords(data: number, length: number, block: number, sumLength: number, out: number): void;
  configure(
    windowAt: number,
    blockLength: number,
    linksAt: number,
    slotsAt: number,
    slotBits: number,
    filterBits: number,
    multiplier: number,
  ): void;
  build(count: number): void;
  seek(position: number): number;
  head(): number;
  foundHead(): number;
  scan(position: number, last: number): number;
  xxh128(data: number, length: number, out: number): void;
  xxh128Seed(seed: bigint): void;
  xxh128Start(): void;
  xxh128Update(data: number, length: number): void;
  xxh128Final(out: number): void;
  readAnswers(data: number, length: number, previous: number, most: number, out: number, isPacked: boolean): number;
  /** 1 or 0. */
  hasSum(data: number, length: number, sum: number): number;
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

/** Room for short results, and for data of others that is copied in piece by piece; small enough for the first cache. */
export const RESULT = 0x1f00;
export const STAGE = 0x2000;
export const STAGE_LENGTH = 0x6000;
/** The first bytes belong to the kernels (assembly/search.ts has the rest of the map); from here on users place theirs. */
export const FIRST_FREE = 0x10000;

let compiled: object | null = null;

/** Compiles once per process, at the first use, in about a millisecond: that may be done synchronously. */
function instantiate(): Exports {
  const wasm = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
  compiled ??= new wasm.Module(Buffer.from(KERNEL_BYTES, 'base64'));
  return new wasm.Instance(compiled, {}).exports as Exports;
}

/**
 * An instance of the kernels with memory of its own. It holds one stream sum, one block seed and one search at a time;
 * what lies in `bytes` already is taken from there without a copy.
 */
export class Kernel {
  readonly wasm = instantiate();
  /** The whole memory. Growing replaces it: read this field anew after every `reserve`. */
  bytes = new Uint8Array(this.wasm.memory.buffer);
  words = new Int32Array(this.wasm.memory.buffer);
  /** Parts of the memory that others fill as if these were buffers of theirs, and where they begin. */
  private windows: Buffer[] = [];
  private places: number[] = [];

  /** Makes the memory at least `size` bytes long; an RsyncError 22 when it cannot be had. */
  reserve(size: number): void {
    const missing = Math.ceil(size / PAGE) - this.bytes.length / PAGE;
    if (missing <= 0) return;
    try {
      this.wasm.memory.grow(missing);
    } catch {
      throw new RsyncError(Exit.MALLOC, `out of memory in the block search (${size} bytes)`);
    }
    this.bytes = new Uint8Array(this.wasm.memory.buffer);
    this.words = new Int32Array(this.wasm.memory.buffer);
    this.windows = [];
    this.places = [];
  }

  /**
   * Makes `count` windows of `length` bytes, from `at` on, which take the place of those before. They are buffers for as long
   * as the memory does not grow.
   */
  openWindows(at: number, length: number, count: number): readonly Buffer[] {
    this.reserve(at + count * length);
    this.places = Array.from({ length: count }, (_, i) => at + i * length);
    this.windows = this.places.map((place) => Buffer.from(this.wasm.memory.buffer, place, length));
    return this.windows;
  }

  /** Where in the memory data[0] lies; -1: elsewhere. */
  placeOf(data: Uint8Array): number {
    if (data === this.bytes) return 0;
    const { windows } = this;
    for (let i = 0; i < windows.length; i++) if (windows[i] === data) return this.places[i];
    return -1;
  }
}

/** A process keeps so many kernels that are not in use, each of so many bytes at most. */
const MOST_IDLE = 8;
const LARGEST_IDLE = 1 << 20;
const idle: Kernel[] = [];

/**
 * The kernels of one session. To make one takes a third of a millisecond and memory that V8 has to collect again, which
 * a process of many short sessions (a daemon's worker, a mirror) feels: so the next session gets those of the last one.
 */
export class Kernels {
  private taken: Kernel[] = [];

  /** A kernel with anything in its memory, and with whatever seed the last user has set. */
  take(): Kernel {
    const kernel = idle.pop() ?? new Kernel();
    this.taken.push(kernel);
    return kernel;
  }

  /** The kernel is not given back: somebody may use its memory beyond the session. */
  keep(kernel: Kernel): void {
    this.taken = this.taken.filter((other) => other !== kernel);
  }

  /** Gives all back. To be called only when the session is over, so that nobody works with one any more. */
  release(): void {
    const kept = this.taken.filter(({ bytes }) => bytes.length <= LARGEST_IDLE);
    idle.push(...kept.slice(0, MOST_IDLE - idle.length));
    this.taken = [];
  }
}
