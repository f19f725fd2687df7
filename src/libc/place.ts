import { constants } from 'node:fs';
import { heldDirectory } from './held-path.js';
import type { KoffiFunction } from './koffi.js';
import { addressOf, bind, lastErrno, statxBytes } from './libc.js';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;
const ENAMETOOLONG = 36;
const CLOSE_ON_EXEC = 0o2000000;
/** O_PATH: a place in the tree, without any right to its content. */
const OPEN_PLACE = constants.O_DIRECTORY | 0o10000000 | CLOSE_ON_EXEC;
const ROOM = 2 * 4096;
/** Looks at the same directory after which it is opened: from there on its path is not walked any more. */
const WORTH_OPENING = 8;

/**
 * A directory whose entries are looked at one after the other, each by its name in an arena. Costs no memory for an
 * entry. To be moved from directory to directory; only when `libcLoaded()`.
 */
export class RawPlace {
  /** The directory's path, if it is not open, and the name behind it. */
  private readonly text = Buffer.allocUnsafeSlow(ROOM);
  private readonly address = addressOf(this.text);
  private readonly out = addressOf(statxBytes);
  private readonly statxCall: KoffiFunction = bind(
    'int statx(int dir, uintptr_t name, int flags, unsigned int mask, uintptr_t out)',
  );
  private readonly open: KoffiFunction = bind('int openat(int dir, uintptr_t path, int flags)');
  private readonly closeCall: KoffiFunction = bind('int close(int fd)');
  private prefix = 0;
  private dir = AT_FDCWD;
  /** The directory that was opened here, -1 for none. */
  private own = -1;
  private looks = 0;

  /** Goes to a directory: `path` is its path with a slash at the end, or /proc/self/fd/N/ of one that others hold. */
  enter(path: Uint8Array): void {
    this.close();
    this.dir = heldDirectory(path);
    this.prefix = 0;
    this.looks = 0;
    if (this.dir >= 0) return;
    this.dir = AT_FDCWD;
    // One that is too long is an error of each entry.
    this.prefix = path.length;
    if (path.length < ROOM) this.text.set(path);
  }

  /** statx() of the entry arena[from, to), a link itself, into `statxWords`. Returns 0 or an errno. */
  statx(arena: Uint8Array, from: number, to: number): number {
    if (!this.name(arena, from, to)) return ENAMETOOLONG;
    const result = this.statxCall(this.dir, this.address, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, this.out);
    return result === 0 ? 0 : lastErrno();
  }

  /** openat() of the entry arena[from, to): its descriptor, or an errno below zero. */
  openFile(arena: Uint8Array, from: number, to: number, flags: number): number {
    if (!this.name(arena, from, to)) return -ENAMETOOLONG;
    const fd = this.open(this.dir, this.address, flags | CLOSE_ON_EXEC);
    return fd >= 0 ? fd : -lastErrno();
  }

  /** Puts the name of an entry behind the path; false when that is too long. */
  private name(arena: Uint8Array, from: number, to: number): boolean {
    if (this.prefix > 0 && ++this.looks === WORTH_OPENING) this.hold();
    const { text, prefix } = this;
    const end = prefix + to - from;
    if (end >= ROOM) return false;
    for (let i = from, at = prefix; i < to; i++, at++) text[at] = arena[i];
    text[end] = 0;
    return true;
  }

  /** The same for the name at an address, with a NUL behind it, into other memory; only in a directory that `isHeld`. */
  statxAt(name: number, out: number): number {
    return this.statxCall(this.dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, out) === 0 ? 0 : lastErrno();
  }

  /** Opens the file of the name at an address, the same way; -1 when that fails. */
  openAt(name: number, flags: number): number {
    return this.open(this.dir, name, flags);
  }

  /** The directory's descriptor; only when it `isHeld`. */
  get fd(): number {
    return this.dir;
  }

  /** True when the directory is open here or at others; opens it if need be. */
  get isHeld(): boolean {
    if (this.prefix > 0) this.hold();
    return this.dir >= 0;
  }

  private hold(): void {
    if (this.prefix >= ROOM) return;
    this.text[this.prefix] = 0;
    const fd = this.open(AT_FDCWD, this.address, OPEN_PLACE);
    if (fd < 0) return;
    this.own = this.dir = fd;
    this.prefix = 0;
  }

  close(): void {
    if (this.own >= 0) this.closeCall(this.own);
    this.own = -1;
    this.dir = AT_FDCWD;
  }
}
