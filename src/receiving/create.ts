import { CompressedTokenReader } from '../../protocol/delta/compressed.js';
import { PlainTokenReader, type TokenReader } from '../../protocol/delta/tokens.js';
import { createFileDigest } from '../../protocol/hash/digest.js';
import { createDecompressor } from '../codec/index.js';
import type { Session } from '../session/session.js';
import { FileReceiver } from './file-receiver.js';

function tokenReader(session: Session): TokenReader {
  const { compression } = session.algorithms;
  if (compression === 'none') return new PlainTokenReader();
  return new CompressedTokenReader(createDecompressor(compression, session.protocol));
}

/** The machine that receives files of this session. */
export async function createFileReceiver(session: Session): Promise<FileReceiver> {
  const digest = await createFileDigest(session.algorithms.transferSum, session.sumContext);
  return new FileReceiver(tokenReader(session), digest);
}
