import type { WorkKernel, WorkMemory } from '../../../protocol/kernel/work-kernel.js';
import { createWorkKernel } from './calls.js';
import { JobSink } from './queue.js';

/** Jobs after which a side that has asked is told, although there is more to do. */
const TELL_EVERY = 96;
const SIDE = 1;

/** Does the work of a queue: makes small files whole under temporary names and gives them their real ones. */
export class FileWorker {
  private readonly sink: JobSink;

  /** null where the C library cannot be reached. */
  static create(memory: WorkMemory, tell: () => void): FileWorker | null {
    const kernel = createWorkKernel(memory, SIDE);
    return kernel === null ? null : new FileWorker(kernel, memory, tell);
  }

  private constructor(
    private readonly kernel: WorkKernel,
    memory: WorkMemory,
    private readonly tell: () => void,
  ) {
    this.sink = new JobSink(memory);
  }

  /** Works until it is told to stop. */
  run(): void {
    const { kernel, sink } = this;
    const rest = (): void => this.report();
    do {
      while (kernel.wasm.work(TELL_EVERY) > 0) {
        sink.noteDone();
        this.report();
      }
    } while (sink.wait(rest));
  }

  private report(): void {
    if (this.sink.isAsked()) this.tell();
  }
}
