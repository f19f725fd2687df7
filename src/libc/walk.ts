import { closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf, systemError } from './errno.js';
import { openFile } from './files.js';
import { bind, hasLibc, lastErrno } from './libc.js';

/**
 * Ways to a directory that nobody can turn elsewhere: each directory is opened by itself, in the one before, without
 * following links, and a link is followed by reading it. What is swapped for a link in between is looked at like any link.
 * Needs /proc.
 */

/**
 * Which links a walk follows: none; relative ones that stay below its start; or those that root or the own user has made,
 * wherever they lead. Of the last kind are paths that a user names himself: rsync's rule since 3.5.
 */
export type Links = 'none' | 'inside' | 'trusted';

/** Opens a place in the tree without any right to its content; Linux only, so Node does not name it. */
export const O_PATH = 0o10000000;
const OPEN_DIR = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Links that one walk follows. */
export const MAX_LINKS = 40;
const LONGEST_TARGET = 4096;

/** The components of a path; '.' and empty ones drop out, '..' stays. */
export function components(path: ByteString): ByteString[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** Path of an entry of an open directory. */
function within(dir: number, name: ByteString): Buffer {
  return Buffer.from(`/proc/self/fd/${dir}/${name}`, 'latin1');
}

/** Opens an open directory once more; `openSync('/')` for -1. */
export function openAgain(dir: number): number {
  return openSync(dir < 0 ? '/' : `/proc/self/fd/${dir}`, O_PATH | constants.O_DIRECTORY);
}

/** Opens a real directory inside another; -1 when the name is there but is no directory. Other errors are thrown. */
export function openIn(parent: number, name: ByteString): number {
  try {
    return openFile(within(parent, name), OPEN_DIR);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === Errno.ENOTDIR || errno === Errno.ELOOP) return -1;
    throw error;
  }
}

/** Refused because of the link's owner; everything else is an errno error of another kind. */
const refusals = new WeakSet<object>();

/** True for the error of a walk that met a link of another user. */
export function isForeignLink(error: unknown): boolean {
  return typeof error === 'object' && error !== null && refusals.has(error);
}

/**
 * Target of the link at `path`, if a walk follows it; an errno error otherwise: ENOTDIR for what is no link, ELOOP for one
 * that is not to be followed.
 */
export function linkTarget(path: Buffer, links: Links): ByteString {
  const target = links === 'trusted' ? trustedTarget(path) : plainTarget(path);
  if (links === 'inside' && target.startsWith('/')) throw systemError(Errno.ELOOP, 'open');
  return target;
}

function plainTarget(path: Buffer): ByteString {
  try {
    return readlinkSync(path, 'latin1');
  } catch (error) {
    throw errnoOf(error) === Errno.EINVAL ? systemError(Errno.ENOTDIR, 'open') : error;
  }
}

/** Owner and target are those of one link, held open: its name may stand for another one in between. */
function trustedTarget(path: Buffer): ByteString {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    const st = fstatSync(fd);
    if (!st.isSymbolicLink()) throw systemError(Errno.ENOTDIR, 'open');
    if (st.uid !== 0 && st.uid !== process.geteuid?.()) {
      const refusal = systemError(Errno.ELOOP, 'open');
      refusals.add(refusal);
      throw refusal;
    }
    return hasLibc() ? targetOf(fd) : plainTarget(path);
  } finally {
    closeSync(fd);
  }
}

/** Target of an open link. */
function targetOf(fd: number): ByteString {
  const readlinkat = bind('int64_t readlinkat(int dir, void *path, void *out, size_t size)');
  const out = Buffer.alloc(LONGEST_TARGET);
  const length = Number(readlinkat(fd, Buffer.alloc(1), out, LONGEST_TARGET));
  if (length < 0) throw systemError(lastErrno(), 'readlink');
  return out.toString('latin1', 0, length);
}

/**
 * Opens the directory `path`, from the open directory `start` (-1: the root of the system), where all paths begin that do
 * not say otherwise by a slash; only 'trusted' walks know that. `..` never leads above the start, but in 'trusted' walks.
 * Returns a descriptor of the caller's own. Throws an errno error: EXDEV for a path that leaves the start, ELOOP where a
 * link does so.
 */
export function walkTo(start: number, path: ByteString, links: Links): number {
  const trail: number[] = [];
  const todo = components(path).reverse();
  const isFree = links === 'trusted';
  let followed = 0;
  try {
    if (isFree && path.startsWith('/')) trail.push(openAgain(-1));
    else if (start < 0) trail.push(openAgain(start));
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === '..' && !isFree) {
        const gone = trail.pop();
        if (gone === undefined) throw systemError(followed > 0 ? Errno.ELOOP : Errno.EXDEV, 'open');
        closeSync(gone);
        continue;
      }
      const parent = trail.at(-1) ?? start;
      const fd = openIn(parent, name);
      if (fd >= 0) {
        trail.push(fd);
        continue;
      }
      if (links === 'none') throw systemError(Errno.ENOTDIR, 'open');
      if (++followed > MAX_LINKS) throw systemError(Errno.ELOOP, 'open');
      const target = linkTarget(within(parent, name), links);
      if (target.startsWith('/')) trail.push(openAgain(-1));
      todo.push(...components(target).reverse());
    }
    return trail.pop() ?? openAgain(start);
  } finally {
    for (const fd of trail) closeSync(fd);
  }
}
