import type { ByteString } from '../../protocol/options.js';
import { backOffDelay, patient } from './back-off.js';
import type { BackOff } from './types.js';

/** Files that are followed one by one; with more of them, everything is compared again later. */
const MOST_FILES = 10_000;

interface FailingFile {
  source: number;
  path: ByteString;
  /** What is to be marked again: bits of Change, TREE and LEVEL. */
  what: number;
  error: string;
  attempts: number;
  /** Milliseconds since 1970 of the next attempt. */
  next: number;
}

/** Files of one target that cannot be sent by themselves while others go on: each is tried again, ever more seldom. */
export class FailingFiles {
  private readonly files = new Map<string, FailingFile>();
  private timer: NodeJS.Timeout | null = null;

  /** `retry` is told of each file whose time has come; `overflow` when there are too many. */
  constructor(
    private readonly backOff: BackOff,
    private readonly retry: (source: number, path: ByteString, what: number) => void,
  ) {}

  /** Notes a failure. Returns true when it is a new one, which a user wants to hear of. */
  add(source: number, path: ByteString, what: number, error: string, now: number): boolean {
    const key = `${source}/${path}`;
    const known = this.files.get(key);
    const attempts = (known?.attempts ?? 0) + 1;
    if (known === undefined && this.files.size >= MOST_FILES) return false;
    const next = now + backOffDelay(patient(this.backOff), attempts);
    this.files.set(key, { source, path, what: what | (known?.what ?? 0), error, attempts, next });
    this.schedule(now);
    return known === undefined || known.error !== error;
  }

  /** A session that had the file in it went well. Returns true when the file had been failing. */
  clear(source: number, path: ByteString): boolean {
    return this.files.size > 0 && this.files.delete(`${source}/${path}`);
  }

  clearAll(): void {
    this.files.clear();
  }

  list(): { path: string; error: string; attempts: number }[] {
    return [...this.files.values()].map(({ path, error, attempts }) => ({
      path: Buffer.from(path, 'latin1').toString('utf8'),
      error,
      attempts,
    }));
  }

  get size(): number {
    return this.files.size;
  }

  private schedule(now: number): void {
    this.close();
    let next = Number.POSITIVE_INFINITY;
    for (const file of this.files.values()) next = Math.min(next, file.next);
    if (next === Number.POSITIVE_INFINITY) return;
    this.timer = setTimeout(() => this.wake(Date.now()), Math.max(10, next - now));
    this.timer.unref();
  }

  private wake(now: number): void {
    this.timer = null;
    for (const file of this.files.values()) {
      if (file.next > now) continue;
      // Its session says how it went; until then it is not tried again.
      file.next = Number.POSITIVE_INFINITY;
      this.retry(file.source, file.path, file.what);
    }
    this.schedule(now);
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
