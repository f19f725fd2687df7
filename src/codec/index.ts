import { Exit } from '../../protocol/constants.js';
import type { Compressor, Decompressor } from '../../protocol/delta/compressed.js';
import { RsyncError } from '../../protocol/errors.js';
import type { PackCalls } from '../../protocol/kernel/answer-kernel.js';
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

/**
 * A session's compression. `level` null is the algorithm's default; `threads` more may work at a file, where the algorithm
 * can use them (zstd).
 */
export interface Codec {
  readonly name: string;
  readonly level: number | null;
  readonly protocol: number;
  readonly threads: number;
}

/** A compressor that another thread may carry on. */
export interface MovableCompressor extends Compressor {
  /** What `createCompressor` in another thread goes on with; null: it cannot. Without it, it begins anew with each file. */
  readonly state?: StreamState | null;
  /** The stream, for files that go into it past the compressor; null, or none: there is no such way. */
  readonly calls?: PackCalls | null;
  /** Gives the stream up, and returns compressed bytes that were not emitted, for `hold`. Without it, it moves between files. */
  move?(): Uint8Array;
  /** Takes bytes that go ahead of all that will be made. */
  hold?(data: Uint8Array, from: number, to: number): void;
}

/** A stream of zstd that a kernel may put whole files into, past the compressor whose it is. */
export interface OpenStream {
  /** The stream between two files; null while that is with another thread, or where there is none. */
  readonly calls: PackCalls | null;
  /** Says that files of so many bytes were put into it. */
  took(bytes: number): void;
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
