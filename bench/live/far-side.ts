import { type FSWatcher, readdirSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';

/**
 * Tells when something shows up in a folder, by inotify on each of its directories: nothing has to look again and
 * again, so no processor time is taken from what is measured.
 */
export class FarSide {
  private readonly watchers: FSWatcher[] = [];
  private waiting: { path: string; seen: () => void } | null = null;

  constructor(private readonly dir: string) {
    this.add(dir);
    for (const name of readdirSync(dir, { recursive: true, withFileTypes: true })) {
      if (name.isDirectory()) this.add(join(name.parentPath, name.name));
    }
  }

  private add(dir: string): void {
    this.watchers.push(
      watch(dir, (_event, name) => {
        if (this.waiting !== null && name !== null && join(dir, name) === this.waiting.path) this.waiting.seen();
      }),
    );
  }

  /** Waits until the file at `path` (relative) holds `content`; false when it does not within `ms`. */
  holds(path: string, content: Buffer, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (result: boolean): void => {
        clearTimeout(timer);
        this.waiting = null;
        resolve(result);
      };
      const timer = setTimeout(() => end(false), ms);
      const full = join(this.dir, path);
      const seen = (): void => {
        if (content.equals(readOrEmpty(full))) end(true);
      };
      this.waiting = { path: full, seen };
      seen();
    });
  }

  close(): void {
    for (const watcher of this.watchers) watcher.close();
  }
}

function readOrEmpty(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
