import type { ByteReader } from '../../../protocol/bytes/reader.js';
import { Item, S_IFMT, S_IFREG } from '../../../protocol/constants.js';
import { Answers, FileAnswers, Record } from '../../../protocol/delta/file-answers.js';
import { MOST_OUTPUT, PackedAnswers } from '../../../protocol/delta/packed-answers.js';
import { CHUNK_ROWS, type Chunk, rowIn } from '../../../protocol/flist/chunk.js';
import { EntryFlag, rowOf, type Segment } from '../../../protocol/flist/list.js';
import { countTransferred } from '../../session/engine.js';
import { streamLengths } from '../../session/hand-over.js';
import type { Session } from '../../session/session.js';
import { allows, Shortcut } from '../../session/shortcuts.js';
import type { FileReceiver } from '../landing/file-receiver.js';
import type { Receiving } from '../receiving.js';
import { LARGEST, LARGEST_COPY } from './aside.js';
import { FileRun, LONGEST_NAME } from './file-jobs.js';
import { HandedFiles } from './handed-files.js';
import type { SetAside } from './set-aside.js';

/** Of these, the row of a whole file that was asked for has only the last one. */
const LOOKED_AT =
  EntryFlag.DUPLICATE | EntryFlag.CLEARED | EntryFlag.HLINKED | EntryFlag.FILE_SENT | EntryFlag.REQUESTED;

/** Files that are given together. */
const TOGETHER = 128;

/**
 * Takes small files that come whole, as nearly all of a first copy do, in runs: their answers are decoded, unpacked where they are
 * compressed by zstd, and verified by a kernel, or they are handed over, and go to the thread for file work. Anything else is left
 * to the receiver, in front of it.
 */
export class WholeFiles {
  private readonly handed: HandedFiles | null;
  private readonly packed: PackedAnswers | null;
  private readonly answers: HandedFiles | FileAnswers;
  private readonly run: FileRun;
  private readonly session: Session;

  constructor(
    private readonly receiving: Receiving,
    private readonly aside: SetAside,
    private readonly files: FileReceiver,
  ) {
    this.session = receiving.session;
    const { kernels, connection } = this.session;
    const { handOver } = connection;
    const { wholeInput } = files;
    this.packed = wholeInput && new PackedAnswers(kernels.take(), wholeInput, (ndx) => this.sizeOf(ndx) <= LARGEST);
    this.handed = handOver === null || this.packed !== null ? null : new HandedFiles(handOver);
    this.answers = this.packed ?? this.handed ?? new FileAnswers(kernels.take());
    this.run = new FileRun(TOGETHER, this.answers.data);
  }

  /** False when the answers of a run have another form than is known here. */
  static applies({ protocol, algorithms, connection, options: o }: Session, files: FileReceiver): boolean {
    if (protocol < 30 || !allows(o, Shortcut.WHOLE)) return false;
    if (algorithms.compression !== 'none') return files.wholeInput !== null && algorithms.transferSum === 'xxh128';
    return connection.handOver !== null || algorithms.transferSum === 'xxh128';
  }

  /** The length of the file with this index, infinite where there is none. */
  private sizeOf(ndx: number): number {
    const { list } = this.session;
    const segment = list.segments.of(ndx);
    if (segment === null || ndx < segment.firstNdx) return Number.POSITIVE_INFINITY;
    return list.size(rowOf(segment, ndx));
  }

  /** Takes as many answers as it can, and says what comes next: one of `Answers`. */
  take(reader: ByteReader): number {
    const { answers, session, aside } = this;
    while (this.receiving.phasesDone === 0 && aside.isAtWork) {
      const count = answers.read(reader, session.ndxIn);
      if (count <= 0) return count;
      const given = this.give(count);
      answers.pass(reader, session.ndxIn, given);
      aside.collect();
      if (given < count) return Answers.OTHER;
    }
    answers.leave();
    return Answers.OTHER;
  }

  /** Gives the files of `count` answers away: how many of them could be. */
  private give(count: number): number {
    const { run, aside, packed } = this;
    for (let from = 0; from < count; ) {
      this.gather(from, count);
      const wanted = run.count;
      if (wanted === 0 || !aside.mayGive(run)) return from;
      if (packed !== null) run.count = packed.unpack(from, wanted, run.sizes, run.sources);
      const isWhole = run.count === wanted;
      from = this.giveRun(from);
      if (!isWhole) return from;
    }
    return count;
  }

  /** Gives all files of the run, which are those of the answers from the `from`-th on; returns the answer behind them. */
  private giveRun(from: number): number {
    const { run, aside } = this;
    while (run.count > 0) {
      const given = aside.giveRun(run);
      this.note(from, given);
      aside.tellMade(run);
      from += given;
      run.drop(given);
    }
    return from;
  }

  /** Makes a run of the answers from the `from`-th on, as far as they are for plain files of one directory. */
  private gather(from: number, count: number): void {
    const { run, packed } = this;
    const { ndxs, rows, sources, sizes } = run;
    const { records } = this.answers;
    const { list } = this.session;
    const firstNdx = records[from * Record.WORDS + Record.NDX];
    const segment = list.segments.of(firstNdx);
    run.count = 0;
    if (segment === null || firstNdx < segment.firstNdx) return;
    const end = segment.firstNdx + segment.count;
    const chunk = list.chunkOf(rowOf(segment, firstNdx));
    if (this.gatherPlain(from, count, segment, chunk)) return;
    const { flags, mode, nameLength, dir, size, uid, gid, acl, xattrs } = chunk;
    const { further } = this.receiving.parts;
    run.chunk = chunk;
    const most = Math.min(count - from, TOGETHER);
    const largest = packed === null ? LARGEST_COPY : LARGEST;
    let k = 0;
    let room = MOST_OUTPUT;
    for (let at = from * Record.WORDS, first = -1; k < most; k++, at += Record.WORDS) {
      const ndx = records[at + Record.NDX];
      if (ndx >= end) break;
      const row = rowOf(segment, ndx);
      const i = rowIn(row);
      const length = packed === null ? records[at + Record.LENGTH] : size.get(i);
      if ((flags[i] & LOOKED_AT) !== EntryFlag.REQUESTED || (mode[i] & S_IFMT) !== S_IFREG) break;
      if (size.get(i) !== length || nameLength[i] > LONGEST_NAME || length > largest) break;
      if (further !== null && !further.hasNothing(acl.get(i), xattrs.get(i))) break;
      if (first < 0) first = i;
      else if (list.chunkOf(row) !== chunk || dir[i] !== dir[first]) break;
      else if (uid.get(i) !== uid.get(first) || gid.get(i) !== gid.get(first)) break;
      room -= length;
      if (packed !== null && room < 0) break;
      ndxs[k] = ndx;
      rows[k] = row;
      sources[k] = records[at + Record.FROM];
      sizes[k] = length;
    }
    run.count = k;
  }

  /** The same for answers that follow each other, for rows of a plain list: most of it is copies of columns. False: it is not so. */
  private gatherPlain(from: number, count: number, segment: Segment, chunk: Chunk): boolean {
    const { run } = this;
    const { records } = this.answers;
    const firstNdx = records[from * Record.WORDS + Record.NDX];
    const row = rowOf(segment, firstNdx);
    const i = rowIn(row);
    const most = Math.min(count - from, TOGETHER, segment.firstNdx + segment.count - firstNdx, CHUNK_ROWS - i);
    const lastNdx = records[(from + most - 1) * Record.WORDS + Record.NDX];
    if (this.packed !== null || this.receiving.parts.further !== null || lastNdx - firstNdx !== most - 1) return false;
    if (!segment.isPlain || segment.numbers !== null || !chunk.size.copyTo(run.sizes, i, most)) return false;
    if (!chunk.uid.isUniform(i, most) || !chunk.gid.isUniform(i, most)) return false;
    run.chunk = chunk;
    run.count = countPlain(chunk, i, records, from, run.sizes, most);
    fill(run, row, records, from);
    return true;
  }

  /** Files of the run, `given` of them, are not this side's business any more. */
  private note(from: number, given: number): void {
    const { session, handed, run } = this;
    const { stats } = session;
    const carried = handed === null ? 0 : streamLengths(session, run.sizes, given);
    const created = countNew(this.answers.records, from, given);
    const size = clearRequested(run, given);
    stats.transferredFiles += given;
    stats.transferredSize += size;
    stats.created.total += created;
    stats.created.reg += created;
    this.files.literalBytes += size;
    handed?.passOn(given);
    if (carried > 0) session.connection.carried(0, carried);
    countTransferred(given);
  }
}

// Loops of their own: V8 makes fast code of them in a moment, and of the functions around them only late.

/** How many of the rows from `i` on were asked for, and are as the answers from the `from`-th one on say. */
function countPlain(
  { flags, nameLength }: Chunk,
  i: number,
  records: Int32Array,
  from: number,
  sizes: Int32Array,
  most: number,
): number {
  for (let k = 0, at = from * Record.WORDS; k < most; k++, at += Record.WORDS) {
    if ((flags[i + k] & LOOKED_AT) !== EntryFlag.REQUESTED || nameLength[i + k] > LONGEST_NAME) return k;
    if (sizes[k] !== records[at + Record.LENGTH] || sizes[k] > LARGEST_COPY) return k;
  }
  return most;
}

/** The files of a run are those of the answers from the `from`-th one on, for rows that follow each other. */
function fill({ ndxs, rows, sources, count }: FileRun, row: number, records: Int32Array, from: number): void {
  for (let k = 0, at = from * Record.WORDS; k < count; k++, at += Record.WORDS) {
    ndxs[k] = records[at + Record.NDX];
    rows[k] = row + k;
    sources[k] = records[at + Record.FROM];
  }
}

/** How many of the `count` answers from the `from`-th one on are for new files. */
function countNew(records: Int32Array, from: number, count: number): number {
  let created = 0;
  for (let k = from; k < from + count; k++) {
    if ((records[k * Record.WORDS + Record.FLAGS] & Item.IS_NEW) !== 0) created++;
  }
  return created;
}

/** The first `count` files have come; returns their bytes. */
function clearRequested({ chunk, rows, sizes }: FileRun, count: number): number {
  const { flags } = chunk;
  let size = 0;
  for (let k = 0; k < count; k++) {
    flags[rowIn(rows[k])] &= ~EntryFlag.REQUESTED;
    size += sizes[k];
  }
  return size;
}
