import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SHARE_ENV, Worker, type WorkerOptions } from 'node:worker_threads';
import { beginLoad } from './engine-flags.js';
import { koffiBuild } from './koffi.js';
import { rootChanged } from './libc.js';
import { createLoading, endLoading } from './thread-loading.js';

/** What every thread is given. `koffi`: the build that the thread which starts it has loaded, or ''. */
export interface ThreadData<Memory = SharedArrayBuffer> {
  memory: Memory;
  koffi: string;
  /** What the thread needs of koffi is loaded within `loadWhole`. */
  loading: Int32Array;
}

/** Of each thread of this process that has not ended; null: there was none yet. */
let loadings: Set<Int32Array> | null = null;

function endAll(): void {
  for (const loading of loadings ?? []) endLoading(loading);
}

/** Megabytes for new objects: the threads make hardly any. */
const LIMITS = { maxYoungGenerationSizeMb: 2 };

/** The program of a thread: a module beside the one that names it, or a bundle beside the bundle that this is a part of. */
export class ThreadProgram {
  /** Its text, once it was read; null: there is no bundle. */
  private text: string | null = null;

  constructor(
    private readonly base: string,
    private readonly module: string,
    private readonly bundle: string,
  ) {}

  private pathOf(name: string): string {
    return fileURLToPath(new URL(name, this.base));
  }

  /** Reads it, for a process that is going to change its root directory. */
  preload(): void {
    const path = this.pathOf(this.bundle);
    if (existsSync(path)) this.text = readFileSync(path, 'latin1');
  }

  /** Starts it, with `more` beside the memory that it shares; null where it cannot be had. */
  start<Memory>(memory: Memory, more: object = {}): Worker | null {
    const loading = createLoading();
    const loaded = beginLoad();
    const worker = this.create({ ...more, memory, koffi: koffiBuild(), loading });
    if (worker === null) {
      loaded();
      return null;
    }
    worker.on('online', loaded);
    worker.on('exit', loaded);
    if (loadings === null) process.on('exit', endAll);
    loadings ??= new Set();
    loadings.add(loading);
    worker.on('exit', () => loadings?.delete(loading));
    return worker;
  }

  private create<Memory>(workerData: ThreadData<Memory>): Worker | null {
    // What Node was started with is meant for the program, not for this.
    // Nothing is printed there: to connect its output would load what this process prints with, too.
    const options: WorkerOptions = {
      workerData,
      env: SHARE_ENV,
      execArgv: [],
      resourceLimits: LIMITS,
      stdout: true,
      stderr: true,
    };
    if (this.text !== null) return new Worker(this.text, { ...options, eval: true });
    // In another root directory, somebody else may have put something there.
    if (rootChanged()) return null;
    const path = [this.module, this.bundle].map((name) => this.pathOf(name)).find((name) => existsSync(name));
    return path === undefined ? null : new Worker(path, options);
  }
}
