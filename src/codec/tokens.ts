import { CompressedTokenReader, CompressedTokenWriter } from '../../protocol/delta/compressed.js';
import type { TokenReader, TokenWriter } from '../../protocol/delta/tokens.js';
import type { Connection } from '../transport/connection.js';
import { type Codec, createCompressor, createDecompressor } from './index.js';
import { AsideCompressor } from './thread/aside-compressor.js';

export { availableCompressions } from './index.js';

/** `isMeasured`: what each file is in the stream must be known when it was sent, so no thread may have it. */
export function compressedWriter(connection: Connection, codec: Codec, isMeasured: boolean): TokenWriter {
  const compressor = isMeasured ? createCompressor(codec) : new AsideCompressor(codec, connection);
  return new CompressedTokenWriter(connection.writer, compressor);
}

export function compressedReader(name: string, protocol: number): TokenReader {
  return new CompressedTokenReader(createDecompressor(name, protocol));
}
