import type { ByteReader } from '../bytes/reader.js';
import type { ByteWriter } from '../bytes/writer.js';
import { BLOCK_SIZE, MAX_BLOCK_SIZE, OLD_MAX_BLOCK_SIZE, SUM_LENGTH } from '../constants.js';
import type { BlockDigest } from '../hash/digest.js';
import { Kernel } from '../kernel/kernel.js';
import { SumKernel } from '../kernel/sum-kernel.js';

/** The sum head (9.6): how a basis file is cut into blocks. */
export interface SumHead {
  /** Number of blocks; 0 means that there is no basis. */
  count: number;
  /** Bytes of every block but a short last one. */
  blockLength: number;
  /** Bytes of each strong sum on the wire. */
  sumLength: number;
  /** Bytes of the last block when it is short, else 0. */
  remainder: number;
}

/** No basis: everything is sent literally. */
export const EMPTY_HEAD: Readonly<SumHead> = Object.freeze({ count: 0, blockLength: 0, sumLength: 0, remainder: 0 });

const MAX_COUNT = 0x7fffffff;
/** Bits that the reference wants a block's sums to have beyond twice the number of positions, less the rolling sum's. */
const SUM_BITS_BIAS = 14;
const SHORTEST_SUM = 2;

/** floor(log2(x)) of a whole number from 1 to 2^53, exactly. */
function log2(x: number): number {
  const high = Math.floor(x / 2 ** 32);
  return high > 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(x >>> 0);
}

function maxBlockLength(protocol: number): number {
  return protocol < 30 ? OLD_MAX_BLOCK_SIZE : MAX_BLOCK_SIZE;
}

/** Integer square root, rounded down to a multiple of 8. */
function rootOf(length: number): number {
  let root = Math.floor(Math.sqrt(length));
  while (root * root > length) root--;
  return root - (root % 8);
}

/**
 * The sum head that the reference would choose for a basis of `basisLength` bytes (9.6).
 * `blockSize` 0 lets the length decide; `redo` asks for sums of full length after a checksum mismatch.
 * The head is empty when there is nothing to describe or when the number of blocks would not fit the wire.
 */
export function chooseSumHead(
  basisLength: number,
  o: { protocol: number; blockSize: number; digestLength: number; redo: boolean },
): SumHead {
  if (basisLength <= 0) return { ...EMPTY_HEAD };
  let blockLength = o.blockSize;
  if (blockLength <= 0) {
    blockLength =
      basisLength <= BLOCK_SIZE * BLOCK_SIZE
        ? BLOCK_SIZE
        : Math.max(BLOCK_SIZE, Math.min(rootOf(basisLength), maxBlockLength(o.protocol)));
  }
  const longest = Math.min(SUM_LENGTH, o.digestLength);
  let sumLength = longest;
  if (!o.redo) {
    const wanted = Math.trunc((2 * log2(basisLength) - log2(blockLength) - SUM_BITS_BIAS) / 8);
    sumLength = Math.min(longest, Math.max(SHORTEST_SUM, wanted));
  }
  const remainder = basisLength % blockLength;
  const count = (basisLength - remainder) / blockLength + (remainder > 0 ? 1 : 0);
  if (count > MAX_COUNT) return { ...EMPTY_HEAD };
  return { count, blockLength, sumLength, remainder };
}

/** Writes the four int32 of a head. */
export function writeSumHead(w: ByteWriter, head: Readonly<SumHead>): void {
  w.i32(head.count);
  w.i32(head.blockLength);
  w.i32(head.sumLength);
  w.i32(head.remainder);
}

/**
 * Reads a head as a unit of its own and checks the limits of 9.6; null when it is not all there yet.
 * `digestLength` is the wire length of the session's checksum.
 */
export function readSumHead(r: ByteReader, protocol: number, digestLength: number): SumHead | null {
  r.begin();
  const count = r.i32();
  const blockLength = r.i32();
  const sumLength = r.i32();
  const remainder = r.i32();
  if (!r.done()) return null;
  r.bounded(count, 0, MAX_COUNT, 'checksum count');
  r.bounded(blockLength, count > 0 ? 1 : 0, maxBlockLength(protocol), 'block length');
  r.bounded(sumLength, 0, digestLength, 'checksum length');
  r.bounded(remainder, 0, blockLength, 'remainder length');
  return { count, blockLength, sumLength, remainder };
}

/** Bytes of the basis that the head describes. */
export function flength(head: Readonly<SumHead>): number {
  if (head.count === 0) return 0;
  const missing = head.remainder > 0 ? head.blockLength - head.remainder : 0;
  return head.count * head.blockLength - missing;
}

const FIRST_BLOCKS = 1024;

/**
 * The block sums of one basis file as columns, as a sender gets them. One object serves all files of a session.
 * Memory follows what has arrived, never what the head announces.
 */
export class BlockSums {
  head: SumHead = { ...EMPTY_HEAD };
  /** Rolling sum of each block; longer than `head.count`. */
  rolling: Int32Array = new Int32Array(FIRST_BLOCKS);
  /** Strong sums, `head.sumLength` bytes each. */
  strong: Uint8Array = new Uint8Array(FIRST_BLOCKS * SHORTEST_SUM);
  /** Blocks whose sums have arrived. */
  filled = 0;

  /** Begins the sums that `head` announces; those of an earlier file are forgotten. */
  start(head: SumHead): void {
    this.head = head;
    this.filled = 0;
  }

  private grow(): void {
    const { head } = this;
    const room = Math.min(head.count, Math.max(FIRST_BLOCKS, this.filled * 2));
    if (this.rolling.length < room) {
      const next = new Int32Array(room);
      next.set(this.rolling.subarray(0, this.filled));
      this.rolling = next;
    }
    if (this.strong.length < room * head.sumLength) {
      const next = new Uint8Array(room * head.sumLength);
      next.set(this.strong.subarray(0, this.filled * head.sumLength));
      this.strong = next;
    }
  }

  /** Takes as many sums as are buffered; true when all are there. Each block's sums are a unit of their own. */
  read(r: ByteReader): boolean {
    const { count, sumLength } = this.head;
    const size = 4 + sumLength;
    while (this.filled < count) {
      if (!r.has(size)) return false;
      const i = this.filled;
      if (i >= this.rolling.length || (i + 1) * sumLength > this.strong.length) this.grow();
      r.begin();
      this.rolling[i] = r.i32();
      const { buf, pos } = r;
      const { strong } = this;
      const at = i * sumLength;
      for (let k = 0; k < sumLength; k++) strong[at + k] = buf[pos + k];
      r.pos = pos + sumLength;
      r.done();
      this.filled = i + 1;
    }
    return true;
  }
}

/** Writes the sums of basis blocks, for the receiving side. One object serves a session. */
export class SumWriter {
  private ownKernel: SumKernel | null = null;
  private readonly strong: Uint8Array;

  constructor(private readonly digest: BlockDigest) {
    this.strong = new Uint8Array(digest.length);
  }

  /** What makes all of the sums; null where the strong ones are made elsewhere. */
  get kernel(): SumKernel | null {
    return this.digest.kernel === null ? null : this.sumKernel;
  }

  private get sumKernel(): SumKernel {
    this.ownKernel ??= new SumKernel(this.digest.kernel ?? new Kernel());
    return this.ownKernel;
  }

  /**
   * Memory for `length` bytes, up to `count` blocks, that are to be read and given to `write`, together or in parts: what
   * lies here is not copied, and nothing else is changed meanwhile.
   */
  room(length: number, count: number, head: Readonly<SumHead>): { bytes: Uint8Array; at: number } {
    const kernel = this.sumKernel;
    kernel.setRoom(length, count * (4 + head.sumLength));
    return { bytes: kernel.kernel.bytes, at: kernel.dataAt };
  }

  /**
   * Writes the sums of the blocks in data[from, to): whole blocks of `head.blockLength` bytes, the last one of the call
   * may be short (only at the end of the basis).
   */
  write(w: ByteWriter, data: Uint8Array, from: number, to: number, head: Readonly<SumHead>): void {
    const kernel = this.sumKernel;
    if (this.digest.kernel === null) {
      this.writeEach(w, kernel.sums(data, from, to, head.blockLength), to - from, head);
      return;
    }
    const length = kernel.records(data, from, to, head.blockLength, head.sumLength);
    w.bytes(kernel.kernel.bytes, kernel.recordsAt, kernel.recordsAt + length);
  }

  /** The strong sums one by one; the data lies in the kernel's memory by now. */
  private writeEach(w: ByteWriter, rolling: Int32Array, length: number, head: Readonly<SumHead>): void {
    const { blockLength, sumLength } = head;
    const { kernel, summedAt: from } = this.sumKernel;
    const { bytes } = kernel;
    let at = from;
    for (const sum of rolling) {
      this.digest.sum(bytes, at, Math.min(at + blockLength, from + length), this.strong, 0);
      w.i32(sum);
      w.bytes(this.strong, 0, sumLength);
      at += blockLength;
    }
  }
}
