import type { BlockDigest } from '../hash/digest.js';
import type { SearchKernel } from '../kernel/search-kernel.js';
import type { BlockSums } from './blocks.js';

/** Blocks of equal rolling sum that are compared per position (15). */
const MAX_CANDIDATES = 1024;
/**
 * Work spent on false alarms, in bytes hashed, that is allowed at once and per byte of the file. It keeps the search
 * linear when a peer sends rolling sums that fit everywhere and strong sums that fit nowhere; beyond it, positions go
 * unverified and their bytes are sent as they are.
 */
const FREE_WORK = 64 * 1024 * 1024;
const WORK_PER_BYTE = 256;
/** What one compared candidate counts for. */
const CANDIDATE_WORK = 16;

/**
 * Tells which block of a basis lies at a position of a file, once a rolling sum speaks for one: its strong sum decides, and
 * whether the block may still be used where the receiver writes into the basis itself (9.8).
 */
export class BlockCheck {
  /** Positions whose rolling sum was a block's, and those of them whose strong sum was not. */
  hashHits = 0;
  falseAlarms = 0;

  /** Sum of the bytes at the position that is checked. */
  private readonly strong: Uint8Array;
  private sums!: BlockSums;
  private kernel!: SearchKernel;
  private blockLength = 0;
  private sumLength = 0;
  /** Blocks of full length. */
  private full = 0;
  private updating = false;
  /** While updating: blocks whose bytes stay where they are in the basis. */
  private kept: Uint8Array = new Uint8Array(0);
  private work = 0;

  constructor(private readonly block: BlockDigest) {
    this.strong = new Uint8Array(block.length);
  }

  /** Begins a file. `full`: blocks of full length. `updating`: the receiver writes into the basis. */
  start(sums: BlockSums, kernel: SearchKernel, full: number, updating: boolean): void {
    this.sums = sums;
    this.kernel = kernel;
    this.blockLength = sums.head.blockLength;
    this.sumLength = sums.head.sumLength;
    this.full = full;
    this.updating = updating;
    this.work = 0;
    if (!updating) return;
    const { count } = sums.head;
    if (this.kept.length < count) this.kept = new Uint8Array(count);
    else this.kept.fill(0, 0, count);
  }

  /** So much was spent on false alarms up to this file offset that no more is. */
  isExhausted(offset: number): boolean {
    return this.work > FREE_WORK + WORK_PER_BYTE * offset;
  }

  /** Whether `wanted`, the block that is expected next, has the rolling sum `sum` and may be used at `offset`. */
  isWanted(wanted: number, sum: number, offset: number): boolean {
    return wanted < this.full && this.sums.rolling[wanted] === sum && this.isUsable(wanted, offset);
  }

  /**
   * The block at position `at` of the window, which is `offset` in the file and has the rolling sum `sum`, or -1. `head` is the
   * first block of that sum, -1 when only the `wanted` one is known to have it.
   */
  find(at: number, offset: number, sum: number, head: number, wanted: number): number {
    this.hashHits++;
    this.sumBlock(at, this.blockLength);
    if (this.updating) {
      // A block that is in its place already need not be written at all.
      const aligned = this.alignedBlock(offset);
      if (aligned >= 0 && this.sums.rolling[aligned] === sum && this.hasStrong(aligned)) return aligned;
    }
    // The wanted block makes runs, which cost the wire and the receiver less.
    if (this.isWanted(wanted, sum, offset) && this.hasStrong(wanted)) return wanted;
    let tries = 0;
    for (let block = head; block >= 0 && tries < MAX_CANDIDATES; block = this.kernel.next(block)) {
      tries++;
      if (this.hasStrong(block) && this.isUsable(block, offset)) return block;
    }
    this.falseAlarms++;
    this.work += this.blockLength + tries * CANDIDATE_WORK;
    return -1;
  }

  /** Whether the `length` bytes at position `at` of the window, which have the rolling sum of this block, are this block. */
  isAt(at: number, length: number, block: number): boolean {
    this.hashHits++;
    this.sumBlock(at, length);
    if (this.hasStrong(block)) return true;
    this.falseAlarms++;
    this.work += length;
    return false;
  }

  /** The rule for updating (9.8): the block was not overwritten yet, or was overwritten by itself. */
  isUsable(block: number, offset: number): boolean {
    if (!this.updating) return true;
    return block * this.blockLength >= offset || this.kept[block] === 1;
  }

  /** The block was used at `offset` of the file. */
  use(block: number, offset: number): void {
    if (this.updating && block * this.blockLength === offset) this.kept[block] = 1;
  }

  /** While updating: the block that lies in the basis where `offset` is in the file, or -1. */
  private alignedBlock(offset: number): number {
    const block = offset / this.blockLength;
    return offset % this.blockLength === 0 && block < this.full ? block : -1;
  }

  private sumBlock(at: number, length: number): void {
    const { bytes, windowAt } = this.kernel;
    const from = windowAt + at;
    this.block.sum(bytes, from, from + length, this.strong, 0);
  }

  private hasStrong(block: number): boolean {
    const { strong, sumLength } = this;
    const theirs = this.sums.strong;
    const at = block * sumLength;
    for (let i = 0; i < sumLength; i++) if (theirs[at + i] !== strong[i]) return false;
    return true;
  }
}
