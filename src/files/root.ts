import { closeSync, constants, openSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { lastName, parentOf } from '../../protocol/path.js';
import { checkWithin } from '../libc/confinement.js';
import { mayHold } from '../libc/descriptor-limit.js';
import { Errno, errnoOf, systemError } from '../libc/errno.js';
import {
  components,
  isForeignLink,
  type Links,
  linkTarget,
  MAX_LINKS,
  O_PATH,
  openAgain,
  openIn,
  walkTo,
} from '../libc/walk.js';
import { Dir, type HeldTree, pathBytes } from './dir.js';
import { checkDirectory, followAll, withoutClimbing } from './followed.js';
import { FileStat, lstatInto } from './stat.js';

const SLASH = 0x2f;

/** An absolute path as a relative one. */
function withoutSlashes(path: ByteString): ByteString {
  return path.replace(/^\/+/, '');
}

/**
 * A tree that paths are resolved in.
 *
 * plain: a prefix is put before the path, the kernel does the rest.
 * confined: a tree that a peer's paths never leave. Every directory on the way is opened by itself (`libc/walk.ts`), and
 * held; entries are named through /proc/self/fd. A component that is swapped for a link in between is therefore never
 * followed. Links to directories are followed only with `followInside`, by hand, and only when they lead to a place
 * below the root.
 * guarded: the same for a user's own destination, with links inside followed. What options name beside it is found in
 * `options`, a held tree that may be left, but only through links that root or the own user has made.
 */
export class Root implements HeldTree {
  /** Confined: least recently used first. Plain: the last few. */
  private readonly dirs = new Map<ByteString, Dir>();
  private rootFd = -1;
  private last: Dir | null = null;

  /** Confined by the text of paths only: links are followed, wherever they lead. */
  private followsAll = false;

  private constructor(
    private readonly base: Buffer,
    readonly isConfined: boolean,
    private readonly links: Links,
    /** What paths are resolved in that lead out of this tree; null: it has none, or is plain. */
    private readonly outer: Root | null = null,
    /** Told once when a link of another user is refused. */
    private told: (() => void) | null = null,
  ) {}

  static plain(path: ByteString): Root {
    return new Root(pathBytes(path === '' ? '.' : path), false, 'inside');
  }

  /**
   * Opens `path` (the caller's own, links in it are followed). Throws an errno error. With `outer`, a confined tree
   * around this one, paths that begin with a slash are resolved in that, from its own root.
   */
  static confined(path: ByteString, followInside = false, outer: Root | null = null): Root {
    const root = new Root(pathBytes(path === '' ? '.' : path), true, followInside ? 'inside' : 'none', outer);
    root.enter(openSync(root.base, O_PATH | constants.O_DIRECTORY), outer === null);
    return root;
  }

  /**
   * A tree whose paths begin at `path` and cannot climb out of it by `..`, and in which the kernel follows every link: for
   * a module whose owner trusts all who can make links in it.
   */
  static trusting(path: ByteString, outer: Root | null = null): Root {
    const root = new Root(pathBytes(path), true, 'inside', outer);
    root.followsAll = true;
    return root;
  }

  /** The directory `rel` as a tree of the same kind around which this one is the outer one. Throws an errno error. */
  within(rel: ByteString, followInside: boolean): Root {
    // A confined tree is opened through the descriptor that is held.
    const path = this.dir(rel).self().toString('latin1');
    return this.followsAll ? Root.trusting(path, this) : Root.confined(path, followInside, this);
  }

  /**
   * Opens `path`, an absolute one that a user has named. Throws an errno error, one that `isForeignLink` knows for the link
   * of another user. Paths of options, absolute ones and those that begin with `..`, lead out of the tree.
   */
  static guarded(path: ByteString, told: (() => void) | null = null): Root {
    const options = new Root(pathBytes(path), true, 'trusted', null, told);
    options.enter(options.walk(-1, path));
    const root = new Root(options.base, true, 'inside', options);
    root.rootFd = openAgain(options.rootFd);
    return root;
  }

  /**
   * A tree in which a user names what he wants: `path` itself is the caller's own, links in it are followed; below, only
   * those that root or the own user has made. Throws an errno error.
   */
  static named(path: ByteString, told: () => void): Root {
    const root = new Root(pathBytes(path), true, 'trusted', null, told);
    root.enter(openSync(root.base, O_PATH | constants.O_DIRECTORY), false);
    return root;
  }

  /** A tree that is not there yet: nothing is in it, but absolute paths are found in `outer`, or as in a guarded one. */
  static nowhere(outer: Root = new Root(pathBytes('/'), true, 'trusted')): Root {
    return new Root(pathBytes('/'), true, 'none', outer);
  }

  /** Where the directories are that options name, also those with a relative name. */
  get options(): Root {
    return this.outer?.links === 'trusted' ? this.outer : this;
  }

  private enter(fd: number, looks = true): void {
    this.rootFd = fd;
    try {
      // Says so at once when /proc is not there, through which one in another tree was reached.
      if (looks) closeSync(openAgain(fd));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** What a path is called in `outer`; null when it lies in this tree. */
  private outside(rel: ByteString): ByteString | null {
    if (this.outer === null) return null;
    if (this.outer.links !== 'trusted') return rel.charCodeAt(0) === SLASH ? withoutSlashes(rel) : null;
    return /^(\/|\.\.(\/|$))/.test(rel) ? rel : null;
  }

  /** The directory `rel` ('' or '.': the root itself). Throws an errno error. Cached. */
  dir(rel: ByteString): Dir {
    if (this.last !== null && this.last.rel === rel) return this.last;
    const elsewhere = this.outside(rel);
    if (elsewhere !== null) return (this.outer as Root).dir(elsewhere);
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
    if (name === '..' && this.options.links === 'trusted') return this.dir(rel).self();
    const dir = this.dir(parentOf(rel));
    return name === '' || name === '.' ? dir.self() : dir.atString(name);
  }

  /**
   * The path of what `rel` stands for when links are followed: the result is no link itself. In a confined tree a link
   * that is not to be followed is an errno error (ELOOP).
   */
  resolve(rel: ByteString): Buffer {
    if (!this.isConfined) return this.path(rel);
    const elsewhere = this.outside(rel);
    if (elsewhere !== null) return (this.outer as Root).resolve(elsewhere);
    let path = rel;
    const st = new FileStat();
    for (let links = 0; links <= MAX_LINKS; links++) {
      const at = links === 0 ? this.path(path) : this.behindLink(path);
      const errno = lstatInto(at, st);
      if (errno !== 0) throw systemError(errno, 'lstat');
      if ((st.mode & 0o170000) !== 0o120000) return at;
      if (this.links === 'none') break;
      if (this.followsAll) return followAll(at);
      path = this.linkedPath(path.slice(0, path.lastIndexOf('/') + 1), at);
    }
    throw systemError(Errno.ELOOP, 'open');
  }

  /** The same as `path` for where a link leads: out of the tree is as bad as round in circles. */
  private behindLink(rel: ByteString): Buffer {
    if (this.outside(rel) !== null) throw systemError(Errno.ELOOP, 'open');
    try {
      return this.path(rel);
    } catch (error) {
      throw errnoOf(error) === Errno.EXDEV ? systemError(Errno.ELOOP, 'open') : error;
    }
  }

  /** To be called after `rel` was renamed, removed or replaced: what is held below it is closed. */
  forget(rel: ByteString): void {
    this.last = null;
    const elsewhere = this.outside(rel);
    if (elsewhere !== null) this.outer?.forget(elsewhere);
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
    if (this.options !== this) this.options.close();
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

  private plainPrefix(rel: ByteString): Buffer {
    const path = rel === '' ? this.base : rel.startsWith('/') ? pathBytes(rel) : this.join(rel);
    return path.at(-1) === SLASH ? path : Buffer.concat([path, Buffer.of(SLASH)]);
  }

  private join(rel: ByteString): Buffer {
    const separator = this.base.at(-1) === SLASH ? Buffer.alloc(0) : Buffer.of(SLASH);
    return Buffer.concat([this.base, separator, pathBytes(rel)]);
  }

  private makeRoom(): void {
    if (mayHold(this.dirs.size)) return;
    const [oldest, dir] = this.dirs.entries().next().value as [ByteString, Dir];
    this.dirs.delete(oldest);
    if (this.isConfined) dir.release();
  }

  /** A descriptor of the directory `rel`, opened from the nearest one that is held already. */
  private open(rel: ByteString): number {
    const isAbsolute = rel.startsWith('/');
    if ((isAbsolute && this.links !== 'trusted') || rel.includes('\0')) throw systemError(Errno.EINVAL, 'open');
    if (this.rootFd < 0 && !(isAbsolute && this.outer === null)) throw systemError(Errno.ENOENT, 'open');
    const slash = rel.lastIndexOf('/');
    const last = rel.slice(slash + 1);
    const parent = this.heldAbove(rel, slash);
    if (parent >= 0 && last !== '' && last !== '.' && last !== '..') {
      const fd = openIn(parent, last);
      if (fd >= 0) return fd;
    }
    const fd = this.walk(this.rootFd, rel);
    if (this.links !== 'trusted') return fd;
    try {
      checkWithin(fd, rel);
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Descriptor of the directory whose path ends where the last slash of `rel` is; -1 when it is not held. */
  private heldAbove(rel: ByteString, slash: number): number {
    if (slash < 0) return this.links === 'trusted' ? -1 : this.rootFd;
    return slash > 0 ? (this.dirs.get(rel.slice(0, slash))?.fd ?? -1) : -1;
  }

  private walk(start: number, path: ByteString): number {
    try {
      return walkTo(start, path, this.links);
    } catch (error) {
      if (isForeignLink(error)) {
        this.told?.();
        this.told = null;
      }
      throw error;
    }
  }

  /** Where the link `at` leads to, as a path of this tree. `dir` is the path of its directory, '' or with a slash at its end. */
  private linkedPath(dir: ByteString, at: Buffer): ByteString {
    const target = linkTarget(at, this.links);
    const whole = target.startsWith('/') ? target : dir + target;
    const path = (whole.startsWith('/') ? '/' : '') + components(whole).join('/');
    // What ends in '..' or a slash is a directory; the walk finds out which.
    return path.endsWith('..') || target.endsWith('/') ? `${path}/.` : path;
  }
}
