import { CompressedTokenWriter } from '../../protocol/delta/compressed.js';
import { PlainTokenWriter, type TokenWriter } from '../../protocol/delta/tokens.js';
import { createBlockDigest, createFileDigest } from '../../protocol/hash/digest.js';
import { createCompressor } from '../codec/index.js';
import type { Session } from '../session/session.js';
import { FileSender } from './file-sender.js';

function tokenWriter(session: Session): TokenWriter {
  const { compression } = session.algorithms;
  const { writer } = session.connection;
  if (compression === 'none') return new PlainTokenWriter(writer);
  const { compressLevel: level, compressThreads: threads } = session.options;
  return new CompressedTokenWriter(writer, createCompressor(compression, level, session.protocol, threads));
}

/** The machine that sends files of this session, with the sums and the compression that were agreed on. */
export async function createFileSender(session: Session): Promise<FileSender> {
  const name = session.algorithms.transferSum;
  const digest = await createFileDigest(name, session.sumContext);
  const block = () => createBlockDigest(name, session.sumContext, digest.kernel);
  return new FileSender(session.connection.writer, tokenWriter(session), block, digest);
}
