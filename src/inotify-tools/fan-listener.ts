import { realpathSync, statSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { type FanEntry, Fanotify } from '../libc/fanotify.js';
import { IN } from '../libc/inotify.js';
import { strerror } from '../report/errno.js';
import type { ShownEvent } from './format.js';
import { UsageError } from './getopt.js';
import { compileFilter, type ListenerOptions, type Listening, rootsOf, watchFailure } from './listening.js';

/** Events that fanotify(7) knows too; it has the same bits for them. */
const SHARED = IN.ALL_EVENTS;
/** Paths of directories that are kept, so that events of one that is gone by now can be told; all are dropped beyond. */
const MOST_KNOWN = 100_000;

/** A place that the user named: a directory, or one name in it. */
interface Place {
  dir: ByteString;
  only: ByteString | null;
}

/**
 * The same with fanotify (-F), or of whole file systems (-S): one mark instead of a watch for each directory, so there is
 * no limit, and what appears is watched already. Paths are shown whole. Needs root's rights.
 */
export class FanListener implements Listening {
  readonly #fanotify: Fanotify;
  readonly #matches: ((text: string) => boolean) | null;
  readonly #roots: ByteString[];
  readonly #excluded: ReadonlySet<ByteString>;
  readonly #places: Place[] = [];
  readonly #known = new Map<ByteString, ByteString>();

  /** Throws UsageError. */
  constructor(
    private readonly options: ListenerOptions,
    private readonly wholeFileSystem: boolean,
    private readonly onEvent: (event: ShownEvent) => void,
  ) {
    this.#matches = compileFilter(options.filter);
    const { roots, excluded } = rootsOf(options);
    if (roots.length === 0) throw new UsageError('No files specified to watch!');
    this.#roots = roots;
    this.#excluded = new Set([...excluded].map((name) => `${whole(name.slice(0, -1)) ?? name.slice(0, -1)}/`));
    try {
      this.#fanotify = new Fanotify((mask, entry, _to, pid) => this.#event(mask, entry, pid));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 0) throw error;
      throw new UsageError(`Couldn't initialize fanotify: ${strerror(errno)}`);
    }
  }

  watchAll(failure: string, before?: (name: ByteString) => void, after?: (name: ByteString) => void): void {
    for (const root of this.#roots) {
      before?.(root);
      try {
        this.#add(root);
      } catch (error) {
        throw new UsageError(watchFailure(failure, root, error));
      }
      after?.(root);
    }
  }

  get paths(): ByteString[] {
    return this.#places.map(({ dir, only }) => (only === null ? `${dir}/` : `${dir}/${only}`));
  }

  close(): void {
    this.#fanotify.close();
  }

  #add(root: ByteString): void {
    const path = realpathSync(Buffer.from(root, 'latin1'), 'latin1');
    const isDir = statSync(Buffer.from(path, 'latin1')).isDirectory();
    const slash = path.lastIndexOf('/');
    const dir = isDir ? path : path.slice(0, slash);
    this.#places.push({ dir: dir === '/' ? '' : dir, only: isDir ? null : path.slice(slash + 1) });
    // Without moves and removals of directories the paths that are known would go stale.
    const mask = (this.options.events & SHARED) | IN.MOVED_FROM | IN.MOVED_TO | IN.DELETE | IN.ISDIR;
    this.#fanotify.mark(dir || '/', mask);
  }

  #event(mask: number, entry: FanEntry | null, pid: number): void {
    if ((mask & IN.Q_OVERFLOW) !== 0) this.options.warn('The queue of events was full: some were lost!');
    // What this process writes to a file system that is shown would be told for ever.
    if (entry === null || pid === process.pid) return;
    const dir = this.#pathOf(entry.directory);
    if ((mask & IN.ISDIR) !== 0 && (mask & (IN.MOVED_FROM | IN.MOVED_TO)) !== 0) this.#known.clear();
    if (dir === null || (mask & this.options.events & SHARED) === 0 || !this.#concerns(dir, entry.name)) return;
    const watched = `${dir}/`;
    if (this.#matches !== null && this.#matches(watched + entry.name) !== this.options.filter!.include) return;
    this.onEvent({ watched, name: entry.name, mask: mask & (this.options.events | IN.ISDIR), cookie: 0 });
  }

  #pathOf(directory: ByteString): ByteString | null {
    const path = this.#fanotify.pathOf(directory);
    if (path === null) return this.#known.get(directory) ?? null;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    const dir = path === '/' ? '' : path;
    this.#known.set(directory, dir);
    return dir;
  }

  #concerns(dir: ByteString, name: ByteString): boolean {
    for (const left of this.#excluded) if (`${dir}/`.startsWith(left)) return false;
    if (this.wholeFileSystem) return true;
    return this.#places.some((place) => {
      if (place.only !== null) return dir === place.dir && name === place.only;
      if (dir === place.dir) return true;
      if (!dir.startsWith(`${place.dir}/`)) return false;
      // A directory is told of as such, where inotify has its name in the one that holds it.
      return this.options.recursive || (name === '' && !dir.includes('/', place.dir.length + 1));
    });
  }
}

function whole(name: ByteString): ByteString | null {
  try {
    return realpathSync(Buffer.from(name, 'latin1'), 'latin1');
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return null;
    throw error;
  }
}
