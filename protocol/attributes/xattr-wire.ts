import type { ByteReader } from '../bytes/reader.js';
import { readVarint, writeVarint } from '../bytes/varint.js';
import type { ByteWriter } from '../bytes/writer.js';
import { Exit } from '../constants.js';
import { ProtocolError, RsyncError } from '../errors.js';
import type { ByteString } from '../options.js';
import { SentNumbers } from './sent-numbers.js';
import { byName, MAX_FULL_VALUE, type Xattr, XattrState, type XattrTable } from './xattr-set.js';

/** Limits on what a peer sends (15). */
const MAX_XATTRS = 65536;
const MAX_NAME = 4096;
export const MAX_VALUE = 128 * 1024 * 1024;
export const MAX_SET = 512 * 1024 * 1024;
/** Bytes of names and values that a session keeps for a peer, at most. */
const MAX_KEPT = 1024 * 1024 * 1024;
const DIGEST = 16;

/** Counts what a session keeps for a peer, and ends it when that is too much (exit code 22). */
export class KeptBytes {
  private used = 0;

  add(bytes: number): void {
    this.used += bytes;
    if (this.used > MAX_KEPT) throw new RsyncError(Exit.MALLOC, 'extended attributes need too much memory');
  }
}

/**
 * Writes the attribute sets of entries (12.3):
 *
 *     varint n   > 0: the n-th set that was sent; 0: a new one follows
 *     varint count, then for each attribute:
 *       varint length of the name with its NUL, varint length of the value, name and NUL,
 *       the value, or its MD5 when it is longer than 32 bytes
 */
export class XattrEncoder {
  readonly sent = new SentNumbers();

  constructor(
    private readonly table: XattrTable,
    /** What an attribute is called on the wire. */
    private readonly nameOf: (name: ByteString) => ByteString,
  ) {}

  write(w: ByteWriter, number: number): void {
    const known = this.sent.take(number);
    writeVarint(w, known);
    if (known > 0) return;
    const set = this.table.at(number);
    writeVarint(w, set.length);
    for (const { name, length, value, digest } of set) {
      const sent = this.nameOf(name);
      writeVarint(w, sent.length + 1);
      writeVarint(w, length);
      w.text(sent);
      w.u8(0);
      w.bytes(digest ?? (value as Buffer));
    }
  }
}

/** Reads what XattrEncoder writes. Each attribute is a unit of its own, so that a large set needs no large window. */
export class XattrDecoder {
  /** Attributes of the set that is being read, -1: its head comes next. */
  private count = -1;
  private seen = 0;
  private bytes = 0;
  private set: Xattr[] = [];
  /** Number in the table by number on the wire, less one. */
  readonly received: number[] = [];

  constructor(
    private readonly table: XattrTable,
    /** What an attribute is called here; null when it is not kept. */
    private readonly nameOf: (name: ByteString) => ByteString | null,
    private readonly kept: KeptBytes,
  ) {}

  /** Goes on with a set: its number in the table, -1 when bytes are missing. */
  read(r: ByteReader): number {
    if (this.count < 0) {
      const number = this.readHead(r);
      if (number !== 0) return number;
    }
    while (this.seen < this.count) if (!this.readOne(r)) return -1;
    this.count = -1;
    const { set } = this;
    this.set = [];
    const number = this.table.add(set.sort(byName));
    this.received.push(number);
    return number;
  }

  /** The number of a set that is known, -1 when bytes are missing, 0 when a new set follows. */
  private readHead(r: ByteReader): number {
    r.begin();
    const known = r.bounded(readVarint(r), 0, this.received.length, 'xattr set', Exit.STREAMIO);
    const count = known === 0 ? r.bounded(readVarint(r), 0, MAX_XATTRS, 'xattr count') : -1;
    if (!r.done()) return -1;
    if (known > 0) return this.received[known - 1];
    this.count = count;
    this.seen = this.bytes = 0;
    return 0;
  }

  private readOne(r: ByteReader): boolean {
    r.begin();
    const nameLength = r.bounded(readVarint(r), 1, MAX_NAME, 'xattr name length');
    const length = r.bounded(readVarint(r), 0, 0x7fff_ffff, 'xattr value length');
    if (!r.short && length > MAX_VALUE) throw new RsyncError(Exit.PROTOCOL, 'xattr datum_len exceeds per-value limit');
    const isLong = length > MAX_FULL_VALUE;
    const raw = r.short ? null : r.bytes(nameLength);
    const value = r.short ? null : r.bytes(isLong ? DIGEST : length);
    if (!r.done() || raw === null || value === null) return false;
    if (raw[nameLength - 1] !== 0) throw new ProtocolError('xattr name', 'no NUL at its end', Exit.FILEIO);
    this.bytes += nameLength + length;
    if (this.bytes > MAX_SET) throw new RsyncError(Exit.PROTOCOL, 'xattr list exceeds per-file limit');
    const number = ++this.seen;
    const name = this.nameOf(raw.toString('latin1', 0, raw.indexOf(0)));
    if (name === null) return true;
    this.kept.add(nameLength + value.length);
    this.set.push({
      name,
      length,
      value: isLong ? null : value,
      digest: isLong ? value : null,
      number,
      state: XattrState.ABBREVIATED,
    });
    return true;
  }
}
