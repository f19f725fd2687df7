import type { ByteString } from '../../protocol/options.js';
import { Change, type ChangeSink, type TreeWatcher, type WatchOptions } from './changes.js';
import { joinPath } from './paths.js';
import { type Seen, type SeenDirectory, see, seeDirectory } from './poll-snapshot.js';
import { RecentChanges } from './recent-changes.js';
import { RootIdentity } from './root-identity.js';
import { Teller } from './teller.js';

/** A look at everything takes at most this part of the time: a tree that takes long is looked at less often. */
const SHARE = 10;
/** Milliseconds of looking after which the event loop gets its turn. */
const SLICE_MS = 4;

/** Watches a tree by looking at all of it again and again: for file systems that change without events. */
export class PollWatcher implements TreeWatcher {
  readonly via = 'poll';
  readonly overflows = 0;
  events = 0;
  readonly #tell: Teller;
  readonly #identity: RootIdentity;
  readonly #seen = new Map<ByteString, SeenDirectory>();
  readonly #recent = new RecentChanges();
  #rootSeen: Seen | null;
  #timer: NodeJS.Timeout | NodeJS.Immediate | null = null;
  #wasSame = true;

  /** The first look is complete when this returns. */
  constructor(
    private readonly options: WatchOptions,
    sink: ChangeSink,
  ) {
    this.#tell = new Teller(sink, options.wanted);
    this.#identity = new RootIdentity(options.root);
    this.#rootSeen = see(options.root);
    const left: ByteString[] = [''];
    for (let dir = left.pop(); dir !== undefined; dir = left.pop()) this.#look(dir, left, false);
    this.#timer = setTimeout(() => this.#round(), options.pollMs);
  }

  get watches(): number {
    return this.#seen.size;
  }

  rootIsSame(): boolean {
    return this.#identity.isSame();
  }

  /** The next look asks, and tells of all that it has not seen before. */
  review(_path: ByteString, done: () => void): void {
    done();
  }

  close(): void {
    this.#tell.closed = true;
    clearTimeout(this.#timer as NodeJS.Timeout);
    clearImmediate(this.#timer as NodeJS.Immediate);
  }

  #round(): void {
    const started = performance.now();
    const isSame = this.rootIsSame();
    if (!isSame && this.#wasSame) {
      this.options.report('error', `${this.options.root} is no longer the directory that it was`);
      this.#tell.stale('', 'the root is gone');
    }
    this.#wasSame = isSame;
    if (isSame) this.#lookOnRoot();
    this.#walk(isSame ? [''] : [], () => {
      const pause = Math.max(this.options.pollMs, (performance.now() - started) * SHARE);
      this.#timer = setTimeout(() => this.#round(), pause);
    });
  }

  #walk(left: ByteString[], done: () => void): void {
    const end = performance.now() + SLICE_MS;
    for (let dir = left.pop(); dir !== undefined; dir = left.pop()) {
      this.#look(dir, left, true);
      if (performance.now() > end) break;
    }
    if (this.#tell.closed) return;
    if (left.length === 0) done();
    else this.#timer = setImmediate(() => this.#walk(left, done));
  }

  #lookOnRoot(): void {
    const now = see(this.options.root);
    if (now?.mode !== this.#rootSeen?.mode) this.#changed('', Change.ATTRIBUTES | Change.DIRECTORY);
    this.#rootSeen = now;
  }

  #full(path: ByteString): ByteString {
    return path === '' ? this.options.root : `${this.options.root}/${path}`;
  }

  #changed(path: ByteString, what: Change): void {
    this.events++;
    this.#tell.changed(path, what);
    if ((what & Change.MADE) !== 0 && (what & Change.DIRECTORY) !== 0) this.#recent.made(path, this.#full(path));
  }

  /** Compares a directory with what was seen of it before; the directories in it are left to be looked at. */
  #look(dir: ByteString, left: ByteString[], tell: boolean): void {
    const before = this.#seen.get(dir);
    const full = this.#full(dir);
    const touched = this.#recent.touched(dir, full);
    const now = seeDirectory(full);
    if (now === null) return;
    if (touched !== null && before !== undefined) {
      // What is not there now may have been there meanwhile.
      if (touched.isNew) this.#tell.changed(dir, Change.MADE | Change.DIRECTORY);
      for (const name of touched.removed) {
        if (!now.has(name)) this.#tell.changed(joinPath(dir, name), Change.REMOVED | Change.DIRECTORY);
      }
    }
    this.#seen.set(dir, now);
    for (const [name, seen] of now) {
      const path = joinPath(dir, name);
      if (tell) this.#compare(path, before?.get(name), seen);
      if (seen.isDir && !this.options.isExcluded(path)) left.push(path);
    }
    if (before === undefined) return;
    for (const [name, seen] of before) {
      if (now.has(name)) continue;
      this.#gone(joinPath(dir, name), seen);
      this.#recent.removed(dir, full, name);
    }
  }

  #compare(path: ByteString, before: Seen | undefined, now: Seen): void {
    const kind = now.isDir ? Change.DIRECTORY : 0;
    if (before === undefined) {
      this.#changed(path, Change.MADE | (now.isDir ? kind : Change.WRITTEN));
    } else if (before.isDir !== now.isDir || (now.isDir && before.ino !== now.ino)) {
      this.#gone(path, before);
      this.#changed(path, Change.MADE | (now.isDir ? kind : Change.WRITTEN));
    } else if (before.ino !== now.ino || before.size !== now.size || before.mtimeMs !== now.mtimeMs) {
      this.#changed(path, Change.WRITTEN);
    } else if (before.ctimeMs !== now.ctimeMs || before.mode !== now.mode) {
      this.#changed(path, Change.ATTRIBUTES | kind);
    }
  }

  /** Forgets an entry, and what was seen below it. */
  #gone(path: ByteString, seen: Seen): void {
    this.#changed(path, Change.REMOVED | (seen.isDir ? Change.DIRECTORY : 0));
    const left = seen.isDir ? [path] : [];
    for (let dir = left.pop(); dir !== undefined; dir = left.pop()) {
      const entries = this.#seen.get(dir);
      this.#seen.delete(dir);
      for (const [name, entry] of entries ?? []) if (entry.isDir) left.push(joinPath(dir, name));
    }
  }
}
