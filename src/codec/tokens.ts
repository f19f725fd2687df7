import { CompressedTokenReader, CompressedTokenWriter } from '../../protocol/delta/compressed.js';
import type { TokenReader, TokenWriter } from '../../protocol/delta/tokens.js';
import type { Connection } from '../transport/connection.js';
import type { Codec, OpenStream } from './compression.js';
import { createCompressor, createDecompressor } from './index.js';
import { AsideCompressor } from './thread/aside-compressor.js';

export { availableCompressions } from './index.js';

/** What writes compressed tokens, and its stream, where files may be put into that past it. */
export interface CompressedTokens {
  writer: TokenWriter;
  stream: OpenStream | null;
}

/** `isMeasured`: what each file is in the stream must be known when it was sent, so no thread may have it. */
export function compressedWriter(connection: Connection, codec: Codec, isMeasured: boolean): CompressedTokens {
  const stream = isMeasured ? null : new AsideCompressor(codec, connection);
  return { writer: new CompressedTokenWriter(connection.writer, stream ?? createCompressor(codec)), stream };
}

export function compressedReader(name: string, protocol: number): TokenReader {
  return new CompressedTokenReader(createDecompressor(name, protocol));
}
