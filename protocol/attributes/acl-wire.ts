import type { ByteReader } from '../bytes/reader.js';
import { readVarint, writeVarint } from '../bytes/varint.js';
import type { ByteWriter } from '../bytes/writer.js';
import { Exit } from '../constants.js';
import type { SentIds } from '../flist/sent-ids.js';
import { writeName } from '../flist/sent-ids.js';
import type { ByteString } from '../options.js';
import { type Acl, type AclTable, byId, type NamedEntry, NO_ENTRY } from './acl.js';
import { SentNumbers } from './sent-numbers.js';
import type { KeptBytes } from './xattr-wire.js';

/** Which parts of a list follow. */
const Part = { USER: 1, GROUP: 2, MASK: 4, OTHER: 8, NAMES: 16 } as const;
const MAX_ENTRIES = 65536;
/** Bytes that an entry takes, about. */
const ENTRY_BYTES = 48;
const NAME_FOLLOWS = 1;
const IS_USER = 2;

/**
 * Writes lists of one kind (12.2):
 *
 *     varint n       > 0: the n-th list that was sent; 0: a new one follows
 *     byte parts     then a varint for each of the first four
 *     varint count   of names, if there are any, then for each: varint id, varint permissions with two bits behind them: a user,
 *                    a name follows; length byte and name
 */
export class AclEncoder {
  readonly sent = new SentNumbers();

  constructor(
    private readonly table: AclTable,
    /** Names travel with their ids at once. */
    private readonly incremental: boolean,
  ) {}

  write(w: ByteWriter, number: number, ids: SentIds): void {
    const known = this.sent.take(number);
    writeVarint(w, known);
    if (known > 0) return;
    const { user, group, mask, other, names } = this.table.at(number);
    let parts = 0;
    if (user !== NO_ENTRY) parts |= Part.USER;
    if (group !== NO_ENTRY) parts |= Part.GROUP;
    if (mask !== NO_ENTRY) parts |= Part.MASK;
    if (other !== NO_ENTRY) parts |= Part.OTHER;
    if (names.length > 0) parts |= Part.NAMES;
    w.u8(parts);
    for (const access of [user, group, mask, other]) if (access !== NO_ENTRY) writeVarint(w, access);
    if (names.length === 0) return;
    writeVarint(w, names.length);
    for (const entry of names) this.writeEntry(w, entry, ids);
  }

  private writeEntry(w: ByteWriter, { id, access, isUser }: NamedEntry, ids: SentIds): void {
    // Without incremental recursion ids are only noted: their names come behind the list.
    const noted = isUser ? ids.newUser(id) : ids.newGroup(id);
    const name = this.incremental ? noted : null;
    writeVarint(w, id);
    writeVarint(w, (access << 2) | (isUser ? IS_USER : 0) | (name !== null ? NAME_FOLLOWS : 0));
    if (name !== null) writeName(w, name);
  }
}

/** Where names of ids go. */
export interface IdNamesRead {
  readonly users: Map<number, ByteString>;
  readonly groups: Map<number, ByteString>;
}

/** Reads what AclEncoder writes. Each named entry is a unit of its own. */
export class AclDecoder {
  /** Number in the table by number on the wire, less one. */
  readonly received: number[] = [];
  /** Named entries of the list that is being read that are still to come, -1: its head comes next. */
  private left = -1;
  private user = NO_ENTRY;
  private group = NO_ENTRY;
  private mask = NO_ENTRY;
  private other = NO_ENTRY;
  private names: NamedEntry[] = [];

  constructor(
    private readonly table: AclTable,
    private readonly isDefault: boolean,
    /** Highest permissions that are accepted: 7, more where they are only stored (--fake-super). */
    private readonly maxAccess: number,
    private readonly kept: KeptBytes,
  ) {}

  /** Goes on with the list of an entry with the mode `mode`: its number in the table, -1 when bytes are missing. */
  read(r: ByteReader, mode: number, ids: IdNamesRead): number {
    if (this.left < 0) {
      const number = this.readHead(r);
      if (number !== 0) return number;
    }
    for (; this.left > 0; this.left--) if (!this.readEntry(r, ids)) return -1;
    this.left = -1;
    const names = this.names.sort(byId);
    this.names = [];
    const { user, group, other } = this;
    const mask = names.length > 0 && this.mask === NO_ENTRY ? this.missingMask(names, mode) : this.mask;
    const acl: Acl = { user, group, mask, other, names };
    this.kept.add(ENTRY_BYTES * (1 + names.length));
    const number = this.table.add(acl);
    this.received.push(number);
    return number;
  }

  /** Names need a mask: that of the mode, or in a list for new entries what all of them have together. */
  private missingMask(names: readonly NamedEntry[], mode: number): number {
    if (!this.isDefault) return (mode >> 3) & 7;
    let bits = this.group & ~NO_ENTRY;
    for (const { access } of names) bits |= access & 7;
    return bits;
  }

  /** The number of a list that is known, -1 when bytes are missing, 0 when a new list follows. */
  private readHead(r: ByteReader): number {
    r.begin();
    const known = r.bounded(readVarint(r), 0, this.received.length, 'ACL number', Exit.STREAMIO);
    if (known > 0) return r.done() ? this.received[known - 1] : -1;
    const parts = r.u8();
    this.user = this.readAccess(r, parts & Part.USER);
    this.group = this.readAccess(r, parts & Part.GROUP);
    this.mask = this.readAccess(r, parts & Part.MASK);
    this.other = this.readAccess(r, parts & Part.OTHER);
    const count = parts & Part.NAMES ? r.bounded(readVarint(r), 0, MAX_ENTRIES, 'ACL count') : 0;
    if (!r.done()) return -1;
    this.left = count;
    return 0;
  }

  private readAccess(r: ByteReader, part: number): number {
    return part === 0 ? NO_ENTRY : r.bounded(readVarint(r), 0, 7, 'ACL permissions', Exit.STREAMIO);
  }

  private readEntry(r: ByteReader, { users, groups }: IdNamesRead): boolean {
    r.begin();
    const id = readVarint(r) >>> 0;
    const bits = readVarint(r) >>> 0;
    const access = r.bounded(bits >>> 2, 0, this.maxAccess, 'ACL permissions', Exit.STREAMIO);
    const isUser = (bits & IS_USER) !== 0;
    const name = bits & NAME_FOLLOWS ? r.bytes(r.u8()).toString('latin1') : '';
    if (!r.done()) return false;
    if (name !== '') (isUser ? users : groups).set(id, name);
    this.names.push({ id, access, isUser });
    return true;
  }
}
