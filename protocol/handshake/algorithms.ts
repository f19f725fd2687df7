import type { DigestName } from '../hash/digest.js';

/** Compressions in the order of preference that all peers share (3.3). */
export const COMPRESSIONS = ['zstd', 'lz4', 'zlibx', 'zlib', 'none'] as const;

export type Compression = (typeof COMPRESSIONS)[number];

/** What both ends use for this session. */
export interface Algorithms {
  /** Block sums and whole-file sums. */
  transferSum: DigestName;
  /** Sums of --checksum in the list. */
  listSum: DigestName;
  /** False when the transfer digest is the protocol version's default, which matters for MD4 (11.3). */
  sumsExplicit: boolean;
  compression: Compression;
}
