import type { ByteReader } from '../bytes/reader.js';
import { readLongint } from '../bytes/varint.js';
import { S_IFDIR, S_IFMT, Xmit } from '../constants.js';
import { ProtocolError } from '../errors.js';
import { EntryFlag, type FileList } from './list.js';
import { carriesInode, type ListWire } from './wire.js';

/** Puts received entries into hard-link groups (7.6): by reference from protocol 30 on, by device and inode below. */
export class LinkGroups {
  /** First row and transmission number of the list that is being read; -1 between lists. */
  private startRow = -1;
  private startNdx = 0;
  /** Numbers of all declared first members, in lists that have ended as well. */
  private readonly firsts = new Set<number>();
  /** Row of the first member, by device and inode. */
  private readonly byInode = new Map<string, number>();
  /** Device of the previous linked entry, as its wire value less one. */
  private dev = 0;
  private eDev = 0;
  private eKey = '';

  constructor(
    private readonly wire: ListWire,
    private readonly list: FileList,
  ) {}

  /** The end mark of a list was read. */
  endList(): void {
    this.startRow = -1;
  }

  /** To be called before a row is appended: notes where its list begins. */
  startList(): void {
    if (this.startRow >= 0) return;
    this.startRow = this.list.count;
    this.startNdx = this.list.segments.nextNdx(this.wire.incremental);
  }

  /**
   * The row that a reference (a transmission number) means, if it lies in the list that is being read; -1 when it lies
   * in an earlier one. Throws for anything but the declared first member of a group.
   */
  rowOfReference(reference: number): number {
    this.startList();
    const { list, startRow, startNdx } = this;
    const next = startNdx + list.count - startRow;
    if (reference < 0 || reference >= next) throw new ProtocolError('hard-link reference', reference);
    if (!this.firsts.has(reference)) {
      throw new ProtocolError('hard-link reference', `${reference} is not the first of a group`);
    }
    return reference >= startNdx ? startRow + reference - startNdx : -1;
  }

  /** Reads device (longint, plus one; not with SAME_DEV) and inode (longint) of an entry below protocol 30. */
  readInode(r: ByteReader, flags: number): void {
    const sameDev = this.wire.protocol >= 28 && (flags & Xmit.SAME_DEV_PRE30) !== 0;
    this.eDev = sameDev ? this.dev : readLongint(r) - 1;
    if (r.short) return;
    const at = r.pos;
    readLongint(r);
    // The raw bytes, because an inode number may be longer than a number here can hold.
    if (!r.short) this.eKey = `${this.eDev}:${r.buf.toString('latin1', at, r.pos)}`;
  }

  /** Joins a row that was just appended to its group. `reference` is -1 when there was none. */
  join(row: number, flags: number, reference: number): void {
    const { list, wire } = this;
    if (wire.protocol >= 30) {
      if ((flags & Xmit.HLINKED) === 0) return;
      const isFirst = (flags & Xmit.HLINK_FIRST) !== 0;
      const group = isFirst ? this.startNdx + row - this.startRow : reference;
      if (isFirst) this.firsts.add(group);
      list.setGroup(row, group);
      list.addFlags(row, isFirst ? EntryFlag.HLINKED | EntryFlag.HLINK_FIRST : EntryFlag.HLINKED);
      return;
    }
    if (!carriesInode(wire, list.mode(row), flags) || (list.mode(row) & S_IFMT) === S_IFDIR) return;
    this.dev = this.eDev;
    const first = this.byInode.get(this.eKey);
    if (first === undefined) {
      this.byInode.set(this.eKey, row);
      return;
    }
    list.addFlags(first, EntryFlag.HLINKED | EntryFlag.HLINK_FIRST);
    list.setGroup(first, this.startNdx + first - this.startRow);
    list.addFlags(row, EntryFlag.HLINKED);
    list.setGroup(row, list.group(first));
  }
}
