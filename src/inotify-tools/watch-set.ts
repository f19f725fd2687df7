import { lstatSync, statSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf, systemError } from '../libc/errno.js';
import { IN, type Inotify } from '../libc/inotify.js';
import { EntryType, readDirectory } from '../libc/read-directory.js';
import type { ShownEvent } from './format.js';

/** A watched file or directory as it is shown: directories end with '/'. */
export interface Watched {
  path: ByteString;
  /** Names of which it was told before the kernel could, with the time until which its event may still come. */
  told: Map<ByteString, number> | null;
}

/** Directories with these errors are left out: they may not be read, or went away. */
const SKIPPED = new Set<number>([Errno.EACCES, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP]);
/** Milliseconds in which the kernel's event of something that was found by listing comes. */
const LATE_MS = 5000;

export interface WatchSetOptions {
  /** Bits of inotify(7) that are asked of the kernel. */
  mask: number;
  recursive: boolean;
  noFollow: boolean;
  /** Directories that are not watched, with '/' at the end. */
  excluded: ReadonlySet<ByteString>;
}

/** What is watched, by the kernel's number. */
export class WatchSet {
  readonly watched = new Map<number, Watched>();

  constructor(
    private readonly inotify: Inotify,
    private readonly options: WatchSetOptions,
    /** Is told of what a new directory has in it already. */
    private readonly onFound: (event: ShownEvent) => void,
  ) {}

  /** Watches what the user named, and with `recursive` all directories below. Throws a system error. */
  addRoot(name: ByteString): void {
    const isDir = isDirectory(name, this.options.noFollow);
    const path = isDir && !name.endsWith('/') ? `${name}/` : name;
    const descend = isDir && this.options.recursive;
    const watched = this.#add(path, descend ? this.#quietMask() : this.options.mask);
    if (descend) this.#descend(watched, false);
  }

  /** Watches a directory that appeared, and what is below it; with `tell` its content is told of. */
  addDirectory(path: ByteString, tell: boolean): void {
    if (this.options.excluded.has(path)) return;
    const watched = this.#tryAdd(path);
    if (watched !== null) this.#descend(watched, tell);
  }

  /** A directory has another name now: all below it too. */
  rename(from: ByteString, to: ByteString): void {
    for (const watched of this.watched.values()) {
      if (watched.path.startsWith(from)) watched.path = to + watched.path.slice(from.length);
    }
  }

  /** A directory left the tree. */
  forget(path: ByteString): void {
    for (const [wd, watched] of this.watched) {
      if (!watched.path.startsWith(path)) continue;
      this.inotify.remove(wd);
      this.watched.delete(wd);
    }
  }

  /** True when an entry was told of already, before its event came; only once. */
  wasTold(watched: Watched, name: ByteString): boolean {
    const until = watched.told?.get(name);
    watched.told?.delete(name);
    return until !== undefined && performance.now() < until;
  }

  /** Adds one watch, or finds it when the kernel has it already. */
  #add(path: ByteString, bits: number): Watched {
    const mask = bits | (this.options.noFollow ? IN.DONT_FOLLOW : 0);
    const wd = this.inotify.add(Buffer.from(`${path}\0`, 'latin1'), mask);
    if (wd < 0) throw systemError(-wd, 'inotify_add_watch');
    const known = this.watched.get(wd);
    if (known !== undefined) {
      known.path = path;
      return known;
    }
    const watched: Watched = { path, told: null };
    this.watched.set(wd, watched);
    return watched;
  }

  /** Without what comes of our own listing. Some bit has to be there. */
  #quietMask(): number {
    return (this.options.mask & ~(IN.OPEN | IN.ACCESS | IN.CLOSE_NOWRITE)) | IN.ONLYDIR;
  }

  /** Watches the directories below one that is watched, each before it is listed; for all events at the end. */
  #descend(top: Watched, tell: boolean): void {
    const left = [top];
    const all: Watched[] = [];
    for (let dir = left.pop(); dir !== undefined; dir = left.pop()) {
      for (const [name, type] of this.#list(dir.path)) {
        const path = `${dir.path}${name}/`;
        const watch = type === EntryType.DIRECTORY && !this.options.excluded.has(path);
        const watched = watch ? this.#tryAdd(path) : null;
        if (watched !== null) left.push(watched);
        if (tell) this.#tell(dir, name, type);
      }
      all.push(dir);
    }
    for (const dir of all) this.#tryAdd(dir.path, this.options.mask);
  }

  #list(dir: ByteString): [ByteString, number][] {
    const found: [ByteString, number][] = [];
    const errno = readDirectory(Buffer.from(`${dir}\0`, 'latin1'), (name, type) => found.push([name, type]));
    if (errno !== 0 && !SKIPPED.has(errno)) throw systemError(errno, 'opendir');
    return found;
  }

  #tryAdd(path: ByteString, bits = this.#quietMask() | IN.DONT_FOLLOW): Watched | null {
    try {
      return this.#add(path, bits);
    } catch (error) {
      if (SKIPPED.has(errnoOf(error))) return null;
      throw error;
    }
  }

  #tell(dir: Watched, name: ByteString, type: number): void {
    dir.told ??= new Map();
    dir.told.set(name, performance.now() + LATE_MS);
    const isDir = type === EntryType.DIRECTORY;
    const event = { watched: dir.path, name, cookie: 0 };
    this.onFound({ ...event, mask: IN.CREATE | (isDir ? IN.ISDIR : 0) });
    if (type === EntryType.FILE) this.onFound({ ...event, mask: IN.CLOSE_WRITE });
  }
}

function isDirectory(name: ByteString, noFollow: boolean): boolean {
  const path = Buffer.from(name, 'latin1');
  const st = (noFollow ? lstatSync : statSync)(path, { throwIfNoEntry: false });
  return st?.isDirectory() ?? false;
}
