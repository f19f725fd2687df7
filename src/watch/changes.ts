import type { ByteString } from '../../protocol/options.js';

/**
 * What a watcher tells about a tree. An event is a hint: it says which path to look at, the file system says what is
 * there. Paths are relative to the watched root, without a leading slash; '' is the root itself.
 */
export interface ChangeSink {
  /** The entry at `path` was written, made, removed or changed in its attributes. Nothing is said of what lies below. */
  changed(path: ByteString, what: Change): void;
  /**
   * An entry moved within the tree, with all that lies below it, onto whatever was at `to`. This says where the data
   * for `to` can be had; for the rest it is as if both places were told of, and of a directory, as if both were stale:
   * what was told of `from` may have been looked at when it was there no longer.
   */
  moved(from: ByteString, to: ByteString, isDir: boolean): void;
  /**
   * Changes at or below `path` may have been missed (a queue that overflowed, a directory that cannot be watched, a
   * directory that was moved in with all its content): all of it is to be compared. `why` is for the log. Told of the
   * root also when the root itself went away: ask `rootIsSame` before anything is compared.
   */
  stale(path: ByteString, why: string): void;
}

/** Kinds of change; a bit mask, because several may be told at once. */
export const Change = {
  /** A file that was open for writing was closed. */
  WRITTEN: 1,
  /**
   * An entry was made, or moved in from outside of the tree. Of a directory it is told once that is watched; what was
   * looked at below this path before may have been in it already, or in another directory, and may have gone without an
   * event: all that the other side has in the directory and that is not in it now is to be removed (this one level;
   * what is in it is told of by itself).
   */
  MADE: 2,
  /** An entry was removed, or moved out of the tree. */
  REMOVED: 4,
  /** Mode, owner, times, link count or extended attributes. */
  ATTRIBUTES: 8,
  /** Content changed and the file is still open. Only told when asked for. */
  MODIFIED: 16,
  /** The entry is a directory. */
  DIRECTORY: 32,
} as const;

export type Change = number;

/** How a tree is watched. */
export interface WatchOptions {
  /** Root of the tree, absolute. */
  root: ByteString;
  /**
   * True for a directory, relative to the root, that is not watched and of whose content nothing is told. When an answer
   * has changed, see `TreeWatcher.review`.
   */
  isExcluded(path: ByteString): boolean;
  /** Change bits that are told; DIRECTORY is always. */
  wanted: Change;
  /** Where events come from. 'auto': inotify, fanotify when it does not suffice and may be used, else polling. */
  via: 'auto' | 'inotify' | 'fanotify' | 'poll';
  /** Milliseconds between two looks when polling, and at what cannot be watched. */
  pollMs: number;
  /** Lines for a log: which source is used and why, limits that were met with the command that raises them. */
  report(kind: 'info' | 'warning' | 'error', text: string): void;
}

/** A tree that is being watched. */
export interface TreeWatcher {
  /** 'inotify', 'fanotify' or 'poll'. */
  readonly via: string;
  /** Watched directories (marks for fanotify: 1). */
  readonly watches: number;
  /** Events that the kernel told of, or changes that polling found. */
  readonly events: number;
  /** How often the kernel's queue was full, so that events were lost and all was told to be stale. */
  readonly overflows: number;
  /**
   * True while the root is the directory that it was at the start. False after it was removed, replaced or unmounted:
   * what is below the path now is something else, and nothing of it is to be mirrored.
   */
  rootIsSame(): boolean;
  /**
   * Asks again which directories below `path` are excluded, and watches those that count. Nothing is told of what is in
   * those; whoever looks at it after `done` was called misses nothing.
   */
  review(path: ByteString, done: () => void): void;
  close(): void;
}
