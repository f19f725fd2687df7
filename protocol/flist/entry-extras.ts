import type { IdNamesRead } from '../attributes/acl-wire.js';
import type { ByteReader } from '../bytes/reader.js';
import type { ByteWriter } from '../bytes/writer.js';
import type { ListKernel } from '../kernel/list-kernel.js';
import type { Chunk } from './chunk.js';
import type { SentIds } from './sent-ids.js';

/** Writes what follows an entry (7.3): its access control lists and extended attributes. */
export interface EntryExtras {
  write(w: ByteWriter, row: number, ids: SentIds): void;
  /**
   * Gives a kernel the numbers on the wire of what the rows [i, i + n) of a chunk have, which are the first ones of its run.
   * Returns how many rows have nothing that was not sent yet.
   */
  known(kernel: ListKernel, chunk: Chunk, i: number, n: number): number;
}

/** Reads that, for the row that was appended last; it goes on where it stopped for want of bytes. */
export interface EntryExtrasReader {
  /** True when all has been read. Names of ids go to `names`. */
  read(r: ByteReader, row: number, names: IdNamesRead): boolean;
  /** How many access control lists and sets of attributes have come, -1 where none come. */
  readonly aclCount: number;
  readonly xattrCount: number;
  /** Replaces the numbers on the wire of the first `count` rows of a kernel's run by those of the list's tables. */
  number(kernel: ListKernel, count: number): void;
}
