import { Errno } from './errno.js';
import type { KoffiFunction } from './koffi.js';
import { addressOf, bind, lastErrno } from './libc.js';

/** Calls that take a directory and a name; of the same numbers on every machine. */
const GETXATTRAT = 464;
const LISTXATTRAT = 465;
const AT_SYMLINK_NOFOLLOW = 0x100;
const PATH_ROOM = 2 * 4096;
/** struct xattr_args: address, of 64 bits, size, flags. */
const ARGS_ROOM = 16;
/** For names and values of a file. The kernel clears all the room that it is offered, which takes longer than the rest. */
const ROOM = 512;

/** False once these calls were found to be missing (before Linux 6.13, or forbidden): then each file is asked for by its path. */
let hasAtCalls = true;

/**
 * Extended attributes of the entries of one directory, of links themselves, without an object for any of them. Only when
 * `libcLoaded()`.
 */
export class XattrPlace {
  private readonly room = Buffer.allocUnsafeSlow(PATH_ROOM + ARGS_ROOM + ROOM);
  /** The names that `list` has found, each with a NUL behind it, and behind them the values that were asked for. */
  readonly bytes = this.room.subarray(PATH_ROOM + ARGS_ROOM);
  private readonly words = new Int32Array(this.room.buffer, PATH_ROOM, ARGS_ROOM / 4);
  private readonly path = addressOf(this.room);
  private readonly args = this.path + PATH_ROOM;
  private readonly found = this.args + ARGS_ROOM;
  private readonly listAt: KoffiFunction = bind(
    'int64_t syscall(long call, int dir, uintptr_t name, unsigned int flags, uintptr_t names, size_t size)',
  );
  private readonly getAt: KoffiFunction = bind(
    'int64_t syscall(long call, int dir, uintptr_t path, unsigned int flags, uintptr_t name, uintptr_t args, size_t size)',
  );
  private readonly listByPath: KoffiFunction = bind('int64_t llistxattr(uintptr_t path, uintptr_t names, size_t size)');
  private readonly getByPath: KoffiFunction = bind(
    'int64_t lgetxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size)',
  );
  private readonly copy: KoffiFunction = bind('uintptr_t memccpy(uintptr_t to, uintptr_t from, int last, size_t most)');
  /** Length of the directory's path, which `room` begins with. */
  private prefix = 0;
  // The entry that `list` was asked about.
  private dir = -1;
  private name = 0;

  /** Goes to a directory, whose path has a slash at its end. */
  enter(path: Uint8Array): void {
    this.prefix = Math.min(path.length, PATH_ROOM);
    this.room.set(path.subarray(0, this.prefix));
  }

  /**
   * Lists the names of the attributes that an entry has: how many bytes they take, or an errno below zero. `dir` is the open
   * directory, `name` the address of the entry's name, which has a NUL behind it.
   */
  list(dir: number, name: number): number {
    this.dir = dir;
    this.name = name;
    if (!hasAtCalls)
      return this.fillPath() ? result(this.listByPath(this.path, this.found, ROOM)) : -Errno.ENAMETOOLONG;
    const length = result(this.listAt(LISTXATTRAT, dir, name, AT_SYMLINK_NOFOLLOW, this.found, ROOM));
    return isMissing(length) ? this.list(dir, name) : length;
  }

  /** Puts the value of the attribute whose name begins at `bytes[at]` to `bytes[to]`: its length, or an errno below zero. */
  get(at: number, to: number): number {
    // No room would be a question for the length.
    if (to >= ROOM) return -Errno.ERANGE;
    const name = this.found + at;
    if (!hasAtCalls) return result(this.getByPath(this.path, name, this.found + to, ROOM - to));
    const { words } = this;
    words[0] = this.found + to;
    words[1] = Math.floor((this.found + to) / 0x1_0000_0000);
    words[2] = ROOM - to;
    words[3] = 0;
    return result(this.getAt(GETXATTRAT, this.dir, this.name, AT_SYMLINK_NOFOLLOW, name, this.args, ARGS_ROOM));
  }

  private fillPath(): boolean {
    return Number(this.copy(this.path + this.prefix, this.name, 0, PATH_ROOM - this.prefix)) !== 0;
  }
}

function result(returned: number): number {
  const n = Number(returned);
  return n >= 0 ? n : -lastErrno();
}

/** Notes that a call is not there. */
function isMissing(length: number): boolean {
  if (length !== -Errno.ENOSYS && length !== -Errno.EPERM) return false;
  hasAtCalls = false;
  return true;
}
