import type { Options } from '../../protocol/options.js';
import { fixed, humanNumber } from './numbers.js';
import type { RunStats } from './stats.js';

/** What the lines tell about the whole run; the session keeps it up to date. */
export interface ProgressSource {
  stats: Pick<RunStats, 'transferredFiles' | 'transferredSize' | 'totalSize'> & { files: { total: number } };
  /** True when no more file lists will come: `to-chk` instead of `ir-chk`. */
  listComplete: boolean;
}

/** How many of the last updates the rate is taken over, and the least time between two of them in milliseconds. */
const HISTORY = 5;
const INTERVAL_MS = 1000;
/** A file that starts this soon after the last update of the one before counts from that update. */
const CARRY_OVER_MS = 1500;
/** Longest remaining time that is shown, in seconds. */
const MAX_REMAIN = 9999 * 3600;

interface Mark {
  /** Milliseconds; NaN before anything happened. */
  time: number;
  offset: number;
}

const NOTHING: ProgressSource = {
  stats: { transferredFiles: 0, transferredSize: 0, totalSize: 0, files: { total: 0 } },
  listComplete: true,
};

function clockText(seconds: number): string {
  if (!(seconds >= 0 && seconds <= MAX_REMAIN)) return '  ??:??:??';
  const two = (n: number) => String(Math.trunc(n) % 60).padStart(2, '0');
  return `${String(Math.trunc(seconds / 3600)).padStart(4)}:${two(seconds / 60)}:${two(seconds)}`;
}

function rateText(kibPerSecond: number): string {
  let rate = kibPerSecond;
  let units = 'kB/s';
  if (rate > 1024 * 1024) {
    rate /= 1024 * 1024;
    units = 'GB/s';
  } else if (rate > 1024) {
    rate /= 1024;
    units = 'MB/s';
  }
  return fixed(rate, 2).padStart(7) + units;
}

/**
 * The lines of --progress (a line for each file) and --info=progress2 (one for the run). `write` gets whole updates:
 * each starts with `\r`, and one that ends a file ends with a newline; `ConsoleLog.progress` takes them.
 */
export class Progress {
  /** Totals of the run. */
  source: ProgressSource = NOTHING;
  /**
   * Place of the current file in the list, from 0: its index (5.7) less the number of the list it stands in, when
   * lists are numbered from 1 (incremental) or 0.
   */
  fileIndex = 0;
  /** False while the terminal belongs to another process group: only lines that end a file are shown. */
  foreground: () => boolean = () => true;

  private readonly whole: boolean;
  private readonly start: Mark = { time: Number.NaN, offset: 0 };
  private readonly marks: Mark[] = Array.from({ length: HISTORY }, () => ({ time: Number.NaN, offset: 0 }));
  private newest = 0;
  private oldest = 0;
  private fileSize = 0;
  private updated = false;
  private lastTail = 0;

  constructor(
    private readonly o: Options,
    private readonly write: (text: string) => void,
    private readonly now: () => number,
  ) {
    this.whole = o.info.progress >= 2;
  }

  /** The data of a file of `size` bytes begins; nothing is printed yet. */
  startFile(size: number, fileIndex = this.fileIndex): void {
    this.fileSize = size;
    this.fileIndex = fileIndex;
    this.updated = false;
  }

  /**
   * `offset` bytes of the file are done. Prints at the first call of a file, then once a second at most. A receiver
   * calls it with 0 before the first token; a sender with the end of each run.
   */
  update(offset: number): void {
    if (this.fileSize === 0) return;
    this.updated = true;
    const now = this.now();
    let done = offset;
    let size = this.fileSize;
    if (this.whole) {
      done += this.source.stats.transferredSize - size;
      size = this.source.stats.totalSize;
    }
    if (Number.isNaN(this.start.time)) this.begin(now, done);
    else if (now - this.marks[this.newest].time < INTERVAL_MS) return;
    else this.mark(now, done);
    if (!this.foreground()) return;
    const from = this.marks[this.oldest];
    const rate = ((done - from.offset) * 1000) / (now - from.time || 1) / 1024;
    this.print(done, size, rate, rate === 0 ? 0 : (size - done) / rate / 1000, '  ');
  }

  /** The file is complete: its last line. */
  endFile(size = this.fileSize): void {
    if (!this.updated) this.update(size);
    if (this.whole) {
      this.printWhole();
      return;
    }
    this.printEnd(size, size, `${this.counts()}\n`);
    this.start.time = Number.NaN;
    this.start.offset = 0;
  }

  /** With progress2: everything of a list, or a phase of a list that came whole, is done; that moves the to-chk count on. */
  endList(lastIndex: number): void {
    this.fileIndex = lastIndex;
    if (this.whole) this.printWhole();
  }

  private printWhole(): void {
    const tail = this.counts();
    const { transferredSize, totalSize } = this.source.stats;
    // Blanks wipe out what a longer line left on the terminal.
    this.printEnd(transferredSize, totalSize, tail.padEnd(this.lastTail));
    this.lastTail = tail.length;
  }

  private begin(now: number, offset: number): void {
    const last = this.marks[this.newest].time;
    const carried = now - last <= CARRY_OVER_MS;
    this.start.time = carried ? last : now;
    this.start.offset = carried ? 0 : offset;
    for (const mark of this.marks) {
      mark.time = this.start.time;
      mark.offset = this.start.offset;
    }
  }

  private mark(now: number, offset: number): void {
    this.newest = this.oldest;
    this.oldest = (this.oldest + 1) % HISTORY;
    this.marks[this.newest].time = now;
    this.marks[this.newest].offset = offset;
  }

  private counts(): string {
    const { stats, listComplete } = this.source;
    const { total } = stats.files;
    const left = total - this.fileIndex - 1;
    return ` (xfr#${stats.transferredFiles}, ${listComplete ? 'to' : 'ir'}-chk=${left}/${total})`;
  }

  /** A line with the average since the start and the time that it took. */
  private printEnd(done: number, size: number, tail: string): void {
    const began = Number.isNaN(this.start.time) ? null : this.now() - this.start.time;
    const elapsed = began || 1;
    this.print(done, size, ((done - this.start.offset) * 1000) / elapsed / 1024, elapsed / 1000, tail);
  }

  private print(done: number, size: number, rate: number, seconds: number, tail: string): void {
    const percent = done === size ? 100 : Math.trunc((100 * done) / size);
    const amount = humanNumber(done, this.o.humanReadable).padStart(15);
    this.write(`\r${amount} ${String(percent).padStart(3)}% ${rateText(rate)} ${clockText(seconds)}${tail}`);
  }
}

/**
 * `building file list ... done`, or with --info=flist2 the number of files as it grows; for lists that come in one
 * piece. `write` is that of `Progress`; the last line is information that a log file gets too (`done`).
 */
export class ListProgress {
  private readonly counting: boolean;

  constructor(
    o: Options,
    private readonly write: (text: string) => void,
    private readonly done: (text: string) => void,
  ) {
    this.counting = o.info.flist >= 2;
  }

  /** `kind` is 'building file list' or 'receiving file list'. */
  start(kind: string): void {
    this.write(`${kind} ... `);
  }

  /** To be called for each entry with the number of entries so far. */
  count(files: number): void {
    if (this.counting && files % 100 === 0) this.write(` ${files} files...\r`);
  }

  end(files: number): void {
    if (this.counting) this.done(`${files} file${files === 1 ? ' ' : 's '}to consider\n`);
    else this.done('done\n');
  }
}
