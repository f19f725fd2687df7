import type { NdxWriter } from './bytes/ndx.js';
import type { ByteReader } from './bytes/reader.js';
import { readVarint, readVarlong30, writeVarint, writeVarlong30 } from './bytes/varint.js';
import type { ByteWriter } from './bytes/writer.js';
import { NDX_DEL_STATS } from './constants.js';

/** Highest deletion count of one kind that is believed (section 15). */
const MAX_DELETED = 2 ** 28;

/** The numbers that a server sender tells its client at the end (13.2), from the sender's point of view. */
export interface Stats {
  /** Bytes read from and written to the connection. */
  read: number;
  written: number;
  /** Sum of the sizes of all files in the list. */
  totalSize: number;
  /** Milliseconds; 0 below protocol 29, where they do not travel. */
  listBuildMs: number;
  listTransferMs: number;
}

/** Writes the closing statistics: varlong30(3) each; the two times from protocol 29 on. */
export function writeStats(w: ByteWriter, protocol: number, s: Stats): void {
  writeVarlong30(w, protocol, s.read, 3);
  writeVarlong30(w, protocol, s.written, 3);
  writeVarlong30(w, protocol, s.totalSize, 3);
  if (protocol < 29) return;
  writeVarlong30(w, protocol, s.listBuildMs, 3);
  writeVarlong30(w, protocol, s.listTransferMs, 3);
}

/** Reads the closing statistics as one unit; null when bytes are missing. */
export function readStats(r: ByteReader, protocol: number): Stats | null {
  r.begin();
  const read = readVarlong30(r, protocol, 3);
  const written = readVarlong30(r, protocol, 3);
  const totalSize = readVarlong30(r, protocol, 3);
  const listBuildMs = protocol >= 29 ? readVarlong30(r, protocol, 3) : 0;
  const listTransferMs = protocol >= 29 ? readVarlong30(r, protocol, 3) : 0;
  return r.done() ? { read, written, totalSize, listBuildMs, listTransferMs } : null;
}

/** Announces and writes deletion counts (protocol 31): regular files, directories, symlinks, devices, specials. */
export function writeDelStats(w: ByteWriter, ndxOut: NdxWriter, counts: readonly number[]): void {
  ndxOut.write(w, NDX_DEL_STATS);
  for (let i = 0; i < 5; i++) writeVarint(w, counts[i]);
}

/** Reads the five counts behind NDX_DEL_STATS as one unit; null when bytes are missing. */
export function readDelStats(r: ByteReader): number[] | null {
  r.begin();
  const counts: number[] = [];
  for (let i = 0; i < 5; i++) counts.push(r.bounded(readVarint(r), 0, MAX_DELETED, 'deletion count'));
  return r.done() ? counts : null;
}
