import type { ByteReader } from '../../protocol/bytes/reader.js';
import { Token, type TokenReader, type TokenWriter } from '../../protocol/delta/tokens.js';
import type { Piece } from '../lib/naive.js';

export type { Piece };

const NO_BASIS: Buffer = Buffer.alloc(0);

/** The bytes of a block of a basis that is cut into blocks of `blockLength`. */
function blockOf(basis: Buffer, block: number, blockLength: number): Buffer {
  return basis.subarray(block * blockLength, (block + 1) * blockLength);
}

/** Writes one file. With a basis, blocks are handed over with their bytes. */
export function writePieces(writer: TokenWriter, pieces: Piece[], basis: Buffer = NO_BASIS, blockLength = 0): void {
  writer.start();
  for (const piece of pieces) {
    if (typeof piece === 'number') {
      const bytes = blockOf(basis, piece, blockLength);
      writer.match(piece, bytes, 0, bytes.length);
    } else {
      const bytes = Buffer.from(`<${piece}>`, 'latin1');
      writer.literal(bytes, 1, bytes.length - 1);
    }
  }
  writer.end();
}

/** Blocks that are taken together with the one before them, at most. */
const MOST_FURTHER = 3;

/** Reads one file to its end; takes the next of `chunks` when input is short. Literals come out as they were read. */
export function readTokens(
  r: ByteReader,
  reader: TokenReader,
  chunks: Buffer[] = [],
  basis: Buffer = NO_BASIS,
  blockLength = 0,
): Piece[] {
  const pieces: Piece[] = [];
  reader.start();
  while (true) {
    const kind = reader.next(r);
    if (kind === Token.END) return pieces;
    if (kind === Token.SHORT) {
      const chunk = chunks.shift();
      if (!chunk) throw new Error('the tokens end early');
      r.push(chunk);
    } else if (kind === Token.MATCH) {
      const first = reader.block;
      if (reader.wantsMatched) {
        const bytes = blockOf(basis, first, blockLength);
        reader.matched(bytes, 0, bytes.length);
      }
      const further = reader.wantsMatched ? 0 : reader.further(r, MOST_FURTHER);
      for (let block = first; block <= first + further; block++) pieces.push(block);
    } else {
      pieces.push(Buffer.from(reader.data.subarray(reader.from, reader.to)).toString('latin1'));
    }
  }
}

/** The same pieces with neighbouring literals joined. */
export function joinLiterals(pieces: Piece[]): Piece[] {
  const joined: Piece[] = [];
  for (const piece of pieces) {
    const last = joined.length - 1;
    if (typeof piece === 'string' && typeof joined[last] === 'string') joined[last] += piece;
    else joined.push(piece);
  }
  return joined;
}
