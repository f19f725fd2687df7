/** Slow and obvious twins of what protocol/ does cleverly: the oracles of its property tests. */

/** The rolling sum (11.1) by its definition. */
export function rollingSum(data: Uint8Array): number {
  let s1 = 0;
  let s2 = 0;
  for (let i = 0; i < data.length; i++) {
    const signed = (data[i] << 24) >> 24;
    s1 = (s1 + signed) | 0;
    s2 = (s2 + Math.imul(data.length - i, signed)) | 0;
  }
  return (s1 & 0xffff) | (s2 << 16);
}

/** A piece of a file: bytes (as a latin1 string), or the number of a block. */
export type Piece = string | number;

/**
 * Cuts `file` into new bytes and blocks of `basis` by comparing the bytes themselves: at every position the block after
 * the last one found, else the first equal one. Right behind a block, where none begins, a block's length is passed over if the
 * block after the expected one comes then. `usable` may forbid blocks.
 */
export function cutByBlocks(
  file: Buffer,
  basis: Buffer,
  blockLength: number,
  usable: (block: number, offset: number, pieces: Piece[]) => boolean = () => true,
): Piece[] {
  const blocks: Buffer[] = [];
  for (let at = 0; at < basis.length; at += blockLength) blocks.push(basis.subarray(at, at + blockLength));
  const pieces: Piece[] = [];
  let literal = 0;
  let wanted = 0;
  for (let at = 0; at < file.length; ) {
    const fits = (block: number, from = at) =>
      block < blocks.length &&
      (blocks[block].length === blockLength || from + blocks[block].length === file.length) &&
      usable(block, from, pieces) &&
      file.subarray(from, from + blocks[block].length).equals(blocks[block]);
    const block = fits(wanted) ? wanted : blocks.findIndex((_, i) => fits(i));
    if (block < 0) {
      const isFull = blocks[wanted + 1]?.length === blockLength;
      if (at === literal && isFull && fits(wanted + 1, at + blockLength)) {
        at += blockLength;
        wanted++;
      } else {
        at++;
      }
      continue;
    }
    if (literal < at) pieces.push(file.toString('latin1', literal, at));
    pieces.push(block);
    at += blocks[block].length;
    literal = at;
    wanted = block + 1;
  }
  if (literal < file.length) pieces.push(file.toString('latin1', literal));
  return pieces;
}
