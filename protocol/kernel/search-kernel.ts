import { FIRST_FREE, Kernel } from './kernel.js';

/** More blocks than this are not indexed (their tables would fill wasm's 4 GiB): they match only one after another. */
const MAX_INDEXED = 1 << 26;
const MIN_SLOT_BITS = 8;
const MAX_SLOT_BITS = 27;
const MIN_FILTER_BITS = 12;
/** Bytes of the filter per block, as a power of two: 1 of 100 positions of unrelated data gets past it. */
const FILTER_PER_BLOCK_LOG2 = 3;
/** A filter that is larger than half of a second-level cache costs more than it saves. */
const CACHED_FILTER_BITS = 18;
const MAX_FILTER_BITS = 24;

/**
 * A window of file bytes in wasm memory, and the index of the blocks to be found in it.
 * Positions are relative to the window; `windowAt + position` is the byte's place in `bytes`.
 */
export class SearchKernel {
  /** Where the window begins in `bytes`. */
  windowAt = FIRST_FREE;
  private links = 0;
  /** Odd, and not to be known by a peer, who could choose blocks that share a slot. */
  private readonly multiplier = (Math.floor(Math.random() * 2 ** 31) * 2 + 1) | 0;

  constructor(readonly kernel = new Kernel()) {}

  /** The memory; `prepare` replaces it. */
  get bytes(): Uint8Array {
    return this.kernel.bytes;
  }

  /**
   * Makes room for `windowLength` bytes and the index of the first `count` sums, and builds it. Forgets what was in the
   * window.
   */
  prepare(windowLength: number, blockLength: number, rolling: Int32Array, count: number): void {
    const { kernel } = this;
    const indexed = Math.min(count, MAX_INDEXED);
    const log2 = 32 - Math.clz32(Math.max(1, indexed - 1));
    const slotBits = Math.min(MAX_SLOT_BITS, Math.max(MIN_SLOT_BITS, log2 + 1));
    const filterBits = filterBitsFor(log2);
    const align = (at: number) => Math.ceil(at / 64) * 64;
    this.windowAt = FIRST_FREE + 2 ** filterBits;
    const slots = align(this.windowAt + windowLength + 64);
    const links = slots + 2 ** slotBits * 8;
    kernel.reserve(links + indexed * 4);
    this.links = links / 4;
    kernel.words.set(rolling.subarray(0, indexed), this.links);
    kernel.wasm.configure(this.windowAt, blockLength, links, slots, slotBits, filterBits, this.multiplier);
    kernel.wasm.build(indexed);
  }

  /** The rolling sum of `length` bytes from `position` on. */
  sumOf(position: number, length: number): number {
    return this.kernel.wasm.sumOf(this.windowAt + position, length);
  }

  /** Makes `position` current; returns its sum. */
  seek(position: number): number {
    return this.kernel.wasm.seek(position);
  }

  /** First block whose sum is that of the current position, or -1. */
  head(): number {
    return this.kernel.wasm.head() - 1;
  }

  /**
   * Rolls from the current `position` to the next one, at most `last`, that has a block's sum, and makes it current;
   * -1 when there is none, and then `last` is current.
   */
  scan(position: number, last: number): number {
    return this.kernel.wasm.scan(position, last);
  }

  /** The first block of the sum that `scan` has found. */
  foundHead(): number {
    return this.kernel.wasm.foundHead() - 1;
  }

  /** The next block after `block` with the same sum, or -1. */
  next(block: number): number {
    return this.kernel.words[this.links + block] - 1;
  }
}

/** Few blocks get a filter with room to spare, many one that stays in the cache as long as it still filters. */
function filterBitsFor(log2: number): number {
  const wanted = Math.max(MIN_FILTER_BITS, log2 + FILTER_PER_BLOCK_LOG2);
  return Math.min(MAX_FILTER_BITS, Math.min(wanted, Math.max(CACHED_FILTER_BITS, log2 + 1)));
}
