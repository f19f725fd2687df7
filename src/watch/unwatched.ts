import type { ByteString } from '../../protocol/options.js';
import type { Teller } from './teller.js';

/** More places than this are not looked after one by one, but everything at once, */
const MOST = 16384;
/** and more seldom: it would go on all the time. */
const EVERYTHING_PAUSES = 6;

/** Places that cannot be watched: each is told to be stale again and again. */
export class Unwatched {
  readonly #places = new Map<ByteString, string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly tell: Teller,
    private readonly pollMs: number,
    /** Tries again to watch a place; true when it can be watched now. */
    private readonly retry: (path: ByteString) => boolean,
  ) {}

  get size(): number {
    return this.#places.size;
  }

  /** Milliseconds from one round to the next. */
  get everyMs(): number {
    return this.#places.has('') ? this.pollMs * EVERYTHING_PAUSES : this.pollMs;
  }

  add(path: ByteString, why: string): void {
    if (this.#places.has('')) return;
    if (this.#places.size >= MOST) {
      this.#places.clear();
      this.#places.set('', why);
    } else {
      this.#places.set(path, why);
    }
    this.#timer ??= setTimeout(() => this.#round(), this.everyMs);
  }

  remove(path: ByteString): void {
    this.#places.delete(path);
  }

  /** Removes a place and all below it. */
  removeTree(path: ByteString): void {
    for (const place of this.#places.keys()) {
      if (place === path || place.startsWith(`${path}/`)) this.#places.delete(place);
    }
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #round(): void {
    for (const [path, why] of [...this.#places]) {
      if (this.retry(path)) this.#places.delete(path);
      this.tell.stale(path, why);
    }
    this.#timer = this.#places.size > 0 && !this.tell.closed ? setTimeout(() => this.#round(), this.everyMs) : null;
  }
}
