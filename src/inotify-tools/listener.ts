import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { IN, Inotify } from '../libc/inotify.js';
import { strerror } from '../report/errno.js';
import { FanListener } from './fan-listener.js';
import type { ShownEvent } from './format.js';
import { UsageError } from './getopt.js';
import { compileFilter, type ListenerOptions, type Listening, rootsOf, watchFailure } from './listening.js';
import { type Watched, WatchSet } from './watch-set.js';

/** Milliseconds that the second half of a move may take. */
const MOVE_MS = 10;

/** Watches files with inotify and hands over their events. */
class Listener implements Listening {
  readonly set: WatchSet;
  readonly #inotify: Inotify;
  readonly #matches: ((text: string) => boolean) | null;
  readonly #roots: ByteString[];
  /** Directories that left their place, by the number that both halves of a move share. */
  readonly #departed = new Map<number, ByteString>();

  /** Sets up all watches. Throws UsageError. */
  constructor(
    private readonly options: ListenerOptions,
    private readonly onEvent: (event: ShownEvent) => void,
  ) {
    this.#matches = compileFilter(options.filter);
    const { roots, excluded } = rootsOf(options);
    if (roots.length === 0) throw new UsageError('No files specified to watch!');
    this.#roots = roots;
    this.#inotify = openInotify((wd, mask, cookie, name) => this.#event(wd, mask, cookie, name));
    const structure = options.follow ? IN.CREATE | IN.MOVED_TO | IN.MOVED_FROM : 0;
    const { recursive, noFollow } = options;
    this.set = new WatchSet(
      this.#inotify,
      { mask: options.events | structure, recursive, noFollow, excluded },
      (event) => this.#pass(event),
    );
  }

  watchAll(failure: string, before?: (name: ByteString) => void, after?: (name: ByteString) => void): void {
    for (const root of this.#roots) {
      before?.(root);
      try {
        this.set.addRoot(root);
      } catch (error) {
        throw new UsageError(watchFailure(failure, root, error));
      }
      after?.(root);
    }
  }

  get paths(): ByteString[] {
    return [...this.set.watched.values()].map(({ path }) => path);
  }

  close(): void {
    this.#inotify.close();
  }

  #event(wd: number, mask: number, cookie: number, name: ByteString): void {
    if ((mask & IN.Q_OVERFLOW) !== 0) this.#overflow();
    const watched = this.set.watched.get(wd);
    if (watched === undefined) return;
    const event: ShownEvent = { watched: watched.path, name, mask, cookie };
    const toldBefore = (mask & IN.CREATE) !== 0 && this.set.wasTold(watched, name);
    if ((mask & (IN.DELETE | IN.MOVED_FROM)) !== 0) this.set.wasTold(watched, name);
    if (!toldBefore) this.#pass(event);
    if ((mask & IN.IGNORED) !== 0) this.set.watched.delete(wd);
    // A directory that was told of before its event came is watched and listed already.
    if (this.options.follow && (mask & IN.ISDIR) !== 0 && !toldBefore) {
      this.#followDirectory(watched, name, mask, cookie);
    }
  }

  #pass(event: ShownEvent): void {
    if (this.#matches !== null) {
      const found = this.#matches(event.watched + event.name);
      if (found !== this.options.filter!.include) return;
    }
    this.onEvent(event);
  }

  #followDirectory(watched: Watched, name: ByteString, mask: number, cookie: number): void {
    const path = `${watched.path}${name}/`;
    if ((mask & IN.CREATE) !== 0) this.#addDirectory(path, true);
    if ((mask & IN.MOVED_FROM) !== 0) this.#left(cookie, path);
    if ((mask & IN.MOVED_TO) !== 0) {
      const from = this.#departed.get(cookie);
      this.#departed.delete(cookie);
      if (from === undefined) this.#addDirectory(path, false);
      else this.set.rename(from, path);
    }
  }

  #left(cookie: number, path: ByteString): void {
    this.#departed.set(cookie, path);
    const timer = setTimeout(() => {
      // The second half may be waiting to be read.
      setImmediate(() => {
        if (this.#departed.delete(cookie)) this.set.forget(path);
      });
    }, MOVE_MS);
    timer.unref();
  }

  #addDirectory(path: ByteString, tell: boolean): void {
    try {
      this.set.addDirectory(path, tell);
    } catch (error) {
      this.options.warn(`Couldn't watch new directory ${path}: ${strerror(errnoOf(error))}`);
    }
  }

  /** Events were lost. Directories that appeared meanwhile are found by looking. */
  #overflow(): void {
    this.options.warn('The queue of events was full: some were lost!');
    if (this.options.follow)
      for (const root of this.#roots) this.#addDirectory(root.endsWith('/') ? root : `${root}/`, false);
  }
}

function openInotify(onEvent: ConstructorParameters<typeof Inotify>[0]): Inotify {
  try {
    return new Inotify(onEvent);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 0) throw error;
    const hint = '\nTry increasing the value of /proc/sys/fs/inotify/max_user_instances';
    throw new UsageError(`Couldn't initialize inotify: ${strerror(errno)}${errno === Errno.EMFILE ? hint : ''}`);
  }
}

/** Listens in the way that the command line asks for. Throws UsageError. */
export function listen(options: ListenerOptions, onEvent: (event: ShownEvent) => void): Listening {
  if (options.via === 'inotify') return new Listener(options, onEvent);
  return new FanListener(options, options.via === 'file system', onEvent);
}
