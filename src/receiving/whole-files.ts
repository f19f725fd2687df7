import type { ByteReader } from '../../protocol/bytes/reader.js';
import { Item, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import { Answers, FileAnswers, Record } from '../../protocol/delta/file-answers.js';
import { rowIn } from '../../protocol/flist/chunk.js';
import { EntryFlag, rowAt } from '../../protocol/flist/list.js';
import { countTransferred } from '../session/engine.js';
import { streamLength } from '../session/hand-over.js';
import type { Session } from '../session/session.js';
import { allows, Shortcut } from '../session/shortcuts.js';
import { LARGEST_COPY } from './aside.js';
import { FileRun, LONGEST_NAME } from './file-jobs.js';
import type { FileReceiver } from './file-receiver.js';
import { HandedFiles } from './handed-files.js';
import type { Receiving } from './receiving.js';
import type { SetAside } from './set-aside.js';

/** Of these, the row of a whole file that was asked for has only the last one. */
const LOOKED_AT =
  EntryFlag.DUPLICATE | EntryFlag.CLEARED | EntryFlag.HLINKED | EntryFlag.FILE_SENT | EntryFlag.REQUESTED;

/** Files that are given together. */
const TOGETHER = 32;

/**
 * Takes small files that come whole, as nearly all of a first copy do, in runs: their answers are decoded and verified by a
 * kernel, or they are handed over, and go to the thread for file work. Anything else is left to the receiver, in front of it.
 */
export class WholeFiles {
  private readonly handed: HandedFiles | null;
  private readonly answers: HandedFiles | FileAnswers;
  private readonly run: FileRun;
  private readonly session: Session;

  constructor(
    private readonly receiving: Receiving,
    private readonly aside: SetAside,
    private readonly files: FileReceiver,
  ) {
    this.session = receiving.session;
    const { handOver } = this.session.connection;
    this.handed = handOver === null ? null : new HandedFiles(handOver);
    this.answers = this.handed ?? new FileAnswers(this.session.kernels.take());
    this.run = new FileRun(TOGETHER, this.answers.data);
  }

  /** False when the answers of a run have another form than is known here. */
  static applies({ protocol, algorithms, connection, options: o }: Session): boolean {
    if (protocol < 30 || !allows(o, Shortcut.WHOLE) || algorithms.compression !== 'none') return false;
    return connection.handOver !== null || algorithms.transferSum === 'xxh128';
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
    const { run, aside } = this;
    for (let from = 0; from < count; ) {
      this.gather(from, count);
      const given = run.count === 0 ? 0 : aside.giveRun(run);
      if (given === 0) return from;
      this.note(from, given);
      aside.tellMade(run);
      from += given;
    }
    return count;
  }

  /** Makes a run of the answers from the `from`-th on, as far as they are for plain files of one directory. */
  private gather(from: number, count: number): void {
    const { run } = this;
    const { ndxs, rows, sources, sizes } = run;
    const { records } = this.answers;
    const { list } = this.session;
    const firstNdx = records[from * Record.WORDS + Record.NDX];
    const segment = list.segments.of(firstNdx);
    run.count = 0;
    if (segment === null || firstNdx < segment.firstNdx) return;
    const end = segment.firstNdx + segment.count;
    const chunk = list.chunkOf(rowAt(segment, firstNdx - segment.firstNdx));
    const { flags, mode, nameLength, dir, size, uid, gid } = chunk;
    run.chunk = chunk;
    const most = Math.min(count - from, TOGETHER);
    let k = 0;
    for (let at = from * Record.WORDS, first = -1; k < most; k++, at += Record.WORDS) {
      const ndx = records[at + Record.NDX];
      if (ndx >= end) break;
      const row = rowAt(segment, ndx - segment.firstNdx);
      const i = rowIn(row);
      const length = records[at + Record.LENGTH];
      if ((flags[i] & LOOKED_AT) !== EntryFlag.REQUESTED || (mode[i] & S_IFMT) !== S_IFREG) break;
      if (size.get(i) !== length || nameLength[i] > LONGEST_NAME || length > LARGEST_COPY) break;
      if (first < 0) first = i;
      else if (list.chunkOf(row) !== chunk || dir[i] !== dir[first]) break;
      else if (uid.get(i) !== uid.get(first) || gid.get(i) !== gid.get(first)) break;
      ndxs[k] = ndx;
      rows[k] = row;
      sources[k] = records[at + Record.FROM];
      sizes[k] = length;
    }
    run.count = k;
  }

  /** Files of the run, `given` of them, are not this side's business any more. */
  private note(from: number, given: number): void {
    const { session, handed, run } = this;
    const { stats } = session;
    const { records } = this.answers;
    const { flags } = run.chunk;
    let size = 0;
    let carried = 0;
    let created = 0;
    for (let k = 0; k < given; k++) {
      const length = run.sizes[k];
      flags[rowIn(run.rows[k])] &= ~EntryFlag.REQUESTED;
      size += length;
      if (handed !== null) carried += streamLength(session, length);
      if ((records[(from + k) * Record.WORDS + Record.FLAGS] & Item.IS_NEW) !== 0) created++;
    }
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
