import type { ByteString } from '../../protocol/options.js';
import { FAN, type FanEntry, Fanotify } from '../libc/fanotify.js';
import { Change, type ChangeSink, type TreeWatcher, type WatchOptions } from './changes.js';
import { joinPath, RootPaths } from './paths.js';
import { RootIdentity } from './root-identity.js';
import { Teller } from './teller.js';
import { YoungFiles } from './young-files.js';

/** Directories whose paths are kept; all are forgotten when there are more. */
const MOST_KNOWN = 500_000;
/** Milliseconds between an overflow and telling of it: they come in rows. */
const OVERFLOW_MS = 50;

/**
 * Watches a tree with one mark on its file system: no directory has a watch of its own, so there is nothing to set up and
 * no limit. Events of the whole file system come, with the directory as a handle; those below the root are told.
 */
export class FanotifyWatcher implements TreeWatcher {
  readonly via = 'fanotify';
  events = 0;
  overflows = 0;
  readonly #tell: Teller;
  readonly #identity: RootIdentity;
  readonly #fanotify: Fanotify;
  readonly #prefix: ByteString;
  #marks = 0;
  /** Paths of directories, relative to the root, by handle; null for those outside and those that are left out. */
  #known = new Map<ByteString, ByteString | null>();
  #overflow: NodeJS.Timeout | null = null;
  #wasSame = true;
  readonly #young: YoungFiles;

  /** `mounts` are the directories, the root among them, whose file systems are watched. Throws a system error. */
  constructor(
    private readonly options: WatchOptions,
    sink: ChangeSink,
    mounts: readonly ByteString[],
  ) {
    this.#tell = new Teller(sink, options.wanted);
    this.#identity = new RootIdentity(options.root);
    this.#prefix = options.root.endsWith('/') ? options.root : `${options.root}/`;
    this.#young = new YoungFiles(new RootPaths(options.root), (path) => this.#tell.changed(path, Change.MADE));
    this.#fanotify = new Fanotify((mask, entry, to) => this.#event(mask, entry, to));
    try {
      for (const mount of mounts) {
        this.#fanotify.mark(mount, maskOf(options.wanted));
        this.#marks++;
      }
    } catch (error) {
      this.#fanotify.close();
      throw error;
    }
  }

  get watches(): number {
    return this.#marks;
  }

  rootIsSame(): boolean {
    return this.#identity.isSame();
  }

  review(_path: ByteString, done: () => void): void {
    // Directories that are left out are known as such.
    this.#known.clear();
    done();
  }

  close(): void {
    this.#tell.closed = true;
    if (this.#overflow !== null) clearTimeout(this.#overflow);
    this.#young.close();
    this.#fanotify.close();
  }

  #event(mask: number, entry: FanEntry | null, to: FanEntry | null): void {
    if ((mask & FAN.Q_OVERFLOW) !== 0) this.#lost();
    if (entry === null) return;
    const isDir = (mask & FAN.ONDIR) !== 0;
    if ((mask & FAN.RENAME) !== 0) {
      if (to !== null) this.#renamed(entry, to, isDir);
      return;
    }
    const path = this.#pathOf(entry);
    if (path !== null) {
      this.events++;
      this.#changed(path, mask, isDir);
    } else if (isDir && (mask & FAN.DELETE) !== 0 && !this.rootIsSame()) {
      this.#removedOutside(entry);
    }
  }

  /** A directory that is not in the tree was removed: the root, or one that has nothing to do with it. */
  #removedOutside({ directory, name }: FanEntry): void {
    const parent = this.#fanotify.pathOf(directory);
    if (parent !== null) {
      if (joinPath(parent, name) === this.options.root) this.#checkRoot('removed');
      return;
    }
    // What was above it is gone, too. If the root was moved, an event that is waiting says so.
    setImmediate(() => this.#checkRoot('removed'));
  }

  /** Several events of one entry come as one, in no order: the entry says what is true. */
  #changed(path: ByteString, mask: number, isDir: boolean): void {
    const changes = changesOf(mask);
    if (isDir) {
      this.#tell.changed(path, changes | Change.DIRECTORY);
      return;
    }
    const isYoung = (mask & (FAN.CREATE | FAN.CLOSE_WRITE | FAN.DELETE)) === FAN.CREATE && this.#young.takes(path);
    const isNew = !isYoung && this.#young.remove(path);
    this.#tell.changed(path, isYoung ? changes & ~Change.MADE : isNew ? changes | Change.MADE : changes);
  }

  #renamed(entry: FanEntry, to: FanEntry, isDir: boolean): void {
    const from = this.#pathOf(entry);
    const target = this.#pathOf(to);
    // Everything below has another path now, and what was outside may be inside.
    if (isDir) {
      this.#known.clear();
      this.#checkRoot('moved away');
    }
    if (from === null && target === null) return;
    this.events++;
    const kind = isDir ? Change.DIRECTORY : 0;
    if (from !== null && target !== null && !(isDir && this.options.isExcluded(target))) {
      this.#tell.moved(from, target, isDir);
      return;
    }
    if (from !== null) this.#tell.changed(from, Change.REMOVED | kind);
    if (target !== null) this.#tell.changed(target, Change.MADE | (isDir ? kind : Change.WRITTEN));
    if (!isDir) return;
    if (from !== null) this.#tell.stale(from, 'moved out');
    if (target !== null && !this.options.isExcluded(target)) this.#tell.stale(target, 'moved in');
  }

  #checkRoot(how: string): void {
    if (this.#tell.closed) return;
    const isSame = this.rootIsSame();
    if (!isSame && this.#wasSame) {
      this.options.report('error', `${this.options.root} was ${how}`);
      this.#tell.stale('', `the root was ${how}`);
      if (how === 'removed') this.#identity.lose();
    }
    this.#wasSame = isSame;
  }

  /** Path of an entry relative to the root; null when it is not in the tree, or its directory is gone. */
  #pathOf({ directory, name }: FanEntry): ByteString | null {
    let dir = this.#known.get(directory);
    if (dir === undefined) {
      dir = this.#relative(this.#fanotify.pathOf(directory));
      if (this.#known.size >= MOST_KNOWN) this.#known.clear();
      this.#known.set(directory, dir);
    }
    if (dir === null) return null;
    return name === '' ? dir : joinPath(dir, name);
  }

  /** A directory's path relative to the root, null outside of it and where nothing is told of. */
  #relative(path: ByteString | null): ByteString | null {
    if (path === null) return null;
    if (path === this.options.root) return '';
    if (!path.startsWith(this.#prefix)) return null;
    const relative = path.slice(this.#prefix.length);
    for (let end = relative.indexOf('/'); end >= 0; end = relative.indexOf('/', end + 1)) {
      if (this.options.isExcluded(relative.slice(0, end))) return null;
    }
    return this.options.isExcluded(relative) ? null : relative;
  }

  #lost(): void {
    this.overflows++;
    this.#known.clear();
    this.#overflow ??= setTimeout(() => {
      this.#overflow = null;
      this.#tell.stale('', 'the queue of events was full');
    }, OVERFLOW_MS);
  }
}

/** What the kernel is asked for. */
function maskOf(wanted: Change): number {
  let mask = FAN.CREATE | FAN.DELETE | FAN.RENAME | FAN.ONDIR;
  if ((wanted & (Change.WRITTEN | Change.MADE)) !== 0) mask |= FAN.CLOSE_WRITE;
  if ((wanted & Change.MODIFIED) !== 0) mask |= FAN.MODIFY;
  if ((wanted & Change.ATTRIBUTES) !== 0) mask |= FAN.ATTRIB;
  return mask;
}

function changesOf(mask: number): Change {
  let changes = 0;
  if ((mask & FAN.CLOSE_WRITE) !== 0) changes |= Change.WRITTEN;
  if ((mask & FAN.CREATE) !== 0) changes |= Change.MADE;
  if ((mask & FAN.DELETE) !== 0) changes |= Change.REMOVED;
  if ((mask & FAN.ATTRIB) !== 0) changes |= Change.ATTRIBUTES;
  if ((mask & FAN.MODIFY) !== 0) changes |= Change.MODIFIED;
  return changes;
}
