import { readFileSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { posixRegex } from '../libc/regex.js';
import { strerror } from '../report/errno.js';
import { UsageError } from './getopt.js';

/** How the kernel is asked: for a watch on each directory, or for a mark on file systems, of which all or a part is shown. */
export type Via = 'inotify' | 'fanotify' | 'file system';

/** What both tools have in common: what is watched, and which events come through. */
export interface ListenerOptions {
  files: readonly ByteString[];
  /** A file with further names, '-' for standard input. */
  fromFile: ByteString | null;
  /** Event bits that are asked for. */
  events: number;
  recursive: boolean;
  /** Directories that appear are watched too. */
  follow: boolean;
  noFollow: boolean;
  filter: NameFilter | null;
  via: Via;
  /** A line for the user about what went wrong. */
  warn(text: string): void;
}

/** --exclude and --include: events are let through by the whole name of what they are about. */
export interface NameFilter {
  pattern: ByteString;
  ignoreCase: boolean;
  include: boolean;
}

/** Something that tells of events, however the kernel is asked for them. */
export interface Listening {
  /** Watches all that the command line names; `before` and `after` are told each name. Throws UsageError. */
  watchAll(failure: string, before?: (name: ByteString) => void, after?: (name: ByteString) => void): void;
  /** What is watched, directories with '/' at the end. */
  readonly paths: readonly ByteString[];
  close(): void;
}

/** Throws UsageError for a pattern that is none. */
export function compileFilter(filter: NameFilter | null): ((text: string) => boolean) | null {
  if (filter === null) return null;
  const matches = posixRegex(filter.pattern, filter.ignoreCase);
  if (matches === null)
    throw new UsageError(`Error in \`${filter.include ? 'include' : 'exclude'}' regular expression.`);
  return matches;
}

/** Splits names into those to watch and those, written with '@', to leave out. */
export function rootsOf(options: ListenerOptions): { roots: ByteString[]; excluded: Set<ByteString> } {
  const names = [...options.files, ...namesFromFile(options)];
  const roots = names.filter((name) => !name.startsWith('@'));
  const left = names.filter((name) => name.startsWith('@')).map((name) => name.slice(1));
  return { roots, excluded: new Set(left.map((name) => (name.endsWith('/') ? name : `${name}/`))) };
}

function namesFromFile({ fromFile, warn }: ListenerOptions): ByteString[] {
  if (fromFile === null) return [];
  try {
    const text = readFileSync(fromFile === '-' ? 0 : Buffer.from(fromFile, 'latin1'), 'latin1');
    return text.split('\n').filter((line) => line !== '');
  } catch (error) {
    warn(`Couldn't open ${fromFile}: ${strerror(errnoOf(error))}`);
    return [];
  }
}

/** In words why something cannot be watched. */
export function watchFailure(failure: string, name: ByteString, error: unknown): string {
  const errno = errnoOf(error);
  if (errno === 0) throw error;
  if (errno !== Errno.ENOSPC) return `${failure} ${name}: ${strerror(errno)}`;
  return (
    `Failed to watch ${name}; upper limit on inotify watches reached!\n` +
    "Please increase the amount of inotify watches allowed per user via `/proc/sys/fs/inotify/max_user_watches'."
  );
}
