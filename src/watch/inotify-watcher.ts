import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { IN, Inotify } from '../libc/inotify.js';
import { Change, type ChangeSink, type TreeWatcher, type WatchOptions } from './changes.js';
import type { Directory } from './directories.js';
import { countDirectories, instanceLimitText, watchLimitText } from './limits.js';
import { joinPath, RootPaths } from './paths.js';
import { type Departure, PendingMoves } from './pending-moves.js';
import { RootIdentity } from './root-identity.js';
import { Teller } from './teller.js';
import { Unwatched } from './unwatched.js';
import { WatchedTree } from './watched-tree.js';
import { YoungFiles } from './young-files.js';

/** Milliseconds from one overflow to putting the watches right; doubled when the next follows soon. */
const FIRST_REPAIR_MS = 20;
const MOST_REPAIR_MS = 5000;

/** Watches a tree with inotify: a watch on every directory. */
export class InotifyWatcher implements TreeWatcher {
  readonly via = 'inotify';
  events = 0;
  overflows = 0;
  readonly #tell: Teller;
  readonly #paths: RootPaths;
  readonly #identity: RootIdentity;
  readonly #inotify: Inotify;
  readonly #unwatched: Unwatched;
  readonly #tree: WatchedTree;
  readonly #moves: PendingMoves;
  readonly #young: YoungFiles;
  #repair: NodeJS.Timeout | null = null;
  #repairMs = FIRST_REPAIR_MS;
  #repairedAt = 0;
  #repairing = false;
  /** Events were lost while the watches were put right. */
  #lostAgain = false;

  /** All watches are set when this returns. Throws a system error when the root cannot be watched. */
  constructor(
    private readonly options: WatchOptions,
    sink: ChangeSink,
  ) {
    this.#tell = new Teller(sink, options.wanted);
    this.#paths = new RootPaths(options.root);
    this.#identity = new RootIdentity(options.root);
    const settle = () => this.#young.settle((path) => this.#tell.changed(path, Change.MADE));
    this.#inotify = openInotify(options, (wd, mask, cookie, name) => this.#event(wd, mask, cookie, name), settle);
    this.#unwatched = new Unwatched(this.#tell, options.pollMs, (path) => this.#tree.retry(path));
    try {
      this.#tree = new WatchedTree(this.#inotify, this.#paths, options, this.#tell, this.#unwatched);
    } catch (error) {
      this.#inotify.close();
      throw error;
    }
    this.#moves = new PendingMoves((departure) => this.#left(departure));
    this.#young = new YoungFiles(this.#paths, (path) => this.#tell.changed(path, Change.MADE));
    this.#tree.watchAll();
  }

  get watches(): number {
    return this.#tree.directories.count;
  }

  /** Milliseconds from one look at the places that are not watched to the next. */
  get lookMs(): number {
    return this.#unwatched.everyMs;
  }

  /** True once the kernel had no further watch to give. */
  get limitMet(): boolean {
    return this.#tree.limitMet;
  }

  /** Has a directory, whose events are not all that happens, told to be stale every `pollMs`. */
  alsoLookAt(path: ByteString, why: string): void {
    this.#unwatched.add(path, why);
  }

  rootIsSame(): boolean {
    return this.#identity.isSame();
  }

  review(path: ByteString, done: () => void): void {
    const dir = this.#tree.find(path);
    if (dir === undefined) this.#tree.whenDone(done);
    else this.#tree.revisit(dir, false, done);
  }

  close(): void {
    this.#tell.closed = true;
    for (const part of [this.#inotify, this.#unwatched, this.#tree, this.#moves, this.#young]) part.close();
    if (this.#repair !== null) clearTimeout(this.#repair);
  }

  #event(wd: number, mask: number, cookie: number, name: ByteString): void {
    this.events++;
    if ((mask & IN.Q_OVERFLOW) !== 0) this.#overflow();
    const dir = this.#tree.directories.byWatch(wd);
    if (dir === undefined) return;
    if ((mask & (IN.IGNORED | IN.UNMOUNT)) !== 0) this.#ended(dir, (mask & IN.UNMOUNT) !== 0);
    else if (name === '') this.#selfEvent(dir, mask);
    else if ((mask & IN.ISDIR) !== 0) this.#directoryEvent(dir, name, mask, cookie);
    else this.#fileEvent(dir, name, mask, cookie);
  }

  #pathOf(dir: Directory, name: ByteString): ByteString {
    return joinPath(this.#tree.directories.pathOf(dir), name);
  }

  #fileEvent(dir: Directory, name: ByteString, mask: number, cookie: number): void {
    const path = this.#pathOf(dir, name);
    if ((mask & IN.CLOSE_WRITE) !== 0) {
      const isNew = this.#young.remove(path);
      this.#tell.changed(path, isNew ? Change.WRITTEN | Change.MADE : Change.WRITTEN);
    } else if ((mask & IN.CREATE) !== 0) {
      // Links and special files are whole from the start; a regular file is told of when it is closed.
      if ((this.options.wanted & Change.MADE) !== 0) this.#young.add(path);
    } else if ((mask & IN.DELETE) !== 0) {
      this.#young.remove(path);
      this.#tell.changed(path, Change.REMOVED);
    } else if ((mask & IN.MOVED_FROM) !== 0) {
      this.#young.remove(path);
      this.#moves.add(cookie, dir, name, path, false);
    } else if ((mask & IN.MOVED_TO) !== 0) {
      const from = this.#takeDeparture(cookie);
      if (from === undefined) this.#tell.changed(path, Change.MADE | Change.WRITTEN);
      else this.#tell.moved(this.#pathOf(from.dir, from.name), path, false);
    } else if ((mask & IN.ATTRIB) === 0) {
      this.#tell.changed(path, Change.MODIFIED);
    } else if (!this.#young.has(path)) {
      // Of a young one all is told at once.
      this.#tell.changed(path, Change.ATTRIBUTES);
    }
  }

  #directoryEvent(dir: Directory, name: ByteString, mask: number, cookie: number): void {
    const path = this.#pathOf(dir, name);
    if ((mask & IN.CREATE) !== 0) {
      const found = this.#tree.look(dir, name, true);
      if (found === undefined) this.#tell.changed(path, Change.MADE | Change.DIRECTORY);
    } else if ((mask & IN.DELETE) !== 0) {
      // The end of its watch is an event of its own.
      this.#tell.changed(path, Change.REMOVED | Change.DIRECTORY);
    } else if ((mask & IN.MOVED_FROM) !== 0) {
      this.#moves.add(cookie, dir, name, path, true);
    } else if ((mask & IN.MOVED_TO) !== 0) {
      this.#directoryCame(dir, name, path, this.#takeDeparture(cookie));
    } else {
      this.#tell.changed(path, Change.ATTRIBUTES | Change.DIRECTORY);
      if (this.#tree.directories.child(dir, name) === undefined) this.#tree.look(dir, name, true);
    }
  }

  #directoryCame(dir: Directory, name: ByteString, path: ByteString, from: Departure | undefined): void {
    const moved = from && this.#tree.directories.child(from.dir, from.name);
    if (from === undefined || moved === undefined || this.options.isExcluded(path)) {
      if (from !== undefined) this.#left(from);
      this.#tell.changed(path, Change.MADE | Change.DIRECTORY);
      this.#tree.lookInto(dir, name, 'moved in');
      return;
    }
    const fromPath = this.#pathOf(from.dir, from.name);
    const done = () => this.#tell.moved(fromPath, path, true);
    this.#tree.move(moved, dir, name);
    if (this.#tree.look(dir, name, false) === moved) {
      // What was excluded at the old place may not be at the new one, and the other way round.
      this.#tree.revisit(moved, true, done);
      return;
    }
    // Other moves followed; their events come later.
    if (this.#tree.directories.has(from.dir)) this.#tree.look(from.dir, from.name, true);
    this.#tree.whenDone(done);
  }

  /** The first half of a move; when its directory is gone by now, there is no place that it came from. */
  #takeDeparture(cookie: number): Departure | undefined {
    const departure = this.#moves.take(cookie);
    if (departure === undefined || this.#tree.directories.has(departure.dir)) return departure;
    this.#left(departure);
    return undefined;
  }

  /** An entry left its place and did not come to another one in the tree. */
  #left({ dir, name, path, isDir }: Departure): void {
    const isThere = this.#tree.directories.has(dir);
    const from = isThere ? this.#pathOf(dir, name) : path;
    this.#tell.changed(from, Change.REMOVED | (isDir ? Change.DIRECTORY : 0));
    if (!isDir) return;
    // Its content is not told of one by one, and there may be something else under its name by now.
    if (isThere) this.#tree.lookInto(dir, name, 'moved out');
    else this.#tell.stale(from, 'moved out');
  }

  #selfEvent(dir: Directory, mask: number): void {
    if ((mask & IN.ATTRIB) !== 0) {
      this.#tell.changed(this.#tree.directories.pathOf(dir), Change.ATTRIBUTES | Change.DIRECTORY);
    } else if ((mask & IN.MOVE_SELF) !== 0 && dir === this.#tree.directories.root && !this.rootIsSame()) {
      this.options.report('error', `${this.options.root} was moved away`);
      this.#tell.stale('', 'the root was moved away');
    }
  }

  /** A watch ended: its directory was removed, or its file system is no longer mounted. */
  #ended(dir: Directory, unmounted: boolean): void {
    const { parent, name } = dir;
    if (parent === null) {
      this.#identity.lose();
      this.options.report('error', `${this.options.root} was ${unmounted ? 'unmounted' : 'removed'}`);
      this.#tell.stale('', 'the root is gone');
      this.#tree.drop(dir);
      return;
    }
    this.#tree.drop(dir);
    if (!unmounted || !this.#tree.directories.has(parent)) return;
    this.#tree.lookInto(parent, name, 'unmounted');
  }

  /**
   * Events were lost: any directory may have been made, moved or removed. The watches are put right first, and all is
   * told to be stale then, so that whatever happens after a comparison started has its event.
   */
  #overflow(): void {
    this.overflows++;
    this.#lostAgain = this.#repairing;
    if (this.#repair !== null || this.#repairing) return;
    this.#planRepair();
  }

  #planRepair(): void {
    const soon = performance.now() - this.#repairedAt < 2 * this.#repairMs;
    this.#repairMs = soon ? Math.min(this.#repairMs * 2, MOST_REPAIR_MS) : FIRST_REPAIR_MS;
    this.#repair = setTimeout(() => {
      this.#repair = null;
      this.#repairing = true;
      this.#lostAgain = false;
      this.#moves.clear();
      this.#young.clear();
      this.#tree.revisit(this.#tree.directories.root, false, () => this.#repaired());
    }, this.#repairMs);
  }

  #repaired(): void {
    this.#repairing = false;
    this.#repairedAt = performance.now();
    this.#tell.stale('', 'the queue of events was full');
    if (this.#lostAgain) this.#planRepair();
  }
}

function openInotify(options: WatchOptions, ...handlers: ConstructorParameters<typeof Inotify>): Inotify {
  try {
    return new Inotify(...handlers);
  } catch (error) {
    if (errnoOf(error) === Errno.EMFILE) options.report('error', instanceLimitText());
    throw error;
  }
}

/** Says how many directories there are and what to do when they cannot all be watched. */
export function reportWatchLimit(options: WatchOptions, instead: string): void {
  const directories = countDirectories(new RootPaths(options.root), options.isExcluded);
  options.report('warning', `${watchLimitText(options.root, directories)}; ${instead}`);
}
