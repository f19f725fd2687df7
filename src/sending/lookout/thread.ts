import { availableParallelism } from 'node:os';
import type { BlockSums } from '../../../protocol/delta/blocks.js';
import { type LookoutOrder, LookoutReport, type SearchAhead } from '../../../protocol/delta/lookout.js';
import { HelperThread } from '../../libc/helper-thread.js';

/** What the thread is told of a file. */
export interface LookoutJob {
  memory: SharedArrayBuffer;
  fd: number;
  order: LookoutOrder;
}

const thread = new HelperThread<LookoutJob>(import.meta.url, './main.js', './lookout-thread.bundle.cjs');

/** For a process that is going to change its root directory. */
export function preloadThread(): void {
  thread.preload();
}

/** New bytes in a row after which the thread is put to work, and bytes that must be left then: its start takes as long as some 30 MiB. */
const WORTH = 8 * 1024 * 1024;
const LEAST_LEFT = 64 * 1024 * 1024;
/** Blocks of a basis beyond which their tables, which the thread has a copy of, would be too large. */
const MOST_BLOCKS = 1 << 20;

/** Looks ahead for a search where a large file has nothing of its basis, with a thread of its own. */
export class LookoutThread implements SearchAhead {
  private fd = -1;
  private size = 0;
  private sums: BlockSums | null = null;
  private report: LookoutReport | null = null;

  /** Null where there is one processor only. */
  static create(): LookoutThread | null {
    return availableParallelism() > 1 ? new LookoutThread() : null;
  }

  /** The thread of this process has nothing to do, or is not there yet. */
  static get isFree(): boolean {
    return !thread.isBusy;
  }

  /** The search of an open file begins. */
  begin(fd: number, size: number, sums: BlockSums): void {
    this.end();
    this.fd = fd;
    this.size = size;
    this.sums = sums.head.count <= MOST_BLOCKS && LookoutReport.suits(size) ? sums : null;
  }

  /** It has ended. The thread may still read from the descriptor, whatever that is by then, and drops what it reads. */
  end(): void {
    this.report?.stop();
    this.report = this.sums = null;
  }

  note(offset: number, run: number): void {
    const isWorth = run >= WORTH;
    if (isWorth && this.report === null && this.size - offset >= LEAST_LEFT) this.start();
    this.report?.setActive(isWorth);
    this.report?.note(offset);
  }

  private start(): void {
    const { fd, size, sums } = this;
    if (thread.isBusy || sums === null) return;
    const { count, remainder, blockLength } = sums.head;
    const rolling = sums.rolling.slice(0, remainder > 0 ? count - 1 : count);
    const report = new LookoutReport();
    const order = { fileLength: size, blockLength, rolling };
    const job = { memory: report.memory, fd, order };
    if (thread.give(job, [rolling.buffer as ArrayBuffer])) this.report = report;
    else this.sums = null;
  }

  clearUpTo(offset: number): number {
    return this.report?.clearUpTo(offset) ?? offset;
  }

  claim(offset: number, to: number): number {
    return this.report?.claim(offset, to) ?? to;
  }
}
