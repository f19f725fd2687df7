import type { ByteString } from '../../protocol/options.js';
import { lastName, parentOf } from '../../protocol/path.js';
import { FileStat } from '../files/stat.js';
import { Errno, errnoName, systemError } from '../libc/errno.js';
import { IN, type Inotify } from '../libc/inotify.js';
import { EntryType, readDirectory } from '../libc/read-directory.js';
import { Change, type WatchOptions } from './changes.js';
import { Directories, type Directory } from './directories.js';
import { isGone, joinPath, type RootPaths } from './paths.js';
import type { Teller } from './teller.js';
import type { Unwatched } from './unwatched.js';

/** Adds to what an existing watch of the same directory asks for. */
const IN_MASK_ADD = 0x20000000;
/** What every directory is watched for, so that the tree of watches stays right. */
const STRUCTURE = IN.CREATE | IN.DELETE | IN.MOVED_FROM | IN.MOVED_TO | IN.ONLYDIR | IN.EXCL_UNLINK | IN_MASK_ADD;
/** Milliseconds of work after which the event loop gets its turn. */
const SLICE_MS = 4;

/** A directory to be listed. */
interface Job {
  dir: Directory;
  /** All that is found is told of. */
  tell: boolean;
  /** Directories that are watched already are visited too: the tree of watches may not match. */
  again: boolean;
}

function watchMask(wanted: Change): number {
  let mask = STRUCTURE;
  if ((wanted & Change.WRITTEN) !== 0) mask |= IN.CLOSE_WRITE;
  if ((wanted & Change.MODIFIED) !== 0) mask |= IN.MODIFY;
  // Without root's rights a change of mode may open a directory that could not be watched.
  if ((wanted & Change.ATTRIBUTES) !== 0 || process.getuid?.() !== 0) mask |= IN.ATTRIB;
  return mask;
}

/**
 * The watches of a tree. A directory is watched first and listed then, so nothing falls in between. The kernel has one
 * watch for a directory whatever its name: each look at a place shows which directory is there now, and when that is
 * not the expected one, events have yet to come, and the tree is put right without waiting for them.
 */
export class WatchedTree {
  readonly directories: Directories;
  readonly #mask: number;
  readonly #jobs: Job[] = [];
  readonly #stat = new FileStat();
  #next: NodeJS.Immediate | null = null;
  #whenDone: (() => void)[] = [];
  /** True once the kernel had no further watch to give. */
  limitMet = false;

  /** Watches the root; throws a system error when that is not possible. */
  constructor(
    private readonly inotify: Inotify,
    private readonly paths: RootPaths,
    private readonly options: WatchOptions,
    private readonly tell: Teller,
    private readonly unwatched: Unwatched,
  ) {
    this.#mask = watchMask(options.wanted);
    const wd = inotify.add(paths.of(''), this.#mask | IN.DELETE_SELF | IN.MOVE_SELF);
    if (wd < 0) throw systemError(-wd, 'inotify_add_watch');
    this.directories = new Directories(wd);
  }

  /** Watches all that is in the tree now, without telling of it. */
  watchAll(): void {
    this.#jobs.push({ dir: this.directories.root, tell: false, again: false });
    this.#work(Infinity);
  }

  /** Compares the watches of a directory and all below it with what is there; `done` is called at the end. */
  revisit(dir: Directory, tell: boolean, done: () => void): void {
    this.#jobs.push({ dir, tell, again: true });
    this.whenDone(done);
  }

  /**
   * Looks which directory is at a place, and watches it. What a new one contains is listed, and told of with `tell`.
   * Returns the directory, or undefined when there is none or it is not watched.
   */
  look(parent: Directory, name: ByteString, tell: boolean): Directory | undefined {
    const found = this.#place(parent, name, tell);
    this.#work(SLICE_MS);
    return found;
  }

  /** The same for a directory that came with all its content: when all of it is watched it is told to be stale. */
  lookInto(parent: Directory, name: ByteString, why: string): void {
    const path = joinPath(this.directories.pathOf(parent), name);
    this.#place(parent, name, false);
    this.whenDone(() => this.tell.stale(path, why));
  }

  /** Calls back when all that was found up to now is watched: what is looked at from then on has its events. */
  whenDone(call: () => void): void {
    this.#whenDone.push(call);
    this.#work(SLICE_MS);
  }

  /** Takes a directory and all below it out of the tree. */
  drop(dir: Directory): void {
    this.directories.drop(dir, (wd) => this.inotify.remove(wd));
  }

  /** Puts a directory to another place, onto what was there. */
  move(dir: Directory, parent: Directory, name: ByteString): void {
    const there = this.directories.child(parent, name);
    if (there !== undefined && there !== dir) this.drop(there);
    if (!this.directories.has(dir)) return;
    if (!this.directories.move(dir, parent, name)) this.drop(dir);
  }

  /** Looks again at a place that could not be watched; true when that is no longer so. */
  retry(path: ByteString): boolean {
    const parent = this.find(parentOf(path));
    if (parent === undefined || path === '') return false;
    const wd = this.inotify.add(this.paths.of(path), this.#mask | IN.DONT_FOLLOW);
    if (wd < 0) return isGone(-wd);
    // The same directory at two places is watched at one of them.
    if (this.directories.byWatch(wd) !== undefined) return false;
    this.lookInto(parent, lastName(path), 'watched from now on');
    return true;
  }

  /** The watched directory at a path. */
  find(path: ByteString): Directory | undefined {
    let dir: Directory | undefined = this.directories.root;
    if (path === '') return dir;
    for (const name of path.split('/')) dir = dir && this.directories.child(dir, name);
    return dir;
  }

  close(): void {
    this.#jobs.length = 0;
    if (this.#next !== null) clearImmediate(this.#next);
  }

  #place(parent: Directory, name: ByteString, tell: boolean): Directory | undefined {
    const path = joinPath(this.directories.pathOf(parent), name);
    const known = this.directories.child(parent, name);
    if (this.options.isExcluded(path)) {
      this.#exclude(known, path);
      return undefined;
    }
    const wd = this.inotify.add(this.paths.of(path), this.#mask | IN.DONT_FOLLOW);
    if (wd < 0) {
      if (known !== undefined) this.#exchange(known, path);
      if (isGone(-wd)) this.unwatched.remove(path);
      else this.#cannotWatch(path, -wd);
      return undefined;
    }
    const owner = this.directories.byWatch(wd);
    if (owner !== undefined && owner === known) return known;
    if (owner !== undefined) return this.#takeFrom(owner, parent, name, path);
    if (known !== undefined) this.#exchange(known, path);
    const dir = this.directories.add(parent, name, wd);
    if (tell) this.tell.changed(path, Change.MADE | Change.DIRECTORY);
    this.#jobs.push({ dir, tell, again: false });
    return dir;
  }

  /** What a directory holds does not count, or no longer: nothing of it is told. */
  #exclude(known: Directory | undefined, path: ByteString): void {
    if (known !== undefined) this.drop(known);
    this.unwatched.removeTree(path);
  }

  /** The directory at a place is no longer the known one, whose events are not heard from now on. */
  #exchange(known: Directory, path: ByteString): void {
    this.drop(known);
    this.tell.stale(path, 'another directory than before');
  }

  #cannotWatch(path: ByteString, errno: number): void {
    if (errno === Errno.ENOSPC) {
      this.limitMet = true;
      this.unwatched.add(path, 'no watch left for it');
      // What cannot be read cannot be sent either; when it becomes readable, that is a change of attributes.
    } else if (errno !== Errno.EACCES) {
      this.unwatched.add(path, `cannot be watched (${errnoName(errno)})`);
    }
  }

  /** A directory that was known at another place is here: moved (the event comes later), or in the tree twice. */
  #takeFrom(owner: Directory, parent: Directory, name: ByteString, path: ByteString): Directory | undefined {
    const { parent: oldParent, name: oldName } = owner;
    const oldPath = this.directories.pathOf(owner);
    const there = oldParent === null ? owner.wd : this.inotify.add(this.paths.of(oldPath), this.#mask | IN.DONT_FOLLOW);
    if (oldParent === null || there === owner.wd) {
      this.unwatched.add(path, `the same directory as ${oldPath === '' ? 'the root' : oldPath}`);
      return undefined;
    }
    this.move(owner, parent, name);
    // What it holds may have been given up at the old place, where it was not found any more.
    if (this.directories.has(owner)) this.#jobs.push({ dir: owner, tell: true, again: true });
    this.#whenDone.push(() => this.tell.moved(oldPath, path, true));
    this.#place(oldParent, oldName, true);
    return this.directories.has(owner) ? owner : undefined;
  }

  #work(budget: number): void {
    if (this.#next !== null && budget !== Infinity) return;
    const end = budget === Infinity ? Infinity : performance.now() + budget;
    for (let job = this.#jobs.pop(); job !== undefined; job = this.#jobs.pop()) {
      if (this.directories.has(job.dir)) this.#list(job);
      if (performance.now() > end) break;
    }
    if (this.#jobs.length > 0) {
      this.#next = setImmediate(() => {
        this.#next = null;
        this.#work(SLICE_MS);
      });
      return;
    }
    const done = this.#whenDone;
    this.#whenDone = [];
    for (const call of done) call();
  }

  #list(job: Job): void {
    const { dir, tell, again } = job;
    const path = this.directories.pathOf(dir);
    const gone = again && dir.children !== null ? new Map(dir.children) : null;
    const errno = readDirectory(this.paths.of(path), (name, type) => {
      if (this.#isDirectory(joinPath(path, name), type)) {
        gone?.delete(name);
        this.#foundDirectory(job, path, name);
      } else if (tell) {
        const what = type === EntryType.FILE ? Change.MADE | Change.WRITTEN : Change.MADE;
        this.tell.changed(joinPath(path, name), what);
      }
    });
    if (gone !== null) for (const name of gone.keys()) this.#place(dir, name, tell);
    if (errno !== 0 && !isGone(errno) && errno !== Errno.EACCES) this.#cannotWatch(path, errno);
  }

  #foundDirectory(job: Job, path: ByteString, name: ByteString): void {
    const known = this.directories.child(job.dir, name);
    const found = this.#place(job.dir, name, job.tell);
    if (job.tell && found === undefined) this.tell.changed(joinPath(path, name), Change.MADE | Change.DIRECTORY);
    if (job.again && found !== undefined && found === known) this.#jobs.push({ ...job, dir: found });
  }

  #isDirectory(path: ByteString, type: number): boolean {
    if (type !== EntryType.UNKNOWN) return type === EntryType.DIRECTORY;
    return this.paths.lstat(path, this.#stat) === 0 && this.#stat.isDir;
  }
}
