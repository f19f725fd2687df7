import { constants } from 'node:fs';
import { systemError } from './errno.js';
import type { KoffiFunction } from './koffi.js';
import { addressOf, bind, heldDirectory, lastErrno, libcLoaded, statxBytes } from './libc.js';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;
const ENAMETOOLONG = 36;
const OPEN_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK | 0o2000000;
/** struct dirent64: number and offset, then these. */
const RECORD_LENGTH = 16;
const RECORD_NAME = 19;
const RECORD_ALIGN = 8;
const DOT = 0x2e;
const FIRST_ARENA = 64 * 1024;
/** Room for one call of getdents64. */
const READ_ROOM = 32 * 1024;
const LONGEST_LINK = 4096;

interface Calls {
  openat: KoffiFunction;
  close: KoffiFunction;
  getdents64: KoffiFunction;
  statx: KoffiFunction;
  readlinkat: KoffiFunction;
  statxAddress: number;
}

/** undefined: not tried yet. Memory is passed by its address: unlike a buffer, a number costs nothing to hand over. */
let calls: Calls | null | undefined;

function bindCalls(): Calls | null {
  try {
    return {
      openat: bind('int openat(int dir, void *path, int flags)'),
      close: bind('int close(int fd)'),
      getdents64: bind('int64_t getdents64(int fd, uintptr_t buffer, size_t size)'),
      statx: bind('int statx(int dir, uintptr_t name, int flags, unsigned int mask, uintptr_t out)'),
      readlinkat: bind('int64_t readlinkat(int dir, uintptr_t name, void *out, size_t size)'),
      statxAddress: addressOf(statxBytes),
    };
  } catch {
    // An older C library has no getdents64.
    return null;
  }
}

/** True when directories can be read by `RawDirectory`. */
export function canReadRaw(): boolean {
  if (!libcLoaded()) return false;
  if (calls === undefined) calls = bindCalls();
  return calls !== null;
}

/**
 * The entries of one directory as the kernel gives them: names stay where the kernel has put them, each with a NUL
 * behind it, and go back to the kernel from there. To be used again and again; only when `canReadRaw()`.
 */
export class RawDirectory {
  /** Number of entries, without `.` and `..`. */
  count = 0;
  arena: Buffer = Buffer.allocUnsafeSlow(FIRST_ARENA);
  nameOffset = new Uint32Array(512);
  nameLength = new Uint16Array(512);
  private readonly calls = calls as Calls;
  private address = addressOf(this.arena);
  private fd = -1;

  /** Opens a directory (a link is followed) and reads all its names. Throws an errno error. */
  open(path: Buffer): void {
    this.close();
    this.fd = this.openDirectory(path);
    let used = 0;
    for (;;) {
      if (this.arena.length - used < READ_ROOM) this.grow(used);
      const n = Number(this.calls.getdents64(this.fd, this.address + used, this.arena.length - used));
      if (n < 0) {
        const errno = lastErrno();
        this.close();
        throw systemError(errno, 'scandir');
      }
      if (n === 0) break;
      used += n;
    }
    this.index(used);
  }

  private openDirectory(path: Buffer): number {
    const held = heldDirectory(path);
    const name = held >= 0 ? '.\0' : `${path.toString('latin1')}\0`;
    const fd = this.calls.openat(held >= 0 ? held : AT_FDCWD, Buffer.from(name, 'latin1'), OPEN_FLAGS);
    if (fd < 0) throw systemError(lastErrno(), 'scandir');
    return fd;
  }

  private grow(used: number): void {
    const wider = Buffer.allocUnsafeSlow(this.arena.length * 4);
    this.arena.copy(wider, 0, 0, used);
    this.arena = wider;
    this.address = addressOf(wider);
  }

  /** Finds the names in the records that fill the arena up to `used`. */
  private index(used: number): void {
    const { arena } = this;
    let count = 0;
    for (let at = 0; at < used; ) {
      const length = arena[at + RECORD_LENGTH] | (arena[at + RECORD_LENGTH + 1] << 8);
      const name = at + RECORD_NAME;
      // The name ends in the last eight bytes; what is behind its NUL may be anything.
      let end = Math.max(name, at + length - RECORD_ALIGN);
      while (arena[end] !== 0) end++;
      at += length;
      if (arena[name] === DOT && (end === name + 1 || (end === name + 2 && arena[name + 1] === DOT))) continue;
      if (count === this.nameOffset.length) this.growIndex();
      this.nameOffset[count] = name;
      this.nameLength[count++] = end - name;
    }
    this.count = count;
  }

  private growIndex(): void {
    const { nameOffset, nameLength } = this;
    this.nameOffset = new Uint32Array(nameOffset.length * 2);
    this.nameOffset.set(nameOffset);
    this.nameLength = new Uint16Array(nameLength.length * 2);
    this.nameLength.set(nameLength);
  }

  /** statx() of entry `i`, a link itself, into `statxWords`. Returns 0 or an errno. */
  statx(i: number): number {
    const { calls: c } = this;
    const name = this.address + this.nameOffset[i];
    return c.statx(this.fd, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, c.statxAddress) === 0 ? 0 : lastErrno();
  }

  /** Target of the link that entry `i` is. Throws an errno error. */
  readLink(i: number): Buffer {
    const out = Buffer.allocUnsafe(LONGEST_LINK);
    const n = Number(this.calls.readlinkat(this.fd, this.address + this.nameOffset[i], out, LONGEST_LINK));
    if (n < 0) throw systemError(lastErrno(), 'readlink');
    if (n === LONGEST_LINK) throw systemError(ENAMETOOLONG, 'readlink');
    return Buffer.from(out.subarray(0, n));
  }

  close(): void {
    if (this.fd >= 0) this.calls.close(this.fd);
    this.fd = -1;
  }
}
