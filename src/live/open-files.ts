import type { ByteString } from '../../protocol/options.js';

/** A file is sent when nobody has written to it for so long, */
const QUIET_MS = 1000;
/** and after so long although somebody goes on. */
const MOST_MS = 2000;
const TICK_MS = 250;

interface OpenFile {
  first: number;
  last: number;
}

/**
 * Files that are written to and stay open, such as logs: each write would be worth a session, so they wait for a lull,
 * though not for long. A file that is closed or goes away leaves by `forget`.
 */
export class OpenFiles {
  private readonly files = new Map<ByteString, OpenFile>();
  private timer: NodeJS.Timeout | null = null;

  /** `due` is told of each file whose time has come, with the time of its first write. */
  constructor(private readonly due: (path: ByteString, since: number) => void) {}

  written(path: ByteString, now: number): void {
    const file = this.files.get(path);
    if (file !== undefined) file.last = now;
    else this.files.set(path, { first: now, last: now });
    this.timer ??= setInterval(() => this.tick(Date.now()), TICK_MS);
  }

  forget(path: ByteString): void {
    if (this.files.size > 0) this.files.delete(path);
  }

  /** Number of files that wait. */
  get size(): number {
    return this.files.size;
  }

  /** Lets go of all that wait, whatever the time. */
  flush(): void {
    this.tick(Number.POSITIVE_INFINITY);
  }

  private tick(now: number): void {
    for (const [path, { first, last }] of this.files) {
      if (now - last < QUIET_MS && now - first < MOST_MS) continue;
      this.files.delete(path);
      this.due(path, first);
    }
    if (this.files.size === 0) this.close();
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}
