import type { ByteReader } from '../bytes/reader.js';
import { readVarint, readVarint30, readVarlong, readVarlong30 } from '../bytes/varint.js';
import { Exit, MAX_PATH, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, Xmit } from '../constants.js';
import { ProtocolError } from '../errors.js';
import type { ByteString } from '../options.js';
import { rowIn } from './chunk.js';
import type { FileList } from './list.js';
import { carriesRdev, carriesSum, isDevice, isSpecial, type ListWire, unpackRdev } from './wire.js';

const MAX_NSEC = 999_999_999;
/** File types that a mode may have, by its top four bits. */
const KNOWN_TYPES = (1 << 1) | (1 << 2) | (1 << 4) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 12);

/**
 * The values of one entry but its name and its hard link, as they are read (7.3). What travels only when it differs is taken
 * from the entry before. Values of a read that ran short (`r.short`) are not valid.
 */
export class EntryValues {
  /** Bytes. */
  size = 0;
  /** Seconds since 1970. */
  mtime = 0;
  nsec = 0;
  /** Unix st_mode; 0 for a missing argument. */
  mode = 0;
  atime = 0;
  uid = 0;
  gid = 0;
  major = 0;
  minor = 0;
  /** Names that came with the ids. */
  userName: ByteString | null = null;
  groupName: ByteString | null = null;
  /** Target of a symlink, as it came. */
  target: Buffer | null = null;
  /** A digest of -c was the last field, so that it lies right behind the reader. */
  hasSum = false;

  constructor(private readonly wire: ListWire) {}

  /** To be called when a new entry begins: what only some entries have. */
  clear(): void {
    this.target = null;
    this.hasSum = false;
  }

  /** Reads length to group name. Throws ProtocolError. */
  readAttributes(r: ByteReader, flags: number, before: EntryValues): void {
    const { wire } = this;
    const { protocol } = wire;
    this.size = r.bounded(readVarlong30(r, protocol, 3), 0, Number.MAX_VALUE, 'file length', Exit.UNSUPPORTED);
    this.mtime = flags & Xmit.SAME_TIME ? before.mtime : protocol >= 30 ? readVarlong(r, 4) : r.u32();
    this.nsec = protocol >= 31 && flags & Xmit.MOD_NSEC ? r.bounded(readVarint(r), 0, MAX_NSEC, 'nanoseconds') : 0;
    this.mode = flags & Xmit.SAME_MODE ? before.mode : r.i32() & 0xffff;
    if (r.short) return;
    this.checkMode();
    const isDir = (this.mode & S_IFMT) === S_IFDIR;
    this.atime = !wire.atimes || isDir || flags & Xmit.SAME_ATIME ? before.atime : readVarlong(r, 4);
    this.userName = this.groupName = null;
    this.uid = before.uid;
    if (wire.owner && (flags & Xmit.SAME_UID) === 0) {
      this.uid = readVarint30(r, protocol) >>> 0;
      if (protocol >= 30 && flags & Xmit.USER_NAME_FOLLOWS) this.userName = readIdName(r);
    }
    this.gid = before.gid;
    if (wire.group && (flags & Xmit.SAME_GID) === 0) {
      this.gid = readVarint30(r, protocol) >>> 0;
      if (protocol >= 30 && flags & Xmit.GROUP_NAME_FOLLOWS) this.groupName = readIdName(r);
    }
  }

  private checkMode(): void {
    const { mode } = this;
    const known = mode === 0 ? this.wire.deleteMissingArgs : (KNOWN_TYPES & (1 << (mode >> 12))) !== 0;
    if (!known) throw new ProtocolError('file mode', `0${mode.toString(8)}`);
  }

  /** Reads device number and symlink target. */
  readPlace(r: ByteReader, flags: number, before: EntryValues): void {
    const { wire } = this;
    const { protocol } = wire;
    this.major = before.major;
    this.minor = before.minor;
    if (carriesRdev(wire, this.mode)) this.readRdev(r, flags);
    else if (protocol < 28) this.major = this.minor = 0;
    if (wire.links && (this.mode & S_IFMT) === S_IFLNK) {
      const length = readVarint30(r, protocol);
      if (r.short) return;
      r.bounded(length, 0, MAX_PATH - 1, 'symlink length');
      this.target = r.bytes(length);
    }
  }

  /**
   * A device number (7.5). Protocol 27: one int32 unless SAME_RDEV. From 28 on: the major number unless
   * SAME_RDEV_MAJOR, then the minor number, which 28 and 29 send as a byte with RDEV_MINOR_8.
   */
  private readRdev(r: ByteReader, flags: number): void {
    const { protocol } = this.wire;
    if (protocol < 28) {
      if (flags & Xmit.SAME_RDEV_PRE28) return;
      const rdev = r.i32();
      if (isSpecial(this.mode)) return;
      const { major, minor } = unpackRdev(rdev);
      this.major = major;
      this.minor = minor;
      return;
    }
    const major = flags & Xmit.SAME_RDEV_MAJOR ? this.major : readVarint30(r, protocol);
    const minor = protocol < 30 && flags & Xmit.RDEV_MINOR_8_PRE30 ? r.u8() : readVarint30(r, protocol);
    if (r.short) return;
    this.major = r.bounded(major, 0, 0x7fffffff, 'device number');
    this.minor = minor >>> 0;
  }

  /** Moves the reader over the digest of -c. */
  skipSum(r: ByteReader): void {
    if (!carriesSum(this.wire, this.mode)) return;
    if (r.has(this.wire.sumLength)) r.pos += this.wire.sumLength;
    else r.short = true;
    this.hasSum = (this.mode & S_IFMT) === S_IFREG;
  }

  /** A further name of the file of row `first`: takes that row's values. */
  copyFrom(list: FileList, first: number, before: EntryValues): void {
    const chunk = list.chunkOf(first);
    const i = rowIn(first);
    this.size = chunk.size.get(i);
    this.mtime = chunk.mtime.get(i);
    this.nsec = chunk.nsec.get(i);
    this.mode = chunk.mode[i];
    this.atime = this.wire.atimes ? chunk.atime.get(i) : before.atime;
    this.uid = chunk.uid.get(i);
    this.gid = chunk.gid.get(i);
    this.userName = this.groupName = null;
    this.major = before.major;
    this.minor = before.minor;
    if (carriesRdev(this.wire, this.mode) && isDevice(this.mode)) this.major = list.major(first);
  }

  /** Puts the values that each row has a column for into row `row`. */
  putInto(list: FileList, row: number): void {
    const chunk = list.chunkOf(row);
    const i = rowIn(row);
    chunk.mode[i] = this.mode;
    chunk.size.set(i, this.size);
    chunk.mtime.set(i, this.mtime);
    chunk.nsec.set(i, this.nsec);
    chunk.uid.set(i, this.uid);
    chunk.gid.set(i, this.gid);
    if (this.wire.atimes) chunk.atime.set(i, (this.mode & S_IFMT) === S_IFDIR ? 0 : this.atime);
  }
}

/** A name behind an id: length byte and bytes; null when it is empty. */
function readIdName(r: ByteReader): ByteString | null {
  const length = r.u8();
  return length === 0 ? null : r.bytes(length).toString('latin1');
}
