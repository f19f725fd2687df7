import type { ByteReader } from '../bytes/reader.js';
import { readVarint } from '../bytes/varint.js';
import { convertTarget } from '../charset.js';
import { IoError, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, Xmit } from '../constants.js';
import { ProtocolError } from '../errors.js';
import type { ByteString } from '../options.js';
import { DirectoryPlaces, readDirectoryPlace } from './directory-place.js';
import type { EntryExtrasReader } from './entry-extras.js';
import { EntryValues } from './entry-values.js';
import { IdListReader } from './id-lists.js';
import { LinkGroups } from './link-groups.js';
import { EntryFlag, type FileList } from './list.js';
import { NameDecoder } from './name-decoder.js';
import { RunDecoder } from './run-decoder.js';
import { isPlainWire } from './run-encoder.js';
import { compareSiblings } from './siblings.js';
import { carriesInode, isDevice, type ListWire } from './wire.js';

const NO_TARGET = Buffer.alloc(0);
/** Rows of a session from which on a kernel decodes what it can. */
const WORTH_A_KERNEL = 100;
/** The end mark of the byte form that carries an error value. */
const END_WITH_ERROR = Xmit.EXTENDED_FLAGS | Xmit.IO_ERROR_ENDLIST;

/**
 * Reads wire entries into rows of a list: the mirror of EntryEncoder. The state lasts for the whole session.
 *
 * An entry is one unit. Its values become part of the state and the list only when it is whole, so that a short read leaves
 * nothing behind.
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
  private readonly places: DirectoryPlaces;
  /** The entry before, and the one that is being read. */
  private last: EntryValues;
  private entry: EntryValues;
  /** Row of the first member that an abbreviated entry is a copy of, -1 for a full entry. */
  private first = -1;
  /** The number that a further name of a file came with, -1 for none. */
  private reference = -1;
  private runs: RunDecoder | null = null;
  /** The entry that comes next was looked at by the kernel, in vain. */
  private isOdd = false;
  /** The last row is not complete without what follows it. */
  private needsExtras = false;

  constructor(
    private readonly wire: ListWire,
    private readonly list: FileList,
    /** Reads what follows an entry; null where nothing does. */
    private readonly extras: EntryExtrasReader | null = null,
  ) {
    this.name = new NameDecoder(list, wire.relative, wire.names?.charset ?? null);
    this.links = new LinkGroups(wire, list);
    this.ids = new IdListReader(wire, this.users, this.groups, list);
    this.places = new DirectoryPlaces(wire.recurse);
    this.last = new EntryValues(wire);
    this.entry = new EntryValues(wire);
  }

  /**
   * One step: 0 when more input is needed, 1 when a row was appended, or many, 2 when the end mark was read (see `ioError`).
   * Throws ProtocolError for anything that section 15 forbids.
   */
  next(r: ByteReader): 0 | 1 | 2 {
    if (this.needsExtras) return this.readExtras(r);
    r.begin();
    if (this.runs !== null && !this.isOdd && !this.oneByOne && (this.last.mode & S_IFMT) === S_IFREG) {
      this.isOdd = true;
      if (this.runs.decode(r, this.last)) return 1;
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
   *     rdev            see EntryValues
   *     symlink target  varint30+bytes        -l and a symlink
   *     dev, ino        see LinkGroups        -H below protocol 30
   *     checksum        bytes                 -c and a regular file
   *
   * The flag bits that a protocol version does not have are ignored.
   */
  private readEntry(r: ByteReader, flags: number): void {
    const { wire, name, entry, last } = this;
    this.first = this.reference = -1;
    entry.clear();
    if (!name.read(r, flags, wire.protocol)) return;
    if (wire.protocol >= 30 && flags & Xmit.HLINKED) {
      if (!wire.hardLinks) throw new ProtocolError('list flags', 'hard link without --hard-links');
      if ((flags & Xmit.HLINK_FIRST) === 0) {
        const reference = readVarint(r);
        if (r.short) return;
        this.reference = reference;
        this.first = this.links.rowOfReference(reference);
        if (this.first >= 0) return;
      }
    }
    entry.readAttributes(r, flags, last);
    if (r.short) return;
    entry.readPlace(r, flags, last);
    if (!r.short && carriesInode(wire, entry.mode, flags)) this.links.readInode(r, flags);
    if (!r.short) entry.skipSum(r);
  }

  /** Makes the entry that was read whole a row of the list and the state for the next one. */
  private append(r: ByteReader, flags: number): void {
    const { list, wire, entry, first } = this;
    if (first >= 0) entry.copyFrom(list, first, this.last);
    const isDir = (entry.mode & S_IFMT) === S_IFDIR;
    if (isDir && this.reference >= 0) throw new ProtocolError('hard link', 'a directory');
    if (wire.hardLinks) this.links.startList();
    const { filesFrom, plainFrom } = list;
    const row = list.addRow();
    const isNamed = this.name.commit(row, isDir);
    if (!isNamed) this.unname(row, this.name.asItCame, null);
    entry.putInto(list, row);
    if (isDir && isNamed) list.setFlags(row, this.placeOf(row, flags));
    if (first >= 0) this.copyExtras(first, row);
    else this.appendExtras(r, row);
    if (wire.hardLinks && !isDir) this.links.join(row, flags, this.reference);
    else if (isNamed && (entry.mode & S_IFMT) === S_IFREG) this.noteFile(row, filesFrom, plainFrom);
    this.isOdd = false;
    this.entry = this.last;
    this.last = entry;
    if (row === WORTH_A_KERNEL && isPlainWire(wire)) this.runs = new RunDecoder(wire, list, this.name, this.extras);
  }

  /** EntryFlag bits of a directory. */
  private placeOf(row: number, flags: number): number {
    return this.wire.protocol >= 30 ? readDirectoryPlace(flags) : this.places.read(flags, this.list.path(row));
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

  private copyExtras(first: number, row: number): void {
    const { list, wire } = this;
    const { mode } = this.entry;
    if ((mode & S_IFMT) === S_IFLNK) {
      list.setTarget(row, list.target(first));
      // Its target may be what cannot be converted.
      if (list.flags(first) & EntryFlag.UNNAMED) list.addFlags(row, EntryFlag.UNNAMED);
    } else if (isDevice(mode)) list.setDevice(row, list.major(first), list.minor(first));
    if (wire.sumLength > 0) list.sum(first).copy(list.sum(row));
  }

  private appendExtras(r: ByteReader, row: number): void {
    const { list, wire, entry } = this;
    if (entry.userName !== null) this.users.set(entry.uid, entry.userName);
    if (entry.groupName !== null) this.groups.set(entry.gid, entry.groupName);
    if ((entry.mode & S_IFMT) === S_IFLNK) {
      this.setTarget(row, entry.target ?? NO_TARGET);
    } else if (isDevice(entry.mode)) {
      if (wire.devices) list.setDevice(row, entry.major, entry.minor);
      else list.setDevice(row, 0, 0);
    }
    if (entry.hasSum) r.buf.copy(list.sum(row), 0, r.pos - wire.sumLength, r.pos);
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
}
