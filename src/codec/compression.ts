import type { Compressor } from '../../protocol/delta/compressed.js';
import type { PackCalls } from '../../protocol/kernel/answer-kernel.js';
import type { StreamState } from './zstd-stream.js';

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
