import { constants } from 'node:fs';
import { EntryFlag } from '../../protocol/flist/list.js';
import type { ByteString, Options } from '../../protocol/options.js';
import type { FileOutput } from '../files/output.js';
import type { Dir } from '../files/root.js';
import { tempName } from '../files/temp.js';
import { FileThread } from '../files/thread/file-thread.js';
import { dataAt, Field, HEAD_BYTES, Kind, MOST_JOBS, Step } from '../files/thread/queue.js';
import { copyShared, openFile } from '../libc/files.js';
import { libcLoaded } from '../libc/libc.js';
import type { Receiving } from './receiving.js';

/** Bytes of a file whose content is worth being copied for the thread, and of one that the thread copies itself. */
const LARGEST = 64 * 1024;
const LARGEST_COPY = 512 * 1024;
/** Files after which a thread is started, if the list has so many more: its start costs as much as some hundred files. */
const BEFORE = 300;
const WORTH_MORE = 700;
/** Files that are given before the thread is woken. */
const WAKE_EVERY = 8;
/** Bytes of a job besides the file's content, at most, where names are not longer than usual. */
const MOST_BESIDE_DATA = 640;
/** Milliseconds that the thread has at the end of a run that failed. */
const LAST_MS = 2000;

/** A directory, without any right to its content. */
const OPEN_DIR = constants.O_DIRECTORY | 0o10000000;

/** What became of a file that was set aside. */
export interface AsideOutcome {
  ndx: number;
  row: number;
  isCopy: boolean;
  /** `Step` and errno, as in `result`. */
  attributes: number;
  landing: number;
}

/**
 * Sets whole small files aside for a thread that creates, writes and renames them. As a `FileOutput` it takes the
 * content of one file into the memory of a job; what does not fit any more is the business of `spill`.
 */
export class Aside implements FileOutput {
  private readonly isPossible: boolean;
  private thread: FileThread | null = null;
  private seen = 0;
  /** The directory that the thread is in; null: in none of this run. */
  private dirPath: ByteString | null = null;
  private at = -1;
  private filled = 0;
  private room = 0;
  private dataFrom = 0;
  private unwoken = 0;
  private readonly ndxs = new Int32Array(MOST_JOBS);
  private readonly rows = new Int32Array(MOST_JOBS);
  private readonly copies = new Uint8Array(MOST_JOBS);
  private first = 0;
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
    this.isPossible = isPlain(receiving.session.options) && isPlainPlace(receiving);
    if (this.isPossible) this.thread = FileThread.waiting(this.hear);
  }

  private readonly hear = (error: Error | null): void => {
    this.isAsked = false;
    this.tell(error);
  };

  /** Files that were given and not taken back yet. */
  get underWay(): number {
    return this.thread === null ? 0 : this.thread.jobs.underWay;
  }

  /** True when the thread takes this row's file now. What was opened is to be committed or dropped. */
  open(row: number, dir: () => Dir, size: number, kind: number, fd = -1): boolean {
    if (!this.isPossible || size > (kind === Kind.COPY ? LARGEST_COPY : LARGEST)) return false;
    const { list } = this.receiving.session;
    const { thread } = this;
    if (thread === null || !thread.isReady) {
      if (++this.seen === BEFORE || this.seen % 1024 === 0) this.start();
      return false;
    }
    if ((list.flags(row) & EntryFlag.HLINKED) !== 0) return false;
    if (!this.receiving.parts.attrs.hasPossibleOwner(list, row)) return false;
    return this.enter(thread, list.dirPath(row), dir) && this.reserve(thread, row, size, kind, fd);
  }

  /** True when the thread is at work, and has room for that many files and bytes, whatever their names. */
  takesMany(files: number, bytes: number): boolean {
    const { thread } = this;
    return thread?.isReady === true && thread.jobs.hasRoom(files, bytes + files * MOST_BESIDE_DATA);
  }

  private start(): void {
    const { list } = this.receiving.session;
    if (this.thread === null && libcLoaded() && list.count - this.seen >= WORTH_MORE) {
      this.thread = new FileThread(this.hear);
    }
  }

  /** Lets the thread go to a directory. */
  private enter(thread: FileThread, path: ByteString, dir: () => Dir): boolean {
    if (path === this.dirPath) return true;
    const { jobs } = thread;
    const at = jobs.reserve(HEAD_BYTES);
    if (at < 0) return false;
    let fd: number;
    try {
      fd = openFile(dir().self(), OPEN_DIR);
    } catch {
      // What is wrong with it shows once more where it is told.
      return false;
    }
    jobs.words[at / 4 + Field.KIND] = Kind.ENTER;
    jobs.words[at / 4 + Field.FD] = fd;
    jobs.commit(HEAD_BYTES, false);
    this.dirPath = path;
    return true;
  }

  private reserve(thread: FileThread, row: number, size: number, kind: number, fd: number): boolean {
    const { list } = this.receiving.session;
    const { jobs } = thread;
    const arena = list.arenaOf(row);
    const from = list.offsetOf(row);
    const length = list.lengthOf(row);
    const temp = tempName(arena, from, from + length);
    const data = dataAt(temp.length, length);
    const at = jobs.reserve(data + (kind === Kind.WRITE ? size : 0));
    if (at < 0) return false;
    const { words, bytes } = jobs;
    const word = at / 4;
    words[word + Field.KIND] = kind;
    words[word + Field.FD] = fd;
    words[word + Field.TEMP] = temp.length;
    words[word + Field.NAME] = length;
    words[word + Field.DATA] = size;
    let to = at + HEAD_BYTES;
    for (let i = 0; i < temp.length; i++) bytes[to++] = temp[i];
    bytes[to++] = 0;
    for (let i = from; i < from + length; i++) bytes[to++] = arena[i];
    bytes[to] = 0;
    this.fillAttributes(words, word, row);
    this.at = at;
    this.dataFrom = at + data;
    this.room = size;
    this.filled = 0;
    return true;
  }

  private fillAttributes(words: Int32Array, word: number, row: number): void {
    const { session, parts } = this.receiving;
    const { list, options: o } = session;
    const mode = list.mode(row);
    const mtime = list.mtime(row);
    words[word + Field.RIGHTS] = (mode | 0o200) & 0o700;
    words[word + Field.MODE] = mode;
    words[word + Field.UID] = parts.attrs.wantedUid(list, row);
    words[word + Field.GID] = parts.attrs.wantedGid(list, row);
    words[word + Field.TIMES] = o.times ? 1 : 0;
    const times = word + Field.TIMESPEC;
    // The time of the last access stays.
    words[times] = words[times + 1] = words[times + 3] = 0;
    words[times + 2] = 0x3ffffffe;
    words[times + 4] = mtime;
    words[times + 5] = Math.floor(mtime / 0x1_0000_0000);
    words[times + 6] = list.nsec(row);
    words[times + 7] = 0;
  }

  write(data: Uint8Array, from: number, to: number): void {
    const { bytes } = this.thread!.jobs;
    const start = this.dataFrom + this.filled;
    if (this.filled + to - from > this.room) {
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

  skip(): void {}

  copy(): number {
    return 0;
  }

  /** Gives the file that was opened last to the thread. */
  commit(ndx: number, row: number): void {
    const { jobs } = this.thread!;
    const word = this.at / 4;
    const { words } = jobs;
    const isCopy = words[word + Field.KIND] === Kind.COPY;
    if (!isCopy) words[word + Field.DATA] = this.filled;
    const slot = (this.first + jobs.underWay) % MOST_JOBS;
    this.ndxs[slot] = ndx;
    this.rows[slot] = row;
    this.copies[slot] = isCopy ? 1 : 0;
    jobs.commit(this.dataFrom - this.at + (isCopy ? 0 : this.filled), true);
    if (++this.unwoken >= WAKE_EVERY) this.wake();
  }

  private wake(): void {
    this.unwoken = 0;
    this.thread!.jobs.wake();
  }

  /** What became of the oldest file, in one record for all; null while nothing is done. */
  next(): AsideOutcome | null {
    const { thread, outcome, first } = this;
    if (thread === null || !thread.jobs.hasResult) return null;
    const { jobs } = thread;
    outcome.ndx = this.ndxs[first];
    outcome.row = this.rows[first];
    outcome.isCopy = this.copies[first] !== 0;
    outcome.attributes = jobs.attributes;
    outcome.landing = jobs.landing;
    // The thread does not go on after a write that failed.
    this.hasFailed ||= jobs.landing >> 16 === Step.WRITE;
    jobs.take();
    this.first = (first + 1) % MOST_JOBS;
    return outcome;
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
    thread?.release(thread.jobs.underWay === 0 && !this.hasFailed);
  }
}

/** False when a new file is more than content, name, owner, permissions and a time, or is not moved straight to its place. */
function isPlain(o: Options): boolean {
  if (o.inplace || o.append > 0 || o.partial || o.partialDir !== '' || o.delayUpdates || o.tempDir !== '') return false;
  if (o.backup || o.sparse || o.preallocate || o.fsync) return false;
  return !(o.acls || o.xattrs > 0 || o.crtimes || o.atimes > 0 || o.fakeSuper);
}

/** False when a row's name does not say by itself where its file goes, or how it is to be. */
function isPlainPlace({ parts }: Receiving): boolean {
  return parts.localName === null && !parts.attrs.tweaksModes;
}
