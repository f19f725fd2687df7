import type { Worker } from 'node:worker_threads';
import type { WorkKernel } from '../../../protocol/kernel/work-kernel.js';
import { ThreadProgram } from '../../libc/thread-program.js';
import { createWorkKernel } from './calls.js';
import { JobSource } from './queue.js';

const program = new ThreadProgram(import.meta.url, './thread-main.js', './file-thread.bundle.cjs');

/** Threads are kept for a later run. */
let keepsThreads = false;
let idle: FileThread | null = null;

/**
 * For a process that is going to change its root directory, and to serve many runs: reads the program of the thread, and
 * keeps a thread that was started for later.
 */
export function preloadThread(): void {
  program.preload();
  keepsThreads = true;
}

/** Milliseconds that the file which the thread works on has when the process ends. */
const LAST_MS = 1000;

const SIDE = 0;

/** Threads of this process; null: there was none yet. */
let running: Set<FileThread> | null = null;

/** The process ends: no unfinished file is left behind. */
function endAll(): void {
  for (const { jobs } of running ?? []) {
    jobs.stop();
    jobs.waitForAll(LAST_MS);
  }
}

/**
 * A thread that does file work, and a kernel of the caller's that does the same. Starting the thread takes this one a few
 * milliseconds, and the processor some 30; until it `isReady`, and when it cannot be had, the caller does the work itself.
 */
export class FileThread {
  readonly jobs = new JobSource();
  /** Does a job with the thread of the caller. */
  readonly kernel: WorkKernel | null = createWorkKernel(this.jobs.memory, SIDE);
  isReady = false;
  /** null before the start, and where the thread cannot be had. */
  private worker: Worker | null = null;
  private isOver = false;

  /** `tell` is called, after `jobs.ask`, when work was done; and with an error when the thread has ended by itself. */
  constructor(private tell: (error: Error | null) => void) {}

  /** To be called once. */
  start(): void {
    this.worker = this.kernel && program.start(this.jobs.memory);
    if (this.worker === null) {
      this.isOver = true;
      return;
    }
    this.worker.on('message', (text) => this.hear(text));
    this.worker.on('error', (error) => this.ended(error));
    this.worker.on('exit', () => this.ended(new Error('the thread for file work has ended')));
    if (running === null) process.on('exit', endAll);
    running ??= new Set();
    running.add(this);
  }

  private hear(text: unknown): void {
    if (this.isOver) return;
    if (text === 'ready') this.isReady = true;
    else if (text === 'done') this.tell(null);
  }

  private ended(error: Error): void {
    if (this.isOver) return;
    this.leave();
    if (this.jobs.underWay > 0) this.tell(error);
  }

  private leave(): void {
    if (idle === this) idle = null;
    this.isOver = true;
    this.isReady = false;
    running?.delete(this);
  }

  /** A thread that an earlier run has left, or null. */
  static waiting(tell: (error: Error | null) => void): FileThread | null {
    const thread = idle;
    if (thread === null || !thread.isReady) return null;
    idle = null;
    thread.tell = tell;
    thread.worker?.ref();
    return thread;
  }

  /** The run is over, and has left its directory. `isGood`: all that it has given was done. */
  release(isGood: boolean): void {
    if (!isGood || !keepsThreads || this.worker === null || this.isOver || idle !== null) {
      this.stop();
      return;
    }
    idle = this;
    this.tell = () => {};
    this.worker?.unref();
  }

  /** Ends the thread when it is done with the file that it works on; what waits is dropped. */
  stop(): void {
    if (this.isOver) return;
    this.leave();
    this.jobs.stop();
    this.worker?.unref();
  }
}
