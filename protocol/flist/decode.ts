import type { ByteReader } from '../bytes/reader.js';
import { readVarint, readVarint30, readVarlong, readVarlong30 } from '../bytes/varint.js';
import { convertTarget } from '../charset.js';
import { Exit, IoError, MAX_PATH, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, Xmit } from '../constants.js';
import { ProtocolError } from '../errors.js';
import type { ByteString } from '../options.js';
import { rowIn } from './chunk.js';
import { IdListReader } from './id-lists.js';
import { LinkGroups } from './link-groups.js';
import { EntryFlag, type FileList } from './list.js';
import { NameDecoder } from './name-decoder.js';
import { RunDecoder } from './run-decoder.js';
import { isPlainWire } from './run-encoder.js';
import { compareSiblings } from './siblings.js';
import {
  carriesInode,
  carriesRdev,
  carriesSum,
  type EntryExtrasReader,
  isDevice,
  isSpecial,
  type ListWire,
  unpackRdev,
} from './wire.js';

const NO_TARGET = Buffer.alloc(0);
const MAX_NSEC = 999_999_999;
/** Rows of a session from which on a kernel decodes what it can. */
const WORTH_A_KERNEL = 100;
/** The end mark of the byte form that carries an error value. */
const END_WITH_ERROR = Xmit.EXTENDED_FLAGS | Xmit.IO_ERROR_ENDLIST;
/** File types that a mode may have, by its top four bits. */
const KNOWN_TYPES = (1 << 1) | (1 << 2) | (1 << 4) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 12);

/**
 * Reads wire entries into rows of a list: the mirror of EntryEncoder. The state lasts for the whole session.
 *
 * An entry is one unit. Its values are first read into fields that start with "e" and become part of the state and the
 * list only when the entry is whole, so that a short read leaves nothing behind.
 */
export class EntryDecoder {
  /** True: a step appends one row and not many. */
  oneByOne = false;
  /** Value of the last end mark, 0 if it had none. */
  ioError = 0;
  /** --iconv: told of each row that is UNNAMED: its name as it came, or a link's name and its target as that came. */
  onUnnamed: (name: ByteString, target: ByteString | null) => void = () => {};
  /** Names that the peer gave to ids, inline or in the id lists. */
  readonly users = new Map<number, ByteString>();
  readonly groups = new Map<number, ByteString>();

  private readonly name: NameDecoder;
  private readonly links: LinkGroups;
  private readonly ids: IdListReader;
  // The attributes of the entry before.
  mode = 0;
  mtime = 0;
  private atime = 0;
  uid = 0;
  gid = 0;
  private major = 0;
  private minor = 0;
  // The entry that is being read.
  private eSize = 0;
  private eNsec = 0;
  private eMode = 0;
  private eMtime = 0;
  private eAtime = 0;
  private eUid = 0;
  private eGid = 0;
  private eMajor = 0;
  private eMinor = 0;
  private eUserName: ByteString | null = null;
  private eGroupName: ByteString | null = null;
  private eTarget: Buffer | null = null;
  private eHasSum = false;
  /** Row of the first member that an abbreviated entry is a copy of, -1 for a full entry. */
  private eFirst = -1;
  private eReference = -1;
  private runs: RunDecoder | null = null;
  /** The entry that comes next was looked at by the kernel, in vain. */
  private isOdd = false;
  /** The last row is not complete without what follows it. */
  private needsExtras = false;
  /** Below protocol 30: the named top directory whose content is being read, null outside (7.8). */
  private hierarchy: ByteString | null = null;

  constructor(
    private readonly wire: ListWire,
    private readonly list: FileList,
    /** Reads what follows an entry; null where nothing does. */
    private readonly extras: EntryExtrasReader | null = null,
  ) {
    this.name = new NameDecoder(list, wire.relative, wire.names?.charset ?? null);
    this.links = new LinkGroups(wire, list);
    this.ids = new IdListReader(wire, this.users, this.groups, list);
  }

  /**
   * One step: 0 when more input is needed, 1 when a row was appended, or many, 2 when the end mark was read (see `ioError`).
   * Throws ProtocolError for anything that section 15 forbids.
   */
  next(r: ByteReader): 0 | 1 | 2 {
    if (this.needsExtras) return this.readExtras(r);
    r.begin();
    if (this.runs !== null && !this.isOdd && !this.oneByOne && (this.mode & S_IFMT) === S_IFREG) {
      this.isOdd = true;
      if (this.runs.decode(r, this)) return 1;
    }
    let ioError = 0;
    let flags = this.readFlags(r);
    if (flags === END_WITH_ERROR && !this.wire.varintFlags && this.wire.protocol >= 30) {
      if (!this.wire.safeList && this.wire.protocol < 31) throw new ProtocolError('list flags', flags);
      flags = 0;
      ioError = readVarint(r);
    } else if (flags === 0 && this.wire.varintFlags) {
      ioError = readVarint(r);
    }
    if (flags === 0) {
      if (!r.done()) return 0;
      this.ioError = ioError & IoError.MASK;
      this.links.endList();
      this.name.endList();
      return 2;
    }
    this.readEntry(r, flags);
    if (!r.done()) return 0;
    this.append(r, flags);
    if (this.extras === null) return 1;
    this.needsExtras = true;
    return this.readExtras(r);
  }

  /** Reads what follows the last entry, which is a row already. */
  private readExtras(r: ByteReader): 0 | 1 {
    if (!this.extras!.read(r, this.list.count - 1, this)) return 0;
    this.needsExtras = false;
    return 1;
  }

  /** Reads the id lists that follow a list (12.1), as far as there is input; true when they are complete. */
  readIdLists(r: ByteReader): boolean {
    return this.ids.read(r);
  }

  /** The flags in the form of the protocol version (7.2); 0 is an end mark. */
  private readFlags(r: ByteReader): number {
    const { wire } = this;
    if (wire.varintFlags) return readVarint(r);
    const flags = r.u8();
    return wire.protocol >= 28 && flags & Xmit.EXTENDED_FLAGS ? flags | (r.u8() << 8) : flags;
  }

  /**
   * Reads an entry behind its flags (7.3):
   *
   *     prefix length   byte                  SAME_NAME
   *     suffix length   varint30 or byte      LONG_NAME or not
   *     suffix
   *     reference       varint                protocol >= 30, HLINKED without HLINK_FIRST; in this list: the last field
   *     length          varlong30(3)
   *     mtime           varlong(4) or uint32  not SAME_TIME
   *     nanoseconds     varint                MOD_NSEC
   *     mode            int32                 not SAME_MODE
   *     atime           varlong(4)            -U, not a directory, not SAME_ATIME
   *     uid, name       varint30, byte+bytes  -o, not SAME_UID; name: USER_NAME_FOLLOWS
   *     gid, name       varint30, byte+bytes  -g, not SAME_GID; name: GROUP_NAME_FOLLOWS
   *     rdev            see readRdev
   *     symlink target  varint30+bytes        -l and a symlink
   *     dev, ino        see LinkGroups        -H below protocol 30
   *     checksum        bytes                 -c and a regular file
   *
   * The flag bits that a protocol version does not have are ignored.
   */
  private readEntry(r: ByteReader, flags: number): void {
    const { wire, name } = this;
    this.eFirst = this.eReference = -1;
    this.eTarget = null;
    this.eHasSum = false;
    if (!name.read(r, flags, wire.protocol)) return;
    if (wire.protocol >= 30 && flags & Xmit.HLINKED) {
      if (!wire.hardLinks) throw new ProtocolError('list flags', 'hard link without --hard-links');
      if ((flags & Xmit.HLINK_FIRST) === 0) {
        const reference = readVarint(r);
        if (r.short) return;
        this.eReference = reference;
        this.eFirst = this.links.rowOfReference(reference);
        if (this.eFirst >= 0) return;
      }
    }
    this.readAttributes(r, flags);
    if (!r.short) this.readTail(r, flags);
  }

  private readAttributes(r: ByteReader, flags: number): void {
    const { wire } = this;
    const { protocol } = wire;
    this.eSize = r.bounded(readVarlong30(r, protocol, 3), 0, Number.MAX_VALUE, 'file length', Exit.UNSUPPORTED);
    this.eMtime = flags & Xmit.SAME_TIME ? this.mtime : protocol >= 30 ? readVarlong(r, 4) : r.u32();
    this.eNsec = protocol >= 31 && flags & Xmit.MOD_NSEC ? r.bounded(readVarint(r), 0, MAX_NSEC, 'nanoseconds') : 0;
    this.eMode = flags & Xmit.SAME_MODE ? this.mode : r.i32() & 0xffff;
    if (r.short) return;
    this.checkMode(this.eMode);
    const isDir = (this.eMode & S_IFMT) === S_IFDIR;
    this.eAtime = !wire.atimes || isDir || flags & Xmit.SAME_ATIME ? this.atime : readVarlong(r, 4);
    this.eUserName = this.eGroupName = null;
    this.eUid = this.uid;
    if (wire.owner && (flags & Xmit.SAME_UID) === 0) {
      this.eUid = readVarint30(r, protocol) >>> 0;
      if (protocol >= 30 && flags & Xmit.USER_NAME_FOLLOWS) this.eUserName = readIdName(r);
    }
    this.eGid = this.gid;
    if (wire.group && (flags & Xmit.SAME_GID) === 0) {
      this.eGid = readVarint30(r, protocol) >>> 0;
      if (protocol >= 30 && flags & Xmit.GROUP_NAME_FOLLOWS) this.eGroupName = readIdName(r);
    }
  }

  private checkMode(mode: number): void {
    const known = mode === 0 ? this.wire.deleteMissingArgs : (KNOWN_TYPES & (1 << (mode >> 12))) !== 0;
    if (!known) throw new ProtocolError('file mode', `0${mode.toString(8)}`);
  }

  private readTail(r: ByteReader, flags: number): void {
    const { wire, eMode } = this;
    const { protocol } = wire;
    const type = eMode & S_IFMT;
    this.eMajor = this.major;
    this.eMinor = this.minor;
    if (carriesRdev(wire, eMode)) this.readRdev(r, flags);
    else if (protocol < 28) this.eMajor = this.eMinor = 0;
    if (wire.links && type === S_IFLNK) {
      const length = readVarint30(r, protocol);
      if (r.short) return;
      r.bounded(length, 0, MAX_PATH - 1, 'symlink length');
      this.eTarget = r.bytes(length);
    }
    if (r.short) return;
    if (carriesInode(wire, eMode, flags)) this.links.readInode(r, flags);
    if (!r.short && carriesSum(wire, eMode)) {
      if (r.has(wire.sumLength)) r.pos += wire.sumLength;
      else r.short = true;
      this.eHasSum = type === S_IFREG;
    }
  }

  /**
   * A device number (7.5). Protocol 27: one int32 unless SAME_RDEV. From 28 on: the major number unless
   * SAME_RDEV_MAJOR, then the minor number, which 28 and 29 send as a byte with RDEV_MINOR_8.
   */
  private readRdev(r: ByteReader, flags: number): void {
    const { protocol } = this.wire;
    const special = isSpecial(this.eMode);
    if (protocol < 28) {
      if (flags & Xmit.SAME_RDEV_PRE28) return;
      const rdev = r.i32();
      if (special) return;
      const { major, minor } = unpackRdev(rdev);
      this.eMajor = major;
      this.eMinor = minor;
      return;
    }
    const major = flags & Xmit.SAME_RDEV_MAJOR ? this.major : readVarint30(r, protocol);
    const minor = protocol < 30 && flags & Xmit.RDEV_MINOR_8_PRE30 ? r.u8() : readVarint30(r, protocol);
    if (r.short) return;
    this.eMajor = r.bounded(major, 0, 0x7fffffff, 'device number');
    this.eMinor = minor >>> 0;
  }

  /** Makes the entry that was read whole a row of the list and the state for the next one. */
  private append(r: ByteReader, flags: number): void {
    const { list, wire } = this;
    const first = this.eFirst;
    if (first >= 0) this.copyAttributes(first);
    const isDir = (this.eMode & S_IFMT) === S_IFDIR;
    if (isDir && this.eReference >= 0) throw new ProtocolError('hard link', 'a directory');
    if (wire.hardLinks) this.links.startList();
    const { filesFrom, plainFrom } = list;
    const row = list.addRow();
    const isNamed = this.name.commit(row, isDir);
    if (!isNamed) this.unname(row, this.name.asItCame, null);
    const chunk = list.chunkOf(row);
    const i = rowIn(row);
    chunk.mode[i] = this.mode = this.eMode;
    chunk.size.set(i, this.eSize);
    chunk.mtime.set(i, this.eMtime);
    chunk.nsec.set(i, this.eNsec);
    chunk.uid.set(i, this.eUid);
    chunk.gid.set(i, this.eGid);
    if (wire.atimes) chunk.atime.set(i, isDir ? 0 : this.eAtime);
    this.mtime = this.eMtime;
    this.atime = this.eAtime;
    this.uid = this.eUid;
    this.gid = this.eGid;
    if (isDir && isNamed) list.setFlags(row, this.directoryFlags(flags, row));
    this.major = this.eMajor;
    this.minor = this.eMinor;
    if (first >= 0) this.copyExtras(first, row);
    else this.appendExtras(r, row);
    if (wire.hardLinks && !isDir) this.links.join(row, flags, this.eReference);
    else if (isNamed && (this.eMode & S_IFMT) === S_IFREG) this.noteFile(row, filesFrom, plainFrom);
    this.isOdd = false;
    if (row === WORTH_A_KERNEL && isPlainWire(wire)) this.runs = new RunDecoder(wire, list, this.name, this.extras);
  }

  private unname(row: number, name: ByteString, target: ByteString | null): void {
    this.list.addFlags(row, EntryFlag.UNNAMED);
    this.onUnnamed(name, target);
  }

  /** A file was appended: does it go on with those before it? The others are what they were before. */
  private noteFile(row: number, filesFrom: number, plainFrom: number): void {
    const { list } = this;
    list.filesFrom = list.plainFrom = row;
    if (filesFrom >= row || row === list.segments.nextRow || list.dir(row - 1) !== list.dir(row)) return;
    list.filesFrom = filesFrom;
    if (plainFrom < row && compareSiblings(list, row - 1, row) < 0) list.plainFrom = plainFrom;
  }

  private copyAttributes(first: number): void {
    const { list } = this;
    this.eSize = list.size(first);
    this.eMtime = list.mtime(first);
    this.eNsec = list.nsec(first);
    this.eMode = list.mode(first);
    this.eAtime = this.wire.atimes ? list.atime(first) : this.atime;
    this.eUid = list.uid(first);
    this.eGid = list.gid(first);
    this.eUserName = this.eGroupName = null;
    this.eMajor = this.major;
    this.eMinor = this.minor;
    if (carriesRdev(this.wire, this.eMode) && isDevice(this.eMode)) this.eMajor = list.major(first);
  }

  private copyExtras(first: number, row: number): void {
    const { list, wire, eMode } = this;
    if ((eMode & S_IFMT) === S_IFLNK) {
      list.setTarget(row, list.target(first));
      // Its target may be what cannot be converted.
      if (list.flags(first) & EntryFlag.UNNAMED) list.addFlags(row, EntryFlag.UNNAMED);
    } else if (isDevice(eMode)) list.setDevice(row, list.major(first), list.minor(first));
    if (wire.sumLength > 0) list.sum(first).copy(list.sum(row));
  }

  private appendExtras(r: ByteReader, row: number): void {
    const { list, wire, eMode } = this;
    if (this.eUserName !== null) this.users.set(this.eUid, this.eUserName);
    if (this.eGroupName !== null) this.groups.set(this.eGid, this.eGroupName);
    if ((eMode & S_IFMT) === S_IFLNK) {
      this.setTarget(row, this.eTarget ?? NO_TARGET);
    } else if (isDevice(eMode)) {
      if (wire.devices) list.setDevice(row, this.eMajor, this.eMinor);
      else list.setDevice(row, 0, 0);
    }
    // The sum was the last field, so it lies right behind us.
    if (this.eHasSum) r.buf.copy(list.sum(row), 0, r.pos - wire.sumLength, r.pos);
  }

  private setTarget(row: number, target: Buffer): void {
    const { list, wire } = this;
    const { names } = wire;
    if (names === null || !names.targets) {
      list.setTarget(row, target);
      return;
    }
    const text = target.toString('latin1');
    const local = convertTarget(names.charset, 'toLocal', text);
    list.setTarget(row, local === null ? NO_TARGET : Buffer.from(local, 'latin1'));
    if (local === null && !list.isInactive(row)) this.unname(row, list.path(row), text);
  }

  /** What the peer says about a directory's place in the transfer (7.8), as EntryFlag bits. */
  private directoryFlags(flags: number, row: number): number {
    const { wire } = this;
    if (wire.protocol >= 30) {
      if ((flags & Xmit.NO_CONTENT_DIR) === 0) {
        return flags & Xmit.TOP_DIR ? EntryFlag.TOP_DIR | EntryFlag.CONTENT_DIR : EntryFlag.CONTENT_DIR;
      }
      return flags & Xmit.TOP_DIR ? EntryFlag.IMPLIED_DIR : 0;
    }
    const path = this.list.path(row);
    if (flags & Xmit.TOP_DIR) {
      this.hierarchy = wire.recurse ? path : null;
      return EntryFlag.TOP_DIR | EntryFlag.CONTENT_DIR;
    }
    const { hierarchy } = this;
    if (hierarchy === null) return 0;
    if (hierarchy === '.' || path.startsWith(`${hierarchy}/`)) return EntryFlag.CONTENT_DIR;
    this.hierarchy = null;
    return 0;
  }
}

/** A name behind an id: length byte and bytes; null when it is empty. */
function readIdName(r: ByteReader): ByteString | null {
  const length = r.u8();
  return length === 0 ? null : r.bytes(length).toString('latin1');
}
