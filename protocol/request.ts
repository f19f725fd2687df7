import type { NdxWriter } from './bytes/ndx.js';
import type { ByteReader } from './bytes/reader.js';
import type { ByteWriter } from './bytes/writer.js';
import { Basis, Item, MAX_PATH } from './constants.js';
import { ProtocolError } from './errors.js';

/** What stands between an index and the sum head of a request or reply (9.1). One object is reused for all items. */
export class ItemHeader {
  /** File index; set by whoever read it. */
  ndx = 0;
  /** The 16 flag bits that travel (9.3). */
  iflags = 0;
  /** Which file is the basis (9.5); `Basis.FNAME` when nothing was said. */
  basisType: number = Basis.FNAME;
  /** Name of the basis or of the hard link's other end; null when there was none. */
  xname: Buffer | null = null;
}

/**
 * Reads what follows an index, as one unit; false when bytes are missing (nothing is consumed then).
 *
 *     iflags      uint16    protocol >= 29; below it every item is a transfer
 *     basis type  byte      iflags has BASIS_TYPE_FOLLOWS
 *     xname       vstring   iflags has XNAME_FOLLOWS, shorter than a path
 *
 * Throws ProtocolError for a name that is too long, and for a basis that needs a name and has none.
 */
export function readItemHeader(r: ByteReader, protocol: number, item: ItemHeader): boolean {
  let basisType: number = Basis.FNAME;
  let xname: Buffer | null = null;
  // Older peers do not say what differs.
  let iflags: number = Item.TRANSFER | Item.MISSING_DATA;
  if (protocol >= 29) {
    r.begin();
    iflags = r.u16();
    if (iflags & Item.BASIS_TYPE_FOLLOWS) basisType = r.u8();
    if (iflags & Item.XNAME_FOLLOWS) xname = r.vstring(MAX_PATH - 1, 'xname');
    if (!r.done()) return false;
    if (basisType >= Basis.FUZZY && xname === null)
      throw new ProtocolError('basis type', `${basisType} without a name`);
  }
  item.iflags = iflags;
  item.basisType = basisType;
  item.xname = xname;
  return true;
}

/**
 * Writes an index and what follows it (the mirror of `readItemHeader`). BASIS_TYPE_FOLLOWS and XNAME_FOLLOWS are set
 * where the values ask for them; a bit that the caller set stays, so that an item can be echoed unchanged.
 */
export function writeItem(
  w: ByteWriter,
  ndxOut: NdxWriter,
  protocol: number,
  ndx: number,
  iflags: number,
  basisType: number,
  xname: Uint8Array | null,
): void {
  ndxOut.write(w, ndx);
  if (protocol < 29) return;
  let bits = iflags & 0xffff;
  if (basisType !== Basis.FNAME) bits |= Item.BASIS_TYPE_FOLLOWS;
  if (xname !== null) bits |= Item.XNAME_FOLLOWS;
  else bits &= ~Item.XNAME_FOLLOWS;
  w.u16(bits);
  if (bits & Item.BASIS_TYPE_FOLLOWS) w.u8(basisType);
  if (xname !== null) w.vstring(xname);
}

/** Bytes of a request in a run: an index one higher than that before, flags, and an empty sum head. */
const RUN_BYTES = 19;
const RUN_REQUESTS = 256;

/** Asks for files that are not there, whose indexes follow each other: requests that differ in nothing but the first index. */
export class NewFileRequests {
  /** Many of them. */
  private readonly bytes = Buffer.alloc(RUN_BYTES * RUN_REQUESTS);

  /** `iflags` are those of all requests, without BASIS_TYPE_FOLLOWS or XNAME_FOLLOWS. Only from protocol 30 on. */
  constructor(iflags: number) {
    for (let at = 0; at < this.bytes.length; at += RUN_BYTES) {
      this.bytes[at] = 1;
      this.bytes.writeUInt16LE(iflags, at + 1);
    }
  }

  /** Asks for `count` files from index `first` on. */
  write(w: ByteWriter, ndxOut: NdxWriter, first: number, count: number): void {
    for (let done = 0; done < count; done += RUN_REQUESTS) {
      const n = Math.min(count - done, RUN_REQUESTS);
      ndxOut.write(w, first + done);
      w.bytes(this.bytes, 1, RUN_BYTES * n);
      ndxOut.follow(n - 1);
    }
  }
}
