/**
 * koffi, when its thread is ended in the middle of loading it, aborts the whole process. So a process that ends lets a thread finish
 * that loads, and one that has not begun does not begin any more.
 */
const Step = { AHEAD: 0, LOADS: 1, LOADED: 2, NEVER: 3 } as const;

/** Milliseconds that a thread has to finish when the process ends. */
const LAST_MS = 2000;

/** How far a thread is, for both sides. */
export function createLoading(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** For the thread: what `load` returns; ends the thread where the process is ending. */
export function loadWhole<T>(loading: Int32Array, load: () => T): T {
  if (Atomics.compareExchange(loading, 0, Step.AHEAD, Step.LOADS) !== Step.AHEAD) process.exit();
  try {
    return load();
  } finally {
    Atomics.store(loading, 0, Step.LOADED);
    Atomics.notify(loading, 0);
  }
}

/** For the process, which is ending: afterwards the thread loads nothing. */
export function endLoading(loading: Int32Array): void {
  if (Atomics.compareExchange(loading, 0, Step.AHEAD, Step.NEVER) === Step.LOADS) {
    Atomics.wait(loading, 0, Step.LOADS, LAST_MS);
  }
}
