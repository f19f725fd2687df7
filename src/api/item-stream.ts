import type { Connection } from '../transport/connection.js';
import type { Run } from './types.js';

/** Items that may wait for the consumer before the run is held, and the number at which it goes on. */
const HIGH = 256;
const LOW = 64;

interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

/** Brings the items of a run to the loop of a consumer, and holds the run while that cannot follow. */
export class ItemStream<T> implements AsyncIterator<T, undefined> {
  private items: T[] = [];
  /** Those before it have been taken. */
  private taken = 0;
  private waiter: Waiter<T> | null = null;
  private held: Connection | null = null;
  private readonly leaving = new AbortController();
  private ended: Promise<unknown> | null = null;
  private failure: unknown = null;
  private isOver = false;

  /** Aborted when the consumer leaves its loop. */
  get signal(): AbortSignal {
    return this.leaving.signal;
  }

  /** Follows a run to its end. */
  follow(run: Promise<unknown>): void {
    this.ended = run.then(
      () => this.end(null),
      (error: unknown) => this.end(error),
    );
  }

  /** An item of the run over `connection`. */
  push(item: T, connection: Connection): void {
    if (this.isOver) return;
    const { waiter } = this;
    if (waiter !== null) {
      this.waiter = null;
      waiter.resolve({ done: false, value: item });
      return;
    }
    this.items.push(item);
    if (this.held !== null || this.items.length - this.taken < HIGH) return;
    this.held = connection;
    connection.hold();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.taken < this.items.length) {
      const value = this.items[this.taken++];
      // A consumer that is always behind must not keep what it has taken.
      if (this.taken >= HIGH || this.taken === this.items.length) this.forget();
      if (this.items.length - this.taken <= LOW) this.release();
      return Promise.resolve({ done: false, value });
    }
    if (this.failure !== null) {
      const { failure } = this;
      this.failure = null;
      return Promise.reject(failure);
    }
    if (this.isOver) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject };
    });
  }

  /** The loop was left: the run is over, too, when this resolves. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.isOver = true;
    this.failure = null;
    this.taken = this.items.length;
    this.forget();
    this.leaving.abort(new Error('the loop over its items was left'));
    this.release();
    await this.ended;
    this.failure = null;
    return { done: true, value: undefined };
  }

  private forget(): void {
    this.items.splice(0, this.taken);
    this.taken = 0;
  }

  private release(): void {
    const { held } = this;
    this.held = null;
    held?.release();
  }

  private end(failure: unknown): void {
    const { waiter } = this;
    this.isOver = true;
    this.waiter = null;
    if (failure === null) waiter?.resolve({ done: true, value: undefined });
    else if (waiter !== null) waiter.reject(failure);
    else this.failure = failure;
  }
}

/**
 * Starts `work` before the next turn of its caller, with a stream when the caller iterates over the run meanwhile: nothing
 * is made for items that nobody wants to see.
 */
export function startRun<Item, Result>(work: (stream: ItemStream<Item> | null) => Promise<Result>): Run<Item, Result> {
  let stream: ItemStream<Item> | null = null;
  let hasBegun = false;
  const result = Promise.resolve().then(() => {
    hasBegun = true;
    return work(stream);
  });
  return Object.assign(result, {
    [Symbol.asyncIterator]() {
      if (hasBegun || stream !== null)
        throw new TypeError('only a run that has just been started can be iterated over, once');
      stream = new ItemStream();
      stream.follow(result);
      return stream;
    },
  });
}
