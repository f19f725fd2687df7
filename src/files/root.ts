import { closeSync, constants, openSync, readlinkSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { lastName, parentOf } from '../../protocol/path.js';
import { Errno, errnoOf, systemError } from '../libc/errno.js';
import { FileStat, lstatInto, statInto } from './stat.js';

/** Opens a place in the tree without any right to its content; Linux only, so Node does not name it. */
const O_PATH = 0o10000000;
const OPEN_DIR = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Directories held open at once, and links that one resolution follows. */
const MAX_OPEN = 64;
const MAX_LINKS = 40;
const SLASH = 0x2f;
const DOT = 0x2e;

/** Byte string to path. */
function bytes(path: ByteString): Buffer {
  return Buffer.from(path, 'latin1');
}

/** The components of a relative path; '.' and empty ones drop out, '..' stays. */
function components(path: ByteString): ByteString[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** An absolute path as a relative one. */
function withoutSlashes(path: ByteString): ByteString {
  return path.replace(/^\/+/, '');
}

/**
 * A directory that entries are named in. In a plain tree it is a path prefix, in a confined one a held descriptor.
 * A path from `at` is good until the next call of `Root.dir`: many directories later the descriptor may be closed.
 */
export class Dir {
  /** Held descriptor, -1 in a plain tree and while it is closed to make room for others. */
  fd = -1;

  constructor(
    private readonly root: Root,
    /** Path below the root, '' for the root itself. */
    readonly rel: ByteString,
    /** What stands before an entry's name, with the slash; null while the descriptor is closed. */
    private prefix: Buffer | null,
  ) {}

  /** Path of the entry whose name is name[from, to). A name with a slash, '..' or NUL is refused in a confined tree. */
  at(name: Uint8Array, from: number, to: number): Buffer {
    const prefix = this.prefix ?? this.reopen();
    if (this.root.isConfined) checkName(name, from, to);
    const length = prefix.length + to - from;
    const path = Buffer.allocUnsafe(length);
    path.set(prefix);
    for (let i = from, at = prefix.length; i < to; i++, at++) path[at] = name[i];
    return path;
  }

  atString(name: ByteString): Buffer {
    const n = bytes(name);
    return this.at(n, 0, n.length);
  }

  /** Path of the directory itself, with a slash at the end: a link in its place is looked through. */
  self(): Buffer {
    return this.prefix ?? this.reopen();
  }

  private reopen(): Buffer {
    this.root.reopen(this);
    if (this.prefix === null) throw systemError(Errno.ENOENT, 'open');
    return this.prefix;
  }

  /** For `Root` only: takes a descriptor over. */
  hold(fd: number): void {
    this.fd = fd;
    this.prefix = bytes(`/proc/self/fd/${fd}/`);
  }

  /** For `Root` only: closes the descriptor; the next use opens the directory again. */
  release(): void {
    if (this.fd < 0) return;
    closeSync(this.fd);
    this.fd = -1;
    this.prefix = null;
  }
}

/** Names of directory entries only: nothing that the kernel would resolve any further. */
export function checkName(name: Uint8Array, from: number, to: number): void {
  let bad = to <= from || (to - from === 2 && name[from] === DOT && name[from + 1] === DOT);
  for (let i = from; i < to && !bad; i++) bad = name[i] === SLASH || name[i] === 0;
  if (bad) throw systemError(Errno.EINVAL, 'open');
}

/**
 * A tree that a peer's paths are resolved in.
 *
 * plain: a prefix is put before the path, the kernel does the rest; for a user's own arguments.
 * confined: every directory on the way is opened by itself, relative to the one before, without following links, and
 * held; entries are named through /proc/self/fd. A component that is swapped for a link in between is therefore never
 * followed. Needs /proc. Links to directories are followed only with `followInside`, by hand, and only when they lead
 * to a place below the root.
 */
export class Root {
  /** Confined: least recently used first. Plain: the last few. */
  private readonly dirs = new Map<ByteString, Dir>();
  private rootFd = -1;
  private last: Dir | null = null;

  /** Confined by the text of paths only: links are followed, wherever they lead. */
  private followsAll = false;

  private constructor(
    private readonly base: Buffer,
    readonly isConfined: boolean,
    private readonly followInside: boolean,
    /** What absolute paths are resolved in; null: a confined tree has none. */
    private readonly outer: Root | null = null,
    /** Plain: looks at paths that only options name, because they lead out of the tree. */
    private readonly guard: ((path: ByteString) => void) | null = null,
  ) {}

  /** `guard` throws for an absolute path, or one that begins with `..`, that is not to be entered. */
  static plain(path: ByteString, guard: ((path: ByteString) => void) | null = null): Root {
    return new Root(bytes(path === '' ? '.' : path), false, true, null, guard);
  }

  /**
   * Opens `path` (the caller's own, links in it are followed). Throws an errno error. With `outer`, a confined tree
   * around this one, paths that begin with a slash are resolved in that, from its own root.
   */
  static confined(path: ByteString, followInside = false, outer: Root | null = null): Root {
    const root = new Root(bytes(path === '' ? '.' : path), true, followInside, outer);
    root.rootFd = openSync(root.base, O_PATH | constants.O_DIRECTORY);
    try {
      // Says so at once when /proc is not there, through which one in another tree was reached.
      if (outer === null) closeSync(root.duplicateRoot());
    } catch (error) {
      closeSync(root.rootFd);
      throw error;
    }
    return root;
  }

  /**
   * A tree whose paths begin at `path` and cannot climb out of it by `..`, and in which the kernel follows every link: for
   * a module whose owner trusts all who can make links in it.
   */
  static trusting(path: ByteString, outer: Root | null = null): Root {
    const root = new Root(bytes(path), true, true, outer);
    root.followsAll = true;
    return root;
  }

  /** The directory `rel` as a tree of the same kind around which this one is the outer one. Throws an errno error. */
  within(rel: ByteString, followInside: boolean): Root {
    // A confined tree is opened through the descriptor that is held.
    const path = this.dir(rel).self().toString('latin1');
    return this.followsAll ? Root.trusting(path, this) : Root.confined(path, followInside, this);
  }

  /** A confined tree that is not there yet: nothing is in it, but absolute paths are found in `outer`. */
  static nowhere(outer: Root): Root {
    return new Root(bytes('/'), true, false, outer);
  }

  /** The directory `rel` ('' or '.': the root itself). Throws an errno error. Cached. */
  dir(rel: ByteString): Dir {
    if (this.outer !== null && rel.startsWith('/')) return this.outer.dir(withoutSlashes(rel));
    if (this.last !== null && this.last.rel === rel) return this.last;
    const path = rel === '.' ? '' : rel;
    let dir = this.dirs.get(path);
    if (dir === undefined) {
      const isHeld = this.isConfined && !this.followsAll;
      dir = new Dir(this, path, isHeld ? null : this.plainPrefix(this.followsAll ? withoutClimbing(path) : path));
      if (isHeld) dir.hold(this.open(path));
      else if (this.followsAll) checkDirectory(dir.self());
      this.makeRoom();
    } else {
      this.dirs.delete(path);
    }
    this.dirs.set(path, dir);
    this.last = dir;
    return dir;
  }

  /** Any relative path with slashes. In a confined tree all but the last component must be directories. */
  path(rel: ByteString): Buffer {
    const name = lastName(rel);
    const dir = this.dir(parentOf(rel));
    return name === '' || name === '.' ? dir.self() : dir.atString(name);
  }

  /**
   * The path of what `rel` stands for when links are followed: the result is no link itself. In a confined tree a link
   * that leaves it, or any link without `followInside`, is an errno error (ELOOP).
   */
  resolve(rel: ByteString): Buffer {
    if (!this.isConfined) return this.path(rel);
    if (this.outer !== null && rel.startsWith('/')) return this.outer.resolve(withoutSlashes(rel));
    let path = rel;
    const st = new FileStat();
    for (let links = 0; links <= MAX_LINKS; links++) {
      const at = links === 0 ? this.path(path) : this.behindLink(path);
      const errno = lstatInto(at, st);
      if (errno !== 0) throw systemError(errno, 'lstat');
      if ((st.mode & 0o170000) !== 0o120000) return at;
      if (!this.followInside) break;
      if (this.followsAll) return followAll(at);
      path = this.linkedPath(path.slice(0, Math.max(path.lastIndexOf('/'), 0)), at);
    }
    throw systemError(Errno.ELOOP, 'open');
  }

  /** The same as `path` for where a link leads: out of the tree is as bad as round in circles. */
  private behindLink(rel: ByteString): Buffer {
    try {
      return this.path(rel);
    } catch (error) {
      throw errnoOf(error) === Errno.EXDEV ? systemError(Errno.ELOOP, 'open') : error;
    }
  }

  /** To be called after `rel` was renamed, removed or replaced: what is held below it is closed. */
  forget(rel: ByteString): void {
    this.last = null;
    if (this.outer !== null && rel.startsWith('/')) this.outer.forget(withoutSlashes(rel));
    const below = `${rel}/`;
    for (const [path, dir] of this.dirs) {
      if (path !== rel && !path.startsWith(below)) continue;
      dir.release();
      this.dirs.delete(path);
    }
  }

  close(): void {
    for (const dir of this.dirs.values()) dir.release();
    this.dirs.clear();
    this.last = null;
    if (this.rootFd >= 0) closeSync(this.rootFd);
    this.rootFd = -1;
  }

  /** For `Dir` only: its descriptor was closed to make room and is needed again. */
  reopen(dir: Dir): void {
    const other = this.dirs.get(dir.rel);
    const fd = this.open(dir.rel);
    if (other !== undefined) {
      other.release();
      this.dirs.delete(dir.rel);
    } else {
      this.makeRoom();
    }
    dir.hold(fd);
    this.dirs.set(dir.rel, dir);
    this.last = dir;
  }

  private duplicateRoot(): number {
    return openSync(`/proc/self/fd/${this.rootFd}`, O_PATH | constants.O_DIRECTORY);
  }

  private plainPrefix(rel: ByteString): Buffer {
    const path = rel === '' ? this.base : rel.startsWith('/') ? bytes(rel) : this.join(rel);
    if (this.guard !== null && /^(\/|\.\.(\/|$))/.test(rel)) this.guard(path.toString('latin1'));
    return path.at(-1) === SLASH ? path : Buffer.concat([path, Buffer.of(SLASH)]);
  }

  private join(rel: ByteString): Buffer {
    const separator = this.base.at(-1) === SLASH ? Buffer.alloc(0) : Buffer.of(SLASH);
    return Buffer.concat([this.base, separator, bytes(rel)]);
  }

  private makeRoom(): void {
    if (this.dirs.size < MAX_OPEN) return;
    const [oldest, dir] = this.dirs.entries().next().value as [ByteString, Dir];
    this.dirs.delete(oldest);
    if (this.isConfined) dir.release();
  }

  /** A descriptor of the directory `rel`, opened from the nearest one that is held already. */
  private open(rel: ByteString): number {
    if (this.rootFd < 0) throw systemError(Errno.ENOENT, 'open');
    if (rel.startsWith('/') || rel.includes('\0')) throw systemError(Errno.EINVAL, 'open');
    const slash = rel.lastIndexOf('/');
    const held = slash > 0 ? this.dirs.get(rel.slice(0, slash)) : undefined;
    const last = rel.slice(slash + 1);
    if (held !== undefined && held.fd >= 0 && last !== '' && last !== '.' && last !== '..') {
      const fd = openIn(held.fd, last);
      if (fd >= 0) return fd;
    }
    return this.walk(components(rel));
  }

  /** Walks down from the root, one component at a time; the caller gets a descriptor of its own. */
  private walk(todo: ByteString[]): number {
    const trail: number[] = [];
    let links = 0;
    const rest = todo.slice().reverse();
    try {
      for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
        if (name === '..') {
          const gone = trail.pop();
          if (gone === undefined) throw systemError(links > 0 ? Errno.ELOOP : Errno.EXDEV, 'open');
          closeSync(gone);
          continue;
        }
        const parent = trail.at(-1) ?? this.rootFd;
        const fd = openIn(parent, name);
        if (fd >= 0) {
          trail.push(fd);
          continue;
        }
        if (!this.followInside) throw systemError(Errno.ENOTDIR, 'open');
        if (++links > MAX_LINKS) throw systemError(Errno.ELOOP, 'open');
        const target = readLink(bytes(`/proc/self/fd/${parent}/${name}`));
        rest.push(...components(target).reverse());
      }
      return trail.pop() ?? this.duplicateRoot();
    } finally {
      for (const fd of trail) closeSync(fd);
    }
  }

  /** Where the link `at` inside directory `dir` leads to, as a path below the root. */
  private linkedPath(dir: ByteString, at: Buffer): ByteString {
    const target = readLink(at);
    const path = [...components(dir), ...components(target)].join('/');
    // What ends in '..' or a slash is a directory; the walk finds out which.
    return path.endsWith('..') || target.endsWith('/') ? `${path}/.` : path;
  }
}

/** A link's target; an absolute one leaves the tree. EINVAL of something that is no link becomes ENOTDIR. */
function readLink(path: Buffer): ByteString {
  let target: Buffer;
  try {
    target = readlinkSync(path, 'buffer');
  } catch (error) {
    throw errnoOf(error) === Errno.EINVAL ? systemError(Errno.ENOTDIR, 'open') : error;
  }
  if (target[0] === SLASH) throw systemError(Errno.ELOOP, 'open');
  return target.toString('latin1');
}

/** Where links lead in the end: a path that is no link itself. Throws an errno error. */
function followAll(link: Buffer): Buffer {
  const st = new FileStat();
  let at = link;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const errno = lstatInto(at, st);
    if (errno !== 0) throw systemError(errno, 'lstat');
    if ((st.mode & 0o170000) !== 0o120000) return at;
    const target = readlinkSync(at, 'buffer');
    at = target[0] === SLASH ? target : Buffer.concat([at.subarray(0, at.lastIndexOf(SLASH) + 1), target]);
  }
  throw systemError(Errno.ELOOP, 'open');
}

function checkDirectory(path: Buffer): void {
  const errno = statInto(path, new FileStat());
  if (errno !== 0) throw systemError(errno, 'open');
}

/** A path whose `..` are taken out by the text. Throws EXDEV when it climbs out of the tree. */
function withoutClimbing(rel: ByteString): ByteString {
  const out: ByteString[] = [];
  for (const part of components(rel)) {
    if (part !== '..') out.push(part);
    else if (out.pop() === undefined) throw systemError(Errno.EXDEV, 'open');
  }
  return out.join('/');
}

/** Opens a real directory inside another; -1 when the name is there but is no directory. Other errors are thrown. */
function openIn(parent: number, name: ByteString): number {
  try {
    return openSync(bytes(`/proc/self/fd/${parent}/${name}`), OPEN_DIR);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === Errno.ENOTDIR || errno === Errno.ELOOP) return -1;
    throw error;
  }
}
