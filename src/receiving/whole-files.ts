import type { ByteReader } from '../../protocol/bytes/reader.js';
import { Item, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import { Answers, FileAnswers, MOST_ANSWERS, MOST_INPUT } from '../../protocol/delta/file-answers.js';
import { rowIn } from '../../protocol/flist/chunk.js';
import { EntryFlag, rowAt, type Segment } from '../../protocol/flist/list.js';
import { countTransferred } from '../session/inlining.js';
import type { Session } from '../session/session.js';
import type { FileReceiver } from './file-receiver.js';
import type { Landing } from './landing.js';
import type { Receiving } from './receiving.js';

/** Of these, the row of a whole file that was asked for has only the last one. */
const LOOKED_AT =
  EntryFlag.DUPLICATE | EntryFlag.CLEARED | EntryFlag.HLINKED | EntryFlag.FILE_SENT | EntryFlag.REQUESTED;

/**
 * Takes small files that come whole, as nearly all of a first copy do, in runs: their answers are decoded and verified by a
 * kernel, and go to the thread for file work. Anything else is left to the receiver, in front of it.
 */
export class WholeFiles {
  private readonly runs: FileAnswers;
  private readonly session: Session;
  /** Bytes of the files of a run. */
  private size = 0;
  /** How many of them are new. */
  private created = 0;

  constructor(
    private readonly receiving: Receiving,
    private readonly landing: Landing,
    private readonly files: FileReceiver,
  ) {
    this.session = receiving.session;
    this.runs = new FileAnswers(this.session.kernels.take());
  }

  /** False when the answers of a run have another form than the kernel knows, or their data comes beside the stream. */
  static applies({ protocol, algorithms, connection, options: o }: Session): boolean {
    if (connection.handOver !== null || o.dryRun) return false;
    return protocol >= 30 && algorithms.transferSum === 'xxh128' && algorithms.compression === 'none';
  }

  /** Takes as many answers as it can, and says what comes next: one of `Answers`. */
  take(reader: ByteReader): number {
    const { runs, session, landing } = this;
    while (this.receiving.phasesDone === 0 && landing.takesMany(MOST_ANSWERS, MOST_INPUT)) {
      const count = runs.read(reader, session.ndxIn);
      if (count <= 0) return count;
      const given = this.give(count);
      runs.pass(reader, session.ndxIn, given);
      this.count(given);
      if (given < count) return Answers.OTHER;
    }
    runs.leave();
    return Answers.OTHER;
  }

  /** Gives the files of a run away: how many of them could be. */
  private give(count: number): number {
    const { runs, landing, session } = this;
    const { list } = session;
    let segment: Segment | null = null;
    this.size = this.created = 0;
    for (let k = 0; k < count; k++) {
      const ndx = runs.ndx(k);
      if (segment === null || ndx >= segment.firstNdx + segment.count) segment = list.segments.of(ndx);
      if (segment === null || ndx < segment.firstNdx) return k;
      const row = rowAt(segment, ndx - segment.firstNdx);
      const chunk = list.chunkOf(row);
      const i = rowIn(row);
      const length = runs.length(k);
      if ((chunk.flags[i] & LOOKED_AT) !== EntryFlag.REQUESTED || (chunk.mode[i] & S_IFMT) !== S_IFREG) return k;
      if (chunk.size.get(i) !== length) return k;
      const from = runs.from(k);
      if (!landing.give(ndx, row, runs.data, from, from + length)) return k;
      chunk.flags[i] &= ~EntryFlag.REQUESTED;
      this.size += length;
      if ((runs.flags(k) & Item.IS_NEW) !== 0) this.created++;
    }
    return count;
  }

  /** Adds the first files of a run to the statistics. */
  private count(given: number): void {
    const { stats } = this.session;
    const { size, created } = this;
    stats.transferredFiles += given;
    stats.transferredSize += size;
    stats.created.total += created;
    stats.created.reg += created;
    this.files.literalBytes += size;
    countTransferred(given);
  }
}
