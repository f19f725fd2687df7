import type { ByteString } from '../../protocol/options.js';
import type { Directory } from './directories.js';

/** The first half of a move: what left its place. */
export interface Departure {
  dir: Directory;
  name: ByteString;
  /** Where it was then. */
  path: ByteString;
  isDir: boolean;
  since: number;
}

/** Milliseconds that the second half may take. The kernel queues both in one go, but a reading may end in between. */
const WAIT_MS = 5;

/** Moves whose second half did not come yet, by the number that both halves share. */
export class PendingMoves {
  readonly #departures = new Map<number, Departure>();
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;

  /** `onLeft` is told what moved out of the tree. */
  constructor(private readonly onLeft: (departure: Departure) => void) {}

  add(cookie: number, dir: Directory, name: ByteString, path: ByteString, isDir: boolean): void {
    this.#departures.set(cookie, { dir, name, path, isDir, since: performance.now() });
    this.#timer ??= setTimeout(() => this.#expire(), WAIT_MS);
  }

  take(cookie: number): Departure | undefined {
    const departure = this.#departures.get(cookie);
    if (departure !== undefined) this.#departures.delete(cookie);
    return departure;
  }

  clear(): void {
    this.#departures.clear();
  }

  close(): void {
    this.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
  }

  /** Timers come before descriptors in a round of the event loop: the second half may be waiting to be read. */
  #expire(): void {
    const limit = performance.now() - WAIT_MS + 1;
    this.#immediate = setImmediate(() => {
      this.#immediate = null;
      for (const [cookie, departure] of this.#departures) {
        if (departure.since > limit) continue;
        this.#departures.delete(cookie);
        this.onLeft(departure);
      }
      this.#timer = this.#departures.size > 0 ? setTimeout(() => this.#expire(), WAIT_MS) : null;
    });
  }
}
