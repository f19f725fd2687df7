import { LONG_WINDOW } from '../../protocol/bytes/reader.js';
import { PlainTokenReader, type TokenReader } from '../../protocol/delta/tokens.js';
import { createFileDigest } from '../../protocol/hash/digest.js';
import { FIRST_FREE, type Kernel } from '../../protocol/kernel/kernel.js';
import { loadCodecs } from '../codec/load.js';
import { LongFiles } from '../session/long-files.js';
import type { Session } from '../session/session.js';
import { BASIS_WINDOW } from './basis/window.js';
import { FileReceiver } from './landing/file-receiver.js';

async function tokenReader(session: Session): Promise<TokenReader> {
  const { compression } = session.algorithms;
  if (compression === 'none') return new PlainTokenReader();
  const { compressedReader } = await loadCodecs();
  return compressedReader(compression, session.protocol);
}

/** From now on much is received into the memory of the kernel that sums it, behind the window of a basis. */
function receiveInto(kernel: Kernel, { connection, kernels }: Session): void {
  kernels.keep(kernel);
  connection.reader.moveInto(kernel.openWindows(FIRST_FREE + BASIS_WINDOW, LONG_WINDOW, 1)[0]);
}

/** The machine that receives files of this session. */
export async function createFileReceiver(session: Session): Promise<FileReceiver> {
  const digest = await createFileDigest(session.algorithms.transferSum, session.sumContext);
  const tokens = await tokenReader(session);
  const { kernel } = digest;
  const canMove = tokens.keepsData && kernel !== null && !session.connection.isMemory;
  return new FileReceiver(tokens, digest, new LongFiles(canMove ? () => receiveInto(kernel, session) : null));
}
