import type { ByteReader } from '../bytes/reader.js';
import { readVarint, writeVarint } from '../bytes/varint.js';
import type { ByteWriter } from '../bytes/writer.js';
import { Compat, Item } from '../constants.js';
import { ProtocolError } from '../errors.js';
import { MAX_LOCAL_VALUE, type Xattr, type XattrSet, XattrState } from './xattr-set.js';
import { type KeptBytes, MAX_SET, MAX_VALUE } from './xattr-wire.js';

/**
 * Long values on demand (12.4). A request is a sequence of differences between the numbers that are wanted, each a varint, and
 * a zero byte. An answer has behind each difference the length of the value, a varint, and the value.
 */

/** True when an item comes with a request and its answer. Links that are made get the attributes of what they lead to. */
export function carriesXattrs(iflags: number, protocol: number, compatFlags: number): boolean {
  if ((iflags & Item.REPORT_XATTR) === 0) return false;
  const spares = protocol >= 31 && (compatFlags & Compat.AVOID_XATTR_OPTIM) === 0;
  return !(spares && isMadeLink(iflags));
}

/** True for an item that is a further name of a file. */
export function isMadeLink(iflags: number): boolean {
  const link = Item.XNAME_FOLLOWS | Item.LOCAL_CHANGE;
  return (iflags & link) === link;
}

/** Asks for attributes, which are in the order of their numbers afterwards. */
export function writeXattrRequest(w: ByteWriter, wanted: Xattr[]): void {
  wanted.sort((a, b) => a.number - b.number);
  let last = 0;
  for (const { number } of wanted) {
    writeVarint(w, number - last);
    last = number;
  }
  w.u8(0);
}

/** Answers what was asked for. `read` gives a value as it is now, null (after a message) when it is gone. */
export function writeXattrAnswer(w: ByteWriter, set: XattrSet, read: (item: Xattr) => Buffer | null): void {
  let last = 0;
  for (const item of set) {
    if (item.state !== XattrState.WANTED) continue;
    item.state = XattrState.DONE;
    writeVarint(w, item.number - last);
    last = item.number;
    const value = read(item);
    writeVarint(w, value?.length ?? 0);
    if (value !== null) w.bytes(value);
  }
  w.u8(0);
}

/** Finds the attributes of a set by their numbers. */
class NumberedSet {
  private set: XattrSet | null = null;
  private readonly items = new Map<number, Xattr>();

  /** The attribute of that number. It must be a long value in the given state, or with null in any. */
  at(set: XattrSet, number: number, state: number | null): Xattr {
    let item: Xattr | undefined = set[number - 1];
    // Names may be sorted in another way here, and some may be left out.
    if (item?.number !== number) item = this.search(set, number);
    if (item === undefined || item.digest === null || (state !== null && item.state !== state)) {
      throw new ProtocolError('xattr number', number);
    }
    return item;
  }

  private search(set: XattrSet, number: number): Xattr | undefined {
    const { items } = this;
    if (this.set !== set) {
      items.clear();
      for (const item of set) items.set(item.number, item);
      this.set = set;
    }
    return items.get(number);
  }
}

/** Reads requests: on the side that has the values. */
export class XattrRequestReader {
  private readonly numbered = new NumberedSet();
  private number = 0;

  /** Goes on with a request; true at its end. What is asked for is WANTED then. */
  read(r: ByteReader, set: XattrSet): boolean {
    for (;;) {
      r.begin();
      const step = readVarint(r);
      if (!r.done()) return false;
      if (step === 0) break;
      this.number += step;
      this.numbered.at(set, this.number, XattrState.ABBREVIATED).state = XattrState.WANTED;
    }
    this.number = 0;
    return true;
  }
}

/** Reads answers: on the side that asked. */
export class XattrAnswerReader {
  private readonly numbered = new NumberedSet();
  private number = 0;
  private item: Xattr | null = null;
  /** Bytes of the value that have not come yet, and those of the whole answer. */
  private left = 0;
  private bytes = 0;

  /** `state`: of a value that may come; null for a batch file, which answers what another run has asked. */
  constructor(
    private readonly kept: KeptBytes,
    private readonly state: number | null = XattrState.WANTED,
  ) {}

  /** Goes on with an answer; true at its end. The set has the values then; one that Linux could not keep stays null. */
  read(r: ByteReader, set: XattrSet): boolean {
    for (;;) {
      if (this.item !== null && !this.readValue(r, this.item)) return false;
      this.item = null;
      r.begin();
      const step = readVarint(r);
      const length = step === 0 ? 0 : r.bounded(readVarint(r), 0, MAX_VALUE, 'xattr value length');
      if (!r.done()) return false;
      if (step === 0) break;
      this.number += step;
      this.start(this.numbered.at(set, this.number, this.state), length);
    }
    this.number = this.bytes = 0;
    return true;
  }

  private start(item: Xattr, length: number): void {
    this.bytes += length;
    if (this.bytes > MAX_SET) throw new ProtocolError('xattr answer', `more than ${MAX_SET} bytes`);
    item.state = XattrState.DONE;
    item.length = this.left = length;
    this.item = item;
    if (length > MAX_LOCAL_VALUE) return;
    this.kept.add(length);
    item.value = Buffer.alloc(length);
  }

  private readValue(r: ByteReader, { value }: Xattr): boolean {
    while (this.left > 0) {
      r.begin();
      const n = Math.min(r.available(), this.left);
      if (n === 0) return false;
      if (value === null) r.pos += n;
      else r.copyTo(value, value.length - this.left, n);
      r.done();
      this.left -= n;
    }
    return true;
  }
}
