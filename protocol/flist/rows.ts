import type { ByteString } from '../options.js';
import { CHUNK_ROWS, rowIn } from './chunk.js';
import { DirPaths } from './dir-paths.js';
import { RowStore } from './row-store.js';

const NO_BYTES = Buffer.alloc(0);

/** Entries as columns: what each row says, by its number. */
export class Rows extends RowStore {
  /** Directory parts of names. */
  readonly dirs = new DirPaths();

  /** Appends a copy of a row of another list: its name, mode, times and ids. */
  copyRow(from: Rows, row: number): void {
    const copy = this.addRow();
    const at = from.offsetOf(row);
    this.setName(copy, from.arenaOf(row), at, at + from.lengthOf(row));
    this.setDir(copy, this.dirs.id(from.dirPath(row)));
    this.setMode(copy, from.mode(row));
    this.setMtime(copy, from.mtime(row));
    this.setNsec(copy, from.nsec(row));
    this.setAtime(copy, from.atime(row));
    this.setUid(copy, from.uid(row));
    this.setGid(copy, from.gid(row));
    this.setAcl(copy, from.acl(row));
    this.setDefaultAcl(copy, from.defaultAcl(row));
  }

  // --- names -------------------------------------------------------------------------------------------------------

  /** Stores the last component of a row's name, with a NUL behind it: so it can be given to the kernel as it lies there. */
  setName(row: number, source: Uint8Array, from: number, to: number): void {
    const chunk = this.chunkOf(row);
    const i = rowIn(row);
    const length = to - from;
    const at = chunk.take(length + 1);
    const { arena } = chunk;
    for (let k = 0; k < length; k++) arena[at + k] = source[from + k];
    arena[at + length] = 0;
    chunk.nameOffset[i] = at;
    chunk.nameLength[i] = length;
  }

  /** Where the last component of a row's name is: `arenaOf(row)`, from `offsetOf(row)` on, `lengthOf(row)` bytes. */
  arenaOf(row: number): Buffer {
    return this.chunkOf(row).arena;
  }

  offsetOf(row: number): number {
    return this.chunkOf(row).nameOffset[rowIn(row)];
  }

  lengthOf(row: number): number {
    return this.chunkOf(row).nameLength[rowIn(row)];
  }

  /** The last component of a row's name as a byte string. */
  baseName(row: number): ByteString {
    const at = this.offsetOf(row);
    return this.arenaOf(row).toString('latin1', at, at + this.lengthOf(row));
  }

  /** The path of a row's directory, '' for none. */
  dirPath(row: number): ByteString {
    return this.dirs.path(this.dir(row));
  }

  /** The whole name of a row as a byte string. */
  path(row: number): ByteString {
    const dir = this.dirPath(row);
    return dir === '' ? this.baseName(row) : dir === '/' ? `/${this.baseName(row)}` : `${dir}/${this.baseName(row)}`;
  }

  // --- columns -----------------------------------------------------------------------------------------------------

  /** Directory part of the name: its number in `dirs`. */
  dir(row: number): number {
    return this.chunkOf(row).dir[rowIn(row)];
  }

  setDir(row: number, id: number): void {
    this.chunkOf(row).dir[rowIn(row)] = id;
  }

  /** Unix st_mode; 0 for a missing argument. */
  mode(row: number): number {
    return this.chunkOf(row).mode[rowIn(row)];
  }

  setMode(row: number, mode: number): void {
    this.chunkOf(row).mode[rowIn(row)] = mode;
  }

  /** EntryFlag bits. */
  flags(row: number): number {
    return this.chunkOf(row).flags[rowIn(row)];
  }

  setFlags(row: number, flags: number): void {
    this.chunkOf(row).flags[rowIn(row)] = flags;
  }

  addFlags(row: number, flags: number): void {
    this.chunkOf(row).flags[rowIn(row)] |= flags;
  }

  clearFlags(row: number, flags: number): void {
    this.chunkOf(row).flags[rowIn(row)] &= ~flags;
  }

  /** Bytes. */
  size(row: number): number {
    return this.chunkOf(row).size.get(rowIn(row));
  }

  setSize(row: number, size: number): void {
    this.chunkOf(row).size.set(rowIn(row), size);
  }

  /** Bytes of the `count` rows from `start` on. */
  sizeOf(start: number, count: number): number {
    let sum = 0;
    for (let row = start; row < start + count; ) {
      const i = rowIn(row);
      const n = Math.min(start + count - row, CHUNK_ROWS - i);
      sum += this.chunkOf(row).size.sum(i, n);
      row += n;
    }
    return sum;
  }

  /** Modification time: seconds since 1970, and nanoseconds. */
  mtime(row: number): number {
    return this.chunkOf(row).mtime.get(rowIn(row));
  }

  setMtime(row: number, seconds: number): void {
    this.chunkOf(row).mtime.set(rowIn(row), seconds);
  }

  nsec(row: number): number {
    return this.chunkOf(row).nsec.get(rowIn(row));
  }

  setNsec(row: number, nsec: number): void {
    this.chunkOf(row).nsec.set(rowIn(row), nsec);
  }

  /** Access time in seconds (only with -U). */
  atime(row: number): number {
    return this.chunkOf(row).atime.get(rowIn(row));
  }

  setAtime(row: number, seconds: number): void {
    this.chunkOf(row).atime.set(rowIn(row), seconds);
  }

  uid(row: number): number {
    return this.chunkOf(row).uid.get(rowIn(row));
  }

  setUid(row: number, uid: number): void {
    this.chunkOf(row).uid.set(rowIn(row), uid);
  }

  gid(row: number): number {
    return this.chunkOf(row).gid.get(rowIn(row));
  }

  setGid(row: number, gid: number): void {
    this.chunkOf(row).gid.set(rowIn(row), gid);
  }

  /** A directory: its dir_ndx (8.1). A link with a target or a device: where that is in the arena. Otherwise -1. */
  extra(row: number): number {
    return this.chunkOf(row).extra.get(rowIn(row));
  }

  setExtra(row: number, value: number): void {
    this.chunkOf(row).extra.set(rowIn(row), value);
  }

  /** Hard-link group of an HLINKED entry, else -1: the transmission number of the first member (7.6). */
  group(row: number): number {
    return this.chunkOf(row).group.get(rowIn(row));
  }

  setGroup(row: number, number: number): void {
    this.chunkOf(row).group.set(rowIn(row), number);
  }

  /** Sender: which source argument's base directory the name is relative to. */
  base(row: number): number {
    return this.chunkOf(row).base.get(rowIn(row));
  }

  setBase(row: number, number: number): void {
    this.chunkOf(row).base.set(rowIn(row), number);
  }

  /** Number of the set of extended attributes in the list's table, 0 for none (only with -X). */
  xattrs(row: number): number {
    return this.chunkOf(row).xattrs.get(rowIn(row));
  }

  setXattrs(row: number, number: number): void {
    this.chunkOf(row).xattrs.set(rowIn(row), number);
  }

  /** Numbers of the access list and, of a directory, of the list for new entries, 0 for none (only with -A). */
  acl(row: number): number {
    return this.chunkOf(row).acl.get(rowIn(row));
  }

  setAcl(row: number, number: number): void {
    this.chunkOf(row).acl.set(rowIn(row), number);
  }

  defaultAcl(row: number): number {
    return this.chunkOf(row).defaultAcl.get(rowIn(row));
  }

  setDefaultAcl(row: number, number: number): void {
    this.chunkOf(row).defaultAcl.set(rowIn(row), number);
  }

  /** Digest of -c. */
  sum(row: number): Buffer {
    const at = rowIn(row) * this.sumLength;
    return this.chunkOf(row).sums.subarray(at, at + this.sumLength);
  }

  // --- links and devices -------------------------------------------------------------------------------------------

  /** Target of a symbolic link; empty when it came without. */
  target(row: number): Buffer {
    const at = this.extra(row);
    if (at < 0) return NO_BYTES;
    const { arena } = this.chunkOf(row);
    return arena.subarray(at + 2, at + 2 + arena.readUInt16LE(at));
  }

  setTarget(row: number, target: Uint8Array): void {
    const chunk = this.chunkOf(row);
    const at = chunk.take(2 + target.length);
    chunk.arena.writeUInt16LE(target.length, at);
    chunk.arena.set(target, at + 2);
    chunk.extra.set(rowIn(row), at);
  }

  /** Numbers of a device; zero when they are not known. */
  major(row: number): number {
    const at = this.extra(row);
    return at < 0 ? 0 : this.arenaOf(row).readUInt32LE(at);
  }

  minor(row: number): number {
    const at = this.extra(row);
    return at < 0 ? 0 : this.arenaOf(row).readUInt32LE(at + 4);
  }

  setDevice(row: number, major: number, minor: number): void {
    const chunk = this.chunkOf(row);
    const at = chunk.take(8);
    chunk.arena.writeUInt32LE(major, at);
    chunk.arena.writeUInt32LE(minor, at + 4);
    chunk.extra.set(rowIn(row), at);
  }
}
