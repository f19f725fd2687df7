import type { KeptBytes } from '../attributes/xattr-wire.js';
import { XattrDecoder, XattrEncoder } from '../attributes/xattr-wire.js';
import type { ByteReader } from '../bytes/reader.js';
import type { ByteWriter } from '../bytes/writer.js';
import type { ByteString } from '../options.js';
import type { FileList } from './list.js';
import type { EntryExtras, EntryExtrasReader } from './wire.js';

/** Writes what follows the entries of a list (7.3): with -X the set of extended attributes. */
export class ExtrasEncoder implements EntryExtras {
  private readonly xattrs: XattrEncoder;

  constructor(
    private readonly list: FileList,
    nameOf: (name: ByteString) => ByteString,
  ) {
    this.xattrs = new XattrEncoder(list.xattrTable, nameOf);
  }

  write(w: ByteWriter, row: number): void {
    this.xattrs.write(w, this.list.xattrs(row));
  }
}

/** Reads what ExtrasEncoder writes. */
export class ExtrasDecoder implements EntryExtrasReader {
  private readonly xattrs: XattrDecoder;

  constructor(
    private readonly list: FileList,
    nameOf: (name: ByteString) => ByteString | null,
    kept: KeptBytes,
  ) {
    this.xattrs = new XattrDecoder(list.xattrTable, nameOf, kept);
  }

  read(r: ByteReader, row: number): boolean {
    const number = this.xattrs.read(r);
    if (number < 0) return false;
    this.list.setXattrs(row, number);
    return true;
  }
}
