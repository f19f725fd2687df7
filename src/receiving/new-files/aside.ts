import { rowIn } from '../../../protocol/flist/chunk.js';
import { EntryFlag } from '../../../protocol/flist/list.js';
import { WorkPlace } from '../../../protocol/kernel/work-kernel.js';
import type { FileOutput } from '../../files/output.js';
import { FileThread } from '../../files/thread/file-thread.js';
import { Field, jobBytes, Kind, MOST_JOBS, OWN_JOB, OWN_JOB_BYTES, Step } from '../../files/thread/queue.js';
import { copyShared } from '../../libc/files.js';
import { allows, Shortcut } from '../../session/shortcuts.js';
import type { Receiving } from '../receiving.js';
import { countWithin, describe, describeRun, type FileRun, LONGEST_NAME, runBytes } from './file-jobs.js';
import { JobPlace } from './job-place.js';
import { ThreadWorth } from './thread-worth.js';

/** Bytes of a file whose content is worth being copied for the thread, and of one that the thread copies itself. */
export const LARGEST = 64 * 1024;
export const LARGEST_COPY = 512 * 1024;
/** Files that are given before the thread is woken. */
const WAKE_EVERY = 16;
/**
 * Files that wait for the thread before this one makes some, too: those whose content lies in the ring, and those that are copied. In a
 * copy on this machine the thread has to have enough for the time in which this one lists directories and asks for their files.
 */
const ENOUGH = 192;
const ENOUGH_COPIES = 800;
/** Milliseconds that the thread has at the end of a run that failed. */
const LAST_MS = 2000;

/** What became of a file that was set aside; one record is used for all. */
export interface AsideOutcome {
  ndx: number;
  row: number;
  isCopy: boolean;
  /** `Step` and errno. */
  attributes: number;
  landing: number;
}

/**
 * Sets whole small files aside for a thread that creates, writes and renames them, and makes some itself when the thread has
 * enough to do, or is not there yet. As a `FileOutput` it takes the content of one file into the memory of a job; what does not fit any more is the
 * business of `spill`.
 */
export class Aside implements FileOutput {
  private readonly isPossible: boolean;
  /** The thread, not started yet, or that of an earlier run; null: its kernel was not worth it yet. */
  private thread: FileThread | null = null;
  private isStarted = false;
  private readonly worth: ThreadWorth;
  private readonly place: JobPlace;
  /** The file that is open: its job, bytes that have come and that may come, and where they go. */
  private at = -1;
  private filled = 0;
  private most = 0;
  private dataFrom = 0;
  private unwoken = 0;
  // Of each job under way, by its number.
  readonly ndxs = new Int32Array(MOST_JOBS);
  readonly rows = new Int32Array(MOST_JOBS);
  private readonly copies = new Uint8Array(MOST_JOBS);
  private readonly outcome: AsideOutcome = { ndx: 0, row: 0, isCopy: false, attributes: 0, landing: 0 };
  private isAsked = false;
  private hasFailed = false;

  constructor(
    private readonly receiving: Receiving,
    /** Takes data[0, length), then all that follows, to where it would have gone without a thread. */
    private readonly spill: (data: Uint8Array) => FileOutput | null,
    /** Called when the thread tells of work that is done. */
    private readonly tell: (error: Error | null) => void,
  ) {
    this.isPossible = allows(receiving.session.options, Shortcut.ASIDE) && isPlainPlace(receiving);
    this.place = new JobPlace(receiving);
    this.worth = new ThreadWorth(receiving.session.list);
    if (!this.isPossible) return;
    receiving.onAsked = (row, count) => this.expect(row, count);
    receiving.onMade = () => this.prepareFor(() => this.worth.afterMaking());
    receiving.lists.onList = (segment) => this.prepareFor(() => this.worth.afterListing(segment));
  }

  /** The run begins: a thread that an earlier one has left is taken. */
  begin(): void {
    if (this.isPossible) this.thread = FileThread.waiting(this.hear);
    this.isStarted = this.thread !== null;
  }

  private readonly hear = (error: Error | null): void => {
    this.isAsked = false;
    this.tell(error);
  };

  /** Files that were given and not taken back yet. */
  get underWay(): number {
    return this.thread === null ? 0 : this.thread.jobs.underWay;
  }

  /** True when files can be set aside. */
  get isAtWork(): boolean {
    return this.thread !== null && this.thread.kernel !== null;
  }

  /** True when this row's file may be made aside now. What was opened is to be committed or dropped. */
  open(row: number, size: number, kind: number, fd = -1): boolean {
    if (!this.isPossible || size > (kind === Kind.COPY ? LARGEST_COPY : LARGEST)) return false;
    this.countFiles(1);
    const { thread } = this;
    if (thread === null || thread.kernel === null) return false;
    const chunk = this.receiving.session.list.chunkOf(row);
    const i = rowIn(row);
    const length = chunk.nameLength[i];
    if (this.receiving.parts.further?.hasNothing(chunk.acl.get(i), chunk.xattrs.get(i)) === false) return false;
    if ((chunk.flags[i] & EntryFlag.HLINKED) !== 0 || length > LONGEST_NAME || !this.place.enter(thread, row))
      return false;
    const head = jobBytes(length);
    const at = this.inRing(thread, head + (kind === Kind.WRITE ? size + 7 : 0), 1, kind);
    this.at = at < 0 ? OWN_JOB : at;
    this.dataFrom = this.at + head;
    this.most = size;
    this.filled = 0;
    describe(thread.jobs, this.at, this.place, chunk, i, kind);
    thread.jobs.words[this.at / 4 + Field.FD] = fd;
    thread.jobs.words[this.at / 4 + Field.SIZE] = size;
    thread.jobs.words[this.at / 4 + Field.IS_LISTED] = 0;
    thread.jobs.words[this.at / 4 + Field.DATA] = this.dataFrom;
    return true;
  }

  private countFiles(count: number): void {
    if (!this.isStarted) this.prepare(this.worth.afterFiles(count));
  }

  /** New files were asked for together: `count` from `row` on. */
  private expect(row: number, count: number): void {
    if (this.isStarted || this.receiving.session.list.size(row) > LARGEST) return;
    this.prepare(this.worth.afterAsking(count));
  }

  private prepareFor(isWorth: () => boolean): void {
    if (!this.isStarted) this.prepare(isWorth());
  }

  /** Makes the kernel, or starts the thread too, once they are worth it. */
  private prepare(startsThread: boolean): void {
    if (this.thread === null && (startsThread || this.worth.ofKernel)) this.thread = new FileThread(this.hear);
    if (!startsThread) return;
    this.isStarted = true;
    this.thread?.start();
  }

  /** A place for jobs in the ring; -1 where the thread has enough to do, or is not there. */
  private inRing({ jobs, isReady }: FileThread, length: number, count: number, kind: number): number {
    const enough = kind === Kind.COPY ? ENOUGH_COPIES : ENOUGH;
    return isReady && jobs.waiting < enough ? jobs.reserve(length, count) : -1;
  }

  /** False when the files of a run cannot be given now. */
  mayGive(run: FileRun): boolean {
    const { thread } = this;
    return thread !== null && this.isAtWork && this.isPossible && this.place.enter(thread, run.rows[0]);
  }

  /**
   * Gives the first files of a run that may be given, with their content: how many of them. When the thread has
   * enough to do they are made at once: `madeWell` says how many of them went well, and `made` what became of the one behind these.
   */
  giveRun(run: FileRun): number {
    const thread = this.thread!;
    const { count, ndxs, rows } = run;
    this.countFiles(count);
    const at = this.inRing(thread, runBytes(run), count, run.data === null ? Kind.COPY : Kind.WRITE);
    if (at < 0) return this.makeRun(run, thread);
    for (let done = 0; done < count; ) {
      const slot = (thread.jobs.next + done) & (MOST_JOBS - 1);
      const end = Math.min(count, done + MOST_JOBS - slot);
      this.ndxs.set(ndxs.subarray(done, end), slot);
      this.rows.set(rows.subarray(done, end), slot);
      this.copies.fill(run.data === null ? 1 : 0, slot, slot + end - done);
      done = end;
    }
    const end = describeRun(thread.jobs, at, this.place, run, count);
    thread.jobs.commit(end - at, count);
    this.unwoken += count;
    if (this.unwoken >= WAKE_EVERY) this.wake();
    return count;
  }

  madeWell = 0;
  made: AsideOutcome | null = null;

  /** Makes the first files of a run, up to one about which there is something to tell. */
  private makeRun(run: FileRun, { jobs, kernel }: FileThread): number {
    const { wasm } = kernel!;
    const count = countWithin(run, OWN_JOB_BYTES);
    describeRun(jobs, OWN_JOB, this.place, run, count);
    const well = wasm.makeFiles(WorkPlace.JOB, count);
    this.madeWell = well;
    if (well === count) return count;
    this.made = this.outcomeHere(run.ndxs[well], run.rows[well], run.data === null);
    return well + 1;
  }

  write(data: Uint8Array, from: number, to: number): void {
    const { bytes } = this.thread!.jobs;
    const start = this.dataFrom + this.filled;
    if (this.filled + to - from > this.most) {
      const collected = bytes.subarray(this.dataFrom, start);
      this.spill(collected)?.write(data, from, to);
      return;
    }
    copyShared(data, from, to, bytes, start);
    this.filled += to - from;
  }

  writeHeld(data: Uint8Array, from: number, to: number): void {
    this.write(data, from, to);
  }

  flush(): void {}

  /** Only files without basis are set aside. */
  seek(): void {}

  keep(): void {}

  copy(): number {
    return 0;
  }

  /** Gives the file that was opened last to the thread, or makes it: what became of it then, null while that is not known. */
  commit(ndx: number, row: number): AsideOutcome | null {
    const { jobs } = this.thread!;
    const word = this.at / 4;
    const { words } = jobs;
    const isCopy = words[word + Field.KIND] === Kind.COPY;
    if (!isCopy) {
      words[word + Field.SIZE] = this.filled;
      words[word + Field.LENGTH] += (this.filled + 7) & ~7;
    }
    if (this.at === OWN_JOB) return this.makeHere(ndx, row, isCopy);
    const slot = jobs.next;
    this.ndxs[slot] = ndx;
    this.rows[slot] = row;
    this.copies[slot] = isCopy ? 1 : 0;
    jobs.commit(words[word + Field.LENGTH], 1);
    if (++this.unwoken >= WAKE_EVERY) this.wake();
    return null;
  }

  private makeHere(ndx: number, row: number, isCopy: boolean): AsideOutcome {
    this.thread!.kernel!.wasm.makeFiles(WorkPlace.JOB, 1);
    return this.outcomeHere(ndx, row, isCopy);
  }

  /** What became of the file that this thread has made last. */
  private outcomeHere(ndx: number, row: number, isCopy: boolean): AsideOutcome {
    const { wasm } = this.thread!.kernel!;
    return this.tellOf(ndx, row, isCopy, wasm.attributesFailed(), wasm.landingFailed());
  }

  private tellOf(ndx: number, row: number, isCopy: boolean, attributes: number, landing: number): AsideOutcome {
    const { outcome } = this;
    outcome.ndx = ndx;
    outcome.row = row;
    outcome.isCopy = isCopy;
    outcome.attributes = attributes;
    outcome.landing = landing;
    // The thread does not go on after a write that failed.
    this.hasFailed ||= landing >> 16 === Step.WRITE;
    return outcome;
  }

  private wake(): void {
    this.unwoken = 0;
    this.thread!.jobs.wake();
  }

  /** Number of the oldest file that was given and not taken back: its place in `ndxs` and `rows`. */
  get oldest(): number {
    return this.thread === null ? 0 : this.thread.jobs.oldest;
  }

  /** How many files, from the oldest on as they lie in `ndxs`, are in their places with nothing to tell of. `take` takes them back. */
  right(): number {
    return this.thread === null ? 0 : this.thread.jobs.right();
  }

  /** How many of the files at [from, from + count) are copied. */
  copied(from: number, count: number): number {
    let copied = 0;
    for (let at = from; at < from + count; at++) copied += this.copies[at];
    return copied;
  }

  take(count: number): void {
    this.thread?.jobs.take(count);
  }

  /** What became of the oldest file that was given; null while nothing is done. */
  next(): AsideOutcome | null {
    const { thread } = this;
    if (thread === null || !thread.jobs.hasResult) return null;
    const { jobs } = thread;
    const { attributes, landing, oldest } = jobs;
    jobs.take(1);
    return this.tellOf(this.ndxs[oldest], this.rows[oldest], this.copies[oldest] !== 0, attributes, landing);
  }

  /** Called before this thread waits for something else: it is told of what the other one does meanwhile. */
  rest(): void {
    if (this.underWay === 0) return;
    this.wake();
    if (this.isAsked) return;
    this.isAsked = true;
    if (!this.thread!.jobs.ask())
      setImmediate(() => {
        this.isAsked = false;
        this.tell(null);
      });
  }

  /** What the thread was given is done, if that takes no time. */
  finish(): void {
    if (this.underWay > 0) this.thread!.jobs.waitForAll(LAST_MS);
  }

  /** Gives the thread up, after all results were taken. */
  leave(): void {
    const { thread } = this;
    this.thread = null;
    if (thread === null) return;
    const isGood = thread.jobs.underWay === 0 && !this.hasFailed && this.place.leave(thread);
    thread.jobs.wake();
    thread.release(isGood);
  }
}

/** False when a row's name does not say by itself where its file goes, or how it is to be. */
function isPlainPlace({ parts }: Receiving): boolean {
  return parts.localName === null && !parts.attrs.tweaksModes;
}
