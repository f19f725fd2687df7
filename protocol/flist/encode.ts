import { writeLongint, writeVarint, writeVarint30, writeVarlong, writeVarlong30 } from '../bytes/varint.js';
import type { ByteWriter } from '../bytes/writer.js';
import { convertTarget } from '../charset.js';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, Xmit } from '../constants.js';
import type { ByteString } from '../options.js';
import { type Chunk, rowIn } from './chunk.js';
import { writeDirectoryPlace } from './directory-place.js';
import type { EntryExtras } from './entry-extras.js';
import { EntryFlag, type FileList } from './list.js';
import { NameCursor } from './name-cursor.js';
import { RdevEncoder } from './rdev-encoder.js';
import { isPlainWire, RunEncoder } from './run-encoder.js';
import { SentIds, writeName } from './sent-ids.js';
import { carriesInode, carriesRdev, carriesSum, type IdNames, type ListWire } from './wire.js';

/** Rows of a session from which on a kernel encodes them. */
const WORTH_A_KERNEL = 100;
const NO_NUMBERS = new Float64Array(0);

/**
 * Writes rows of a list as wire entries (section 7.3), each compressed against the one before. The state lasts for the
 * whole session; `end` closes a list and the next `encode` opens another.
 */
export class EntryEncoder {
  private readonly name: NameCursor;
  /** False until the first entry was written: it always carries its owner and group. */
  private started = false;
  mode = 0;
  mtime = 0;
  private atime = 0;
  uid = 0;
  gid = 0;
  /** Device of the previous hard-linked entry, below protocol 30. */
  private linkDev = 0;
  private devs: Float64Array = NO_NUMBERS;
  private inos: Float64Array = NO_NUMBERS;
  /** Transmission number of the first entry of the list being written, -1 between lists. */
  private firstNdx = -1;
  private readonly ids: SentIds;
  private readonly rdevs: RdevEncoder;
  private runs: RunEncoder | null = null;
  private rowsEncoded = 0;

  constructor(
    private readonly wire: ListWire,
    private readonly list: FileList,
    names: IdNames,
    /** Writes what follows an entry; null where nothing does. */
    private readonly extras: EntryExtras | null = null,
  ) {
    this.ids = new SentIds(wire, names);
    this.rdevs = new RdevEncoder(wire, list);
    this.name = new NameCursor(list, wire.names?.charset ?? null);
  }

  /** Device and inode number by row, for hard links below protocol 30. To be set again when the columns have grown. */
  setDevIno(dev: Float64Array, ino: Float64Array): void {
    this.devs = dev;
    this.inos = ino;
  }

  /** Writes rows from `row` on, at most to `end`, and returns the row behind them: one, or many that have much in common. */
  encodeSome(w: ByteWriter, row: number, end: number): number {
    if (this.runs === null && this.rowsEncoded++ === WORTH_A_KERNEL && isPlainWire(this.wire)) {
      this.runs = new RunEncoder(this.wire, this.list, this.name, this.extras);
    }
    if (this.runs !== null) {
      const next = this.runs.encode(w, row, end, this);
      if (next > row) return next;
    }
    this.encode(w, row);
    return row + 1;
  }

  /** Writes one row. Rows of one list must be written in the order in which they stand in the columns. */
  encode(w: ByteWriter, row: number): void {
    const { wire, list, name } = this;
    const chunk = list.chunkOf(row);
    const i = rowIn(row);
    if (this.firstNdx < 0) this.firstNdx = list.segments.nextNdx(wire.incremental);
    const mode = chunk.mode[i];
    const prefix = name.advance(row);
    const suffix = name.length - prefix;
    let flags = this.attributeFlags(chunk, i, mode);
    if ((mode & S_IFMT) !== S_IFDIR) flags |= this.fileFlags(row, mode);
    else if (wire.protocol < 28) this.rdevs.pass();
    let userName: ByteString | null = null;
    let groupName: ByteString | null = null;
    if ((flags & Xmit.SAME_UID) === 0) {
      userName = this.ids.newUser(chunk.uid.get(i));
      if (userName !== null) flags |= Xmit.USER_NAME_FOLLOWS;
    }
    if ((flags & Xmit.SAME_GID) === 0) {
      groupName = this.ids.newGroup(chunk.gid.get(i));
      if (groupName !== null) flags |= Xmit.GROUP_NAME_FOLLOWS;
    }
    if (prefix > 0) flags |= Xmit.SAME_NAME;
    if (suffix > 255) flags |= Xmit.LONG_NAME;
    flags = this.writeFlags(w, flags, mode);
    if (flags & Xmit.SAME_NAME) w.u8(prefix);
    if (flags & Xmit.LONG_NAME) writeVarint30(w, wire.protocol, suffix);
    else w.u8(suffix);
    name.writeFrom(w, prefix);
    if (!this.writeReference(w, row, flags)) {
      this.writeAttributes(w, chunk, i, flags, userName, groupName);
      this.writeTail(w, row, flags, mode);
    }
    this.extras?.write(w, row, this.ids);
  }

  /** A further name of a file: the number of the first one. True when that stands in the same list and says all the rest. */
  private writeReference(w: ByteWriter, row: number, flags: number): boolean {
    if (this.wire.protocol < 30 || (flags & (Xmit.HLINKED | Xmit.HLINK_FIRST)) !== Xmit.HLINKED) return false;
    const first = this.list.group(row);
    writeVarint(w, first);
    return first >= this.firstNdx;
  }

  /** Closes a list. `ioError` reaches the peer only if the end mark has room for it (7.2). */
  end(w: ByteWriter, ioError: number): void {
    const { wire } = this;
    this.firstNdx = -1;
    if (wire.varintFlags) {
      w.u8(0);
      writeVarint(w, ioError);
    } else if (ioError !== 0 && (wire.safeList || wire.protocol >= 31)) {
      w.u16(Xmit.EXTENDED_FLAGS | Xmit.IO_ERROR_ENDLIST);
      writeVarint(w, ioError);
    } else {
      w.u8(0);
    }
  }

  /** Writes the names of all ids that occurred (12.1); only without incremental recursion and --numeric-ids. */
  writeIdLists(w: ByteWriter): void {
    this.ids.writeLists(w);
  }

  /** The flags that say which attributes are those of the entry before; moves the state on to this entry. */
  private attributeFlags(chunk: Chunk, i: number, mode: number): number {
    const { wire } = this;
    const isDir = (mode & S_IFMT) === S_IFDIR;
    let flags = isDir ? writeDirectoryPlace(chunk.flags[i], wire.protocol) : 0;
    if (mode === this.mode) flags |= Xmit.SAME_MODE;
    else this.mode = mode;
    const uid = chunk.uid.get(i);
    if (!wire.owner || (uid === this.uid && this.started)) flags |= Xmit.SAME_UID;
    else this.uid = uid;
    const gid = chunk.gid.get(i);
    if (!wire.group || (gid === this.gid && this.started)) flags |= Xmit.SAME_GID;
    else this.gid = gid;
    this.started = true;
    const mtime = chunk.mtime.get(i);
    if (mtime === this.mtime) flags |= Xmit.SAME_TIME;
    else this.mtime = mtime;
    if (chunk.nsec.get(i) !== 0 && wire.protocol >= 31) flags |= Xmit.MOD_NSEC;
    if (wire.atimes && !isDir) {
      // One byte of flags, below protocol 28, has no room for the bit.
      if (chunk.atime.get(i) === this.atime && wire.protocol >= 28) flags |= Xmit.SAME_ATIME;
      else this.atime = chunk.atime.get(i);
    }
    return flags;
  }

  /** The same for what only entries have that are no directories. */
  private fileFlags(row: number, mode: number): number {
    const { wire } = this;
    let flags = wire.devices || wire.specials ? this.rdevs.flags(row, mode) : 0;
    if (!wire.hardLinks || wire.protocol < 28) return flags;
    const local = this.list.flags(row);
    if (local & EntryFlag.HLINKED) flags |= this.linkFlags(row, local);
    return flags;
  }

  private linkFlags(row: number, local: number): number {
    if (this.wire.protocol >= 30) return local & EntryFlag.HLINK_FIRST ? Xmit.HLINKED | Xmit.HLINK_FIRST : Xmit.HLINKED;
    const dev = this.devs[row];
    if (dev === this.linkDev) return Xmit.HLINKED | Xmit.SAME_DEV_PRE30;
    this.linkDev = dev;
    return Xmit.HLINKED;
  }

  /** Writes the flags in the form of the protocol version (7.2), and returns them as they were written. */
  private writeFlags(w: ByteWriter, given: number, mode: number): number {
    const { protocol, varintFlags } = this.wire;
    const isDir = (mode & S_IFMT) === S_IFDIR;
    let flags = given;
    if (varintFlags) {
      writeVarint(w, flags === 0 ? Xmit.EXTENDED_FLAGS : flags);
    } else if (protocol >= 28) {
      if (flags === 0 && !isDir) flags = Xmit.TOP_DIR;
      if (flags & 0xff00 || flags === 0) {
        flags |= Xmit.EXTENDED_FLAGS;
        w.u16(flags);
      } else {
        w.u8(flags);
      }
    } else {
      if ((flags & 0xff) === 0) flags |= isDir ? Xmit.LONG_NAME : Xmit.TOP_DIR;
      w.u8(flags);
    }
    return flags;
  }

  /** Length to group name, in the order of 7.3. */
  private writeAttributes(
    w: ByteWriter,
    chunk: Chunk,
    i: number,
    flags: number,
    userName: ByteString | null,
    groupName: ByteString | null,
  ): void {
    const { wire } = this;
    const { protocol } = wire;
    const mode = chunk.mode[i];
    writeVarlong30(w, protocol, chunk.size.get(i), 3);
    if ((flags & Xmit.SAME_TIME) === 0) {
      if (protocol >= 30) writeVarlong(w, this.mtime, 4);
      else w.i32(this.mtime);
    }
    if (flags & Xmit.MOD_NSEC && protocol >= 31) writeVarint(w, chunk.nsec.get(i));
    if ((flags & Xmit.SAME_MODE) === 0) w.i32(mode);
    if (wire.atimes && (mode & S_IFMT) !== S_IFDIR && (flags & Xmit.SAME_ATIME) === 0) {
      writeVarlong(w, this.atime, 4);
    }
    if ((flags & Xmit.SAME_UID) === 0) {
      writeVarint30(w, protocol, this.uid);
      if (userName !== null) writeName(w, userName);
    }
    if ((flags & Xmit.SAME_GID) === 0) {
      writeVarint30(w, protocol, this.gid);
      if (groupName !== null) writeName(w, groupName);
    }
  }

  /** Device number to checksum, in the order of 7.3. */
  private writeTail(w: ByteWriter, row: number, flags: number, mode: number): void {
    const { wire, list } = this;
    if (carriesRdev(wire, mode)) this.rdevs.write(w, row, flags, mode);
    if (wire.links && (mode & S_IFMT) === S_IFLNK) {
      const target = this.targetOf(row);
      writeVarint30(w, wire.protocol, target.length);
      w.bytes(target);
    }
    if (carriesInode(wire, mode, flags)) {
      if (wire.protocol < 28 || (flags & Xmit.SAME_DEV_PRE30) === 0) writeLongint(w, this.devs[row] + 1);
      writeLongint(w, this.inos[row]);
    }
    if (carriesSum(wire, mode)) {
      if ((mode & S_IFMT) === S_IFREG) w.bytes(list.sum(row));
      else w.bytes(new Uint8Array(wire.sumLength));
    }
  }

  private targetOf(row: number): Uint8Array {
    const { names } = this.wire;
    const target = this.list.target(row);
    if (names === null || !names.targets) return target;
    return Buffer.from(convertTarget(names.charset, 'toWire', target.toString('latin1')) as string, 'latin1');
  }
}
