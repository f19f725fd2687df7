import type { ByteString } from '../../protocol/options.js';
import { FileStat } from '../files/stat.js';
import { isGone, type RootPaths } from './paths.js';

const TICK_MS = 250;
/** A file that nobody wrote to for so long is told of although it was not closed. */
const QUIET_MS = 1000;
/** The same for one that is written to all the time. */
const PATIENCE_MS = 5000;

/**
 * Regular files that were made and not closed yet. Most are closed after their content was written, and only then there
 * is something to send. Those that stay open, and those that appeared without having been opened (mknod, O_TMPFILE), are
 * told of a moment later. Where a directory is moved, all of its new place is told to be stale.
 */
export class YoungFiles {
  readonly #since = new Map<ByteString, number>();
  /** Entries among them of which it is not known yet what they are. */
  #unknown: ByteString[] = [];
  readonly #stat = new FileStat();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly paths: RootPaths,
    private readonly onOld: (path: ByteString) => void,
  ) {}

  /** Takes an entry that was made when it is a regular file with this one name, or gone again; false otherwise. */
  takes(path: ByteString): boolean {
    const errno = this.paths.lstat(path, this.#stat);
    if (errno !== 0 && !isGone(errno)) return false;
    if (errno === 0 && (!this.#stat.isRegular || this.#stat.nlink !== 1)) return false;
    this.#keep(path);
    return true;
  }

  #keep(path: ByteString): void {
    this.#since.set(path, performance.now());
    this.#timer ??= setTimeout(() => this.#tick(), TICK_MS);
  }

  /** Takes an entry that was made, whatever it is: most are closed, and gone from here, before `settle` looks at them. */
  add(path: ByteString): void {
    this.#keep(path);
    this.#unknown.push(path);
  }

  /** Looks at what was added; `refused` is told of each entry that is none of those kept here. */
  settle(refused: (path: ByteString) => void): void {
    if (this.#unknown.length === 0) return;
    const unknown = this.#unknown;
    this.#unknown = [];
    for (const path of unknown) if (this.#since.delete(path) && !this.takes(path)) refused(path);
  }

  has(path: ByteString): boolean {
    return this.#since.has(path);
  }

  /** True when the file was among them. */
  remove(path: ByteString): boolean {
    return this.#since.delete(path);
  }

  clear(): void {
    this.#since.clear();
    this.#unknown = [];
  }

  close(): void {
    this.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    for (const [path, since] of this.#since) this.#check(path, now - since);
    this.#timer = this.#since.size > 0 ? setTimeout(() => this.#tick(), TICK_MS) : null;
  }

  #check(path: ByteString, age: number): void {
    if (age < TICK_MS) return;
    // What went away, or another file that came by a move, has events of its own.
    const isThere = this.paths.lstat(path, this.#stat) === 0;
    const { mtime, nsec } = this.#stat;
    const quiet = Date.now() - (mtime * 1000 + nsec / 1e6);
    if (isThere && age < PATIENCE_MS && quiet >= 0 && quiet < QUIET_MS) return;
    this.#since.delete(path);
    if (isThere) this.onOld(path);
  }
}
