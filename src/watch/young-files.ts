import type { ByteString } from '../../protocol/options.js';
import { FileStat } from '../files/stat.js';
import type { Directories, Directory } from './directories.js';
import { joinPath, type RootPaths } from './paths.js';

const TICK_MS = 250;
/** A file that nobody wrote to for so long is told of although it was not closed. */
const QUIET_MS = 1000;
/** The same for one that is written to all the time. */
const PATIENCE_MS = 5000;

/**
 * Regular files that were made and not closed yet. Most are closed after their content was written, and only then there
 * is something to send. Those that stay open, and those that appeared without having been opened (mknod, O_TMPFILE), are
 * told of a moment later.
 */
export class YoungFiles {
  readonly #files = new Map<Directory, Map<ByteString, number>>();
  readonly #stat = new FileStat();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly paths: RootPaths,
    private readonly directories: Directories,
    private readonly onOld: (path: ByteString) => void,
  ) {}

  add(dir: Directory, name: ByteString): void {
    let names = this.#files.get(dir);
    if (names === undefined) {
      names = new Map();
      this.#files.set(dir, names);
    }
    names.set(name, performance.now());
    this.#timer ??= setTimeout(() => this.#tick(), TICK_MS);
  }

  remove(dir: Directory, name: ByteString): void {
    const names = this.#files.get(dir);
    if (names?.delete(name) && names.size === 0) this.#files.delete(dir);
  }

  clear(): void {
    this.#files.clear();
  }

  close(): void {
    this.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    for (const [dir, names] of this.#files) {
      if (!this.directories.has(dir)) this.#files.delete(dir);
      else for (const [name, since] of names) this.#check(dir, name, now - since);
    }
    this.#timer = this.#files.size > 0 ? setTimeout(() => this.#tick(), TICK_MS) : null;
  }

  #check(dir: Directory, name: ByteString, age: number): void {
    if (age < TICK_MS) return;
    const path = joinPath(this.directories.pathOf(dir), name);
    // What went away, or another file that came by a move, has events of its own.
    const isThere = this.paths.lstat(path, this.#stat) === 0;
    const { mtime, nsec } = this.#stat;
    const quiet = Date.now() - (mtime * 1000 + nsec / 1e6);
    if (isThere && age < PATIENCE_MS && quiet >= 0 && quiet < QUIET_MS) return;
    this.remove(dir, name);
    if (isThere) this.onOld(path);
  }
}
