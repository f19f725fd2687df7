import { Exit } from '../../protocol/constants.js';
import type { Decompressor } from '../../protocol/delta/compressed.js';
import { RsyncError } from '../../protocol/errors.js';
import type { Codec, MovableCompressor } from './compression.js';
import { hasLz4, Lz4Compressor, Lz4Decompressor } from './lz4.js';
import {
  DeflateCompressor,
  HistoryDeflateCompressor,
  HistoryInflateDecompressor,
  InflateDecompressor,
} from './zlib.js';
import { hasZstd, ZstdDecompressor, zstdCompressor } from './zstd.js';
import type { StreamState } from './zstd-stream.js';

/**
 * The compressions that work on this machine, in the order of preference of the negotiation (3.3). The first call
 * loads what has to be loaded for them.
 */
export function availableCompressions(): string[] {
  const names = ['zlibx', 'zlib', 'none'];
  if (hasLz4()) names.unshift('lz4');
  if (hasZstd()) names.unshift('zstd');
  return names;
}

/** Loads the libraries, for a process that will not reach them later (chroot). */
export function preload(): void {
  availableCompressions();
}

function unknown(name: string): RsyncError {
  return new RsyncError(Exit.UNSUPPORTED, `unknown compression: ${name}`);
}

/** The sending half. `state` is that of a compressor of this codec that was given up, which must outlive this one. */
export function createCompressor(codec: Codec, state: StreamState | null = null): MovableCompressor {
  const { name, level, protocol, threads } = codec;
  switch (name) {
    case 'zlib':
      return new HistoryDeflateCompressor(level, protocol);
    case 'zlibx':
      return new DeflateCompressor(level);
    case 'zstd':
      return zstdCompressor(level, threads, state);
    case 'lz4':
      return new Lz4Compressor();
    default:
      throw unknown(name);
  }
}

/** The receiving half. */
export function createDecompressor(name: string, protocol: number): Decompressor {
  switch (name) {
    case 'zlib':
      return new HistoryInflateDecompressor(protocol);
    case 'zlibx':
      return new InflateDecompressor();
    case 'zstd':
      return new ZstdDecompressor();
    case 'lz4':
      return new Lz4Decompressor();
    default:
      throw unknown(name);
  }
}
