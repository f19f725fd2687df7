import type { NdxReader } from '../../../protocol/bytes/ndx.js';
import type { ByteReader } from '../../../protocol/bytes/reader.js';
import { Item } from '../../../protocol/constants.js';
import { Answers, Record } from '../../../protocol/delta/file-answers.js';
import type { HandOver } from '../../transport/handover.js';

/** Bytes of an answer without data: a small step to its index, flags, and an empty sum head. */
const HEAD = 19;
const ITEM = 3;
/** From this first byte on an index is no small step. */
const NO_STEP = 254;
const MORE_FOLLOWS = Item.BASIS_TYPE_FOLLOWS | Item.XNAME_FOLLOWS | Item.REPORT_XATTR;
const MOST = 256;

/**
 * Reads runs of answers to requests of whole new files that are handed over beside the stream, which has only the heads of these
 * answers. As `FileAnswers`, it consumes nothing before `pass`, and ends in front of what is not plain.
 */
export class HandedFiles {
  /** A record for each answer of a run, as in `FileAnswers`: FROM is the descriptor. */
  readonly records = new Int32Array((MOST + 1) * Record.WORDS);
  readonly data = null;
  private readonly equal = Buffer.alloc(MOST * HEAD);

  constructor(private readonly handOver: HandOver) {}

  /** The number of answers that lie ready, or one of `Answers`. */
  read(r: ByteReader, ndxIn: NdxReader): number {
    const { records } = this;
    r.begin();
    if (!r.has(HEAD)) return Answers.OTHER;
    const waiting = this.handOver.look(records, MOST);
    const most = Math.min(waiting, Math.floor(r.available() / HEAD));
    const { buf, pos } = r;
    if (most === 0 || !isPlain(buf, pos) || records[Record.NDX] !== ndxIn.last + buf[pos]) return Answers.OTHER;
    records[Record.FLAGS] = buf[pos + 1] | (buf[pos + 2] << 8);
    return this.further(buf, pos, most);
  }

  /**
   * How many answers there are from the one at `pos` on, `most` at most, which is known to be plain. Nearly always those of a list
   * differ from it in nothing.
   */
  private further(buf: Buffer, pos: number, most: number): number {
    const { records, equal } = this;
    const count = takeEqual(records, most);
    if (!isPlain(equal, 0) || buf.compare(equal, 1, HEAD, pos + 1, pos + HEAD) !== 0) this.repeat(buf, pos);
    if (buf.compare(equal, 0, (count - 1) * HEAD, pos + HEAD, pos + count * HEAD) === 0) return count;
    for (let k = 1, at = pos + HEAD; k < count; k++, at += HEAD) {
      if (!isPlain(buf, at) || buf[at] !== 1) return k;
      records[k * Record.WORDS + Record.FLAGS] = buf[at + 1] | (buf[at + 2] << 8);
    }
    return count;
  }

  /** Makes many answers that are like the one at `pos`, each for the next index. */
  private repeat(buf: Buffer, pos: number): void {
    const { equal } = this;
    equal[0] = 1;
    buf.copy(equal, 1, pos + 1, pos + HEAD);
    for (let at = HEAD; at < equal.length; at += HEAD) equal.copy(equal, at, 0, HEAD);
  }

  /** What comes next is read by others. */
  leave(): void {}

  /** The first `count` files are somebody else's now. */
  passOn(count: number): void {
    this.handOver.passOn(count);
  }

  /** Moves the reader behind the first `count` answers, whose files were passed on. */
  pass(r: ByteReader, ndxIn: NdxReader, count: number): void {
    if (count === 0) return;
    r.pos += count * HEAD;
    r.begin();
    ndxIn.passedTo(this.records[(count - 1) * Record.WORDS + Record.NDX]);
  }
}

function isPlain(buf: Buffer, at: number): boolean {
  if (buf[at] === 0 || buf[at] >= NO_STEP) return false;
  const flags = buf[at + 1] | (buf[at + 2] << 8);
  if ((flags & (Item.TRANSFER | MORE_FOLLOWS)) !== Item.TRANSFER) return false;
  for (let i = at + ITEM; i < at + HEAD; i++) if (buf[i] !== 0) return false;
  return true;
}

/** Notes the flags of the first one for all; how many have indexes that follow each other. */
function takeEqual(records: Int32Array, count: number): number {
  const flags = records[Record.FLAGS];
  const first = records[Record.NDX];
  for (let k = 1; k < count; k++) {
    const record = k * Record.WORDS;
    if (records[record + Record.NDX] !== first + k) return k;
    records[record + Record.FLAGS] = flags;
  }
  return count;
}
