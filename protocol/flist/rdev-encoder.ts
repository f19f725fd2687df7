import { writeVarint, writeVarint30 } from '../bytes/varint.js';
import type { ByteWriter } from '../bytes/writer.js';
import { Xmit } from '../constants.js';
import type { FileList } from './list.js';
import { carriesRdev, isSpecial, type ListWire, packRdev } from './wire.js';

/** Writes device numbers (7.5), each compressed against the one before. `EntryValues` reads them. */
export class RdevEncoder {
  /** Protocol 27: the whole number of the entry before. */
  private rdev = 0;
  /** From protocol 28 on: the major number of the device before. */
  private major = 0;

  constructor(
    private readonly wire: ListWire,
    private readonly list: FileList,
  ) {}

  /** An entry without a number was passed: protocol 27 forgets the one before. */
  pass(): void {
    this.rdev = 0;
  }

  /** The flags about the number of row `row`, no directory; moves on to this entry. */
  flags(row: number, mode: number): number {
    const { wire } = this;
    if (!carriesRdev(wire, mode)) {
      this.rdev = 0;
      return 0;
    }
    if (isSpecial(mode)) {
      if (wire.protocol < 28) return Xmit.SAME_RDEV_PRE28;
      return Xmit.SAME_RDEV_MAJOR | (wire.protocol < 30 ? Xmit.RDEV_MINOR_8_PRE30 : 0);
    }
    const major = this.list.major(row);
    const minor = this.list.minor(row);
    if (wire.protocol < 28) {
      const rdev = packRdev(major, minor);
      if (rdev === this.rdev) return Xmit.SAME_RDEV_PRE28;
      this.rdev = rdev;
      return 0;
    }
    let flags = 0;
    if (major === this.major) flags |= Xmit.SAME_RDEV_MAJOR;
    else this.major = major;
    if (wire.protocol < 30 && minor <= 0xff) flags |= Xmit.RDEV_MINOR_8_PRE30;
    return flags;
  }

  /** Writes what `flags` leaves of the number of an entry that has one. */
  write(w: ByteWriter, row: number, flags: number, mode: number): void {
    const { protocol } = this.wire;
    if (protocol < 28) {
      if ((flags & Xmit.SAME_RDEV_PRE28) === 0) w.i32(this.rdev);
      return;
    }
    const minor = isSpecial(mode) ? 0 : this.list.minor(row);
    if ((flags & Xmit.SAME_RDEV_MAJOR) === 0) writeVarint30(w, protocol, this.major);
    if (protocol >= 30) writeVarint(w, minor);
    else if (flags & Xmit.RDEV_MINOR_8_PRE30) w.u8(minor);
    else w.i32(minor);
  }
}
