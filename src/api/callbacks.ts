import type { RunOptions } from './types.js';

/** A caller's functions. What one of them throws ends the run: `signal` is aborted, and no other one is called. */
export class Callbacks implements Pick<RunOptions, 'onOutput' | 'onError' | 'onProgress'> {
  readonly onOutput: RunOptions['onOutput'];
  readonly onError: RunOptions['onError'];
  readonly onProgress: RunOptions['onProgress'];
  private readonly failing = new AbortController();

  constructor(run: RunOptions) {
    this.onOutput = this.guarded(run, 'onOutput');
    this.onError = this.guarded(run, 'onError');
    this.onProgress = this.guarded(run, 'onProgress');
  }

  /** Its reason is what was thrown. */
  get signal(): AbortSignal {
    return this.failing.signal;
  }

  private guarded<A>(run: RunOptions, name: 'onOutput' | 'onError' | 'onProgress'): ((value: A) => void) | undefined {
    if (run[name] === undefined) return undefined;
    return (value) => {
      if (this.signal.aborted) return;
      try {
        (run[name] as (value: A) => void)(value);
      } catch (error) {
        this.failing.abort(error);
      }
    };
  }
}
