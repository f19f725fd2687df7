import { PlainTokenReader, type TokenReader } from '../../protocol/delta/tokens.js';
import { createFileDigest } from '../../protocol/hash/digest.js';
import { loadCodecs } from '../codec/load.js';
import type { Session } from '../session/session.js';
import { FileReceiver } from './file-receiver.js';

async function tokenReader(session: Session): Promise<TokenReader> {
  const { compression } = session.algorithms;
  if (compression === 'none') return new PlainTokenReader();
  const { compressedReader } = await loadCodecs();
  return compressedReader(compression, session.protocol);
}

/** The machine that receives files of this session. */
export async function createFileReceiver(session: Session): Promise<FileReceiver> {
  const digest = await createFileDigest(session.algorithms.transferSum, session.sumContext);
  return new FileReceiver(await tokenReader(session), digest);
}
