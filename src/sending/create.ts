import { PAGE, POOL_LIMIT } from '../../protocol/bytes/writer.js';
import { BlockSearch } from '../../protocol/delta/search.js';
import { PlainTokenWriter } from '../../protocol/delta/tokens.js';
import { createBlockDigest, createFileDigest } from '../../protocol/hash/digest.js';
import { FIRST_FREE, type Kernel } from '../../protocol/kernel/kernel.js';
import { loadCodecs } from '../codec/load.js';
import type { CompressedTokens } from '../codec/tokens.js';
import { hasOneRun } from '../session/engine.js';
import { sharesTurns } from '../session/hand-over.js';
import { LongFiles } from '../session/long-files.js';
import type { Session } from '../session/session.js';
import { FileSender, STEP } from './file-sender.js';

async function tokenWriter(session: Session, isMeasured: boolean): Promise<CompressedTokens> {
  const { connection, protocol } = session;
  const { compression: name } = session.algorithms;
  const { writer } = connection;
  if (name === 'none') return { writer: new PlainTokenWriter(writer), stream: null };
  const { compressLevel, compressThreads: threads, storesData } = session.options;
  const level = storesData && name.startsWith('zlib') ? 0 : compressLevel;
  const codec = { name, level, protocol, threads };
  const { compressedWriter } = await loadCodecs();
  // Nothing is told of what a thread makes.
  return compressedWriter(connection, codec, isMeasured || session.recorder !== null);
}

/** From now on files are read into the memory of the kernel that sums them, and go out from there. */
function sendFrom(kernel: Kernel, { connection, kernels }: Session): void {
  kernels.keep(kernel);
  connection.writer.moveInto(kernel.openWindows(FIRST_FREE + STEP, PAGE, POOL_LIMIT));
}

/**
 * The machine that sends files of this session, with the sums and the compression that were agreed on. `isMeasured`: what
 * each file is in the stream must be known when it was sent.
 */
export async function createFileSender(session: Session, isMeasured: boolean): Promise<FileSender> {
  const name = session.algorithms.transferSum;
  const digest = await createFileDigest(name, session.sumContext);
  const { writer, stream } = await tokenWriter(session, isMeasured);
  const { kernel } = digest;
  const makeSearch = async () => {
    const file = await createFileDigest(name, session.sumContext);
    return new BlockSearch(await createBlockDigest(name, session.sumContext, file.kernel), file);
  };
  const longFiles = new LongFiles(kernel === null ? null : () => sendFrom(kernel, session));
  return new FileSender(session.connection.writer, writer, makeSearch, digest, stream, longFiles);
}

/**
 * Whether the sender may work for long before it rests. A compressor fills the caches, so that after each rest all code is
 * cold, and what it sends then is little. A peer, or another run, in this process would have to wait, though.
 */
export function mayTakeLong(session: Session): boolean {
  const { connection, algorithms } = session;
  return sharesTurns(session) || (hasOneRun() && !connection.isMemory && algorithms.compression !== 'none');
}
