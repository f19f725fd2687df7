import type { Worker } from 'node:worker_threads';
import { ThreadProgram } from './thread-program.js';

/**
 * A thread of this process that takes work off others, one job at a time: it sends any message when it is done with one. Nobody
 * waits for it: where it cannot be had, or ends, the work just takes longer. It does not keep the process running.
 */
export class HelperThread<Job> {
  private readonly program: ThreadProgram;
  private worker: Worker | null = null;
  isBusy = false;

  /** As for `ThreadProgram`. */
  constructor(base: string, module: string, bundle: string) {
    this.program = new ThreadProgram(base, module, bundle);
  }

  /** For a process that is going to change its root directory. */
  preload(): void {
    this.program.preload();
  }

  /** Gives it a job, with memory that goes over to it; false when it cannot be had. To be called while it is not busy. */
  give(job: Job, moved: ArrayBuffer[] = []): boolean {
    this.worker ??= this.start();
    if (this.worker === null) return false;
    this.isBusy = true;
    this.worker.postMessage(job, moved);
    return true;
  }

  private start(): Worker | null {
    const started = this.program.start(null);
    if (started === null) return null;
    const leave = (): void => {
      this.worker = null;
      this.isBusy = false;
    };
    started.on('message', () => {
      this.isBusy = false;
    });
    started.on('error', leave);
    started.on('exit', leave);
    started.unref();
    return started;
  }
}
