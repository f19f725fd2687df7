import type { BlockDigest } from '../../protocol/hash/digest.js';

/** Bytes of the shortest strong sum of a block. */
const SHORTEST_SUM = 2;

/** Adds something to three bytes in a row that leaves the rolling sum as it is. */
function bend(block: Uint8Array, at: number): void {
  block[at] += 1;
  block[at + 1] -= 2;
  block[at + 2] += 1;
}

/**
 * Another block with the same rolling sum and the same short strong sum: a sender takes it for `block`, and only the sum of
 * the whole file tells. The bytes of `block` have to lie between 8 and 247.
 */
export function collidingBlock(block: Buffer, digest: BlockDigest): Buffer {
  const sum = Buffer.alloc(digest.length);
  const wanted = Buffer.alloc(digest.length);
  digest.sum(block, 0, block.length, wanted, 0);
  for (let first = 0; first + 6 <= block.length; first++) {
    for (let second = first + 3; second + 3 <= block.length; second++) {
      const other = Buffer.from(block);
      bend(other, first);
      bend(other, second);
      digest.sum(other, 0, other.length, sum, 0);
      if (sum.compare(wanted, 0, SHORTEST_SUM, 0, SHORTEST_SUM) === 0) return other;
    }
  }
  throw new Error('no collision: another block is needed');
}
