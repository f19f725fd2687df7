import { constants } from 'node:fs';
import { ListKernel, ListPlace, ListState, RUN_ROWS } from '../../protocol/kernel/list-kernel.js';
import { systemError } from './errno.js';
import { heldDirectory } from './held-path.js';
import type { KoffiFunction } from './koffi.js';
import { addressOf, bind, lastErrno, libcLoaded } from './libc.js';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;
const ENAMETOOLONG = 36;
const OPEN_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK | 0o2000000;
const DOT = Buffer.from('.');
/** The shortest record of getdents64. */
const SHORTEST_RECORD = 24;
/** What the kernel keeps of an entry besides its record: offset, length, number, spare number, two keys. */
const ENTRY_ROOM = 32;
/** Room for one call of getdents64. */
const READ_ROOM = 32 * 1024;
const LONGEST_LINK = 4096;

interface Calls {
  openat: KoffiFunction;
  close: KoffiFunction;
  getdents64: KoffiFunction;
  statx: KoffiFunction;
  readlinkat: KoffiFunction;
}

/** undefined: not tried yet. Memory is passed by its address: unlike a buffer, a number costs nothing to hand over. */
let calls: Calls | null | undefined;

function bindCalls(): Calls | null {
  try {
    return {
      openat: bind('int openat(int dir, uintptr_t path, int flags)'),
      close: bind('int close(int fd)'),
      getdents64: bind('int64_t getdents64(int fd, uintptr_t buffer, size_t size)'),
      statx: bind('int statx(int dir, uintptr_t name, int flags, unsigned int mask, uintptr_t out)'),
      readlinkat: bind('int64_t readlinkat(int dir, uintptr_t name, void *out, size_t size)'),
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

/** Takes what else a file has than its state into a run: as row `i`, of the name at an address, in an open directory. False: it cannot. */
export interface FurtherTaker {
  take(kernel: ListKernel, i: number, dir: number, name: number): boolean;
}

/**
 * The entries of one directory as the system gives them: names stay where it has put them, each with a NUL behind it, and
 * go back to it from there. To be used again and again; only when `canReadRaw()`.
 */
export class RawDirectory {
  /** Number of entries, without `.` and `..`. */
  count = 0;
  nameOffset: Uint32Array = new Uint32Array(0);
  nameLength: Uint32Array = new Uint32Array(0);
  readonly kernel = new ListKernel();
  /** Null: nothing else is wanted. */
  further: FurtherTaker | null = null;
  /** Rows of the run that `take` has made so far. */
  taken = 0;
  private readonly calls = calls as Calls;
  private address = addressOf(this.kernel.bytes);
  private statxAddress = this.address + ListPlace.STATX;
  private fd = -1;
  /** Entries of the rows of the run. */
  private readonly takenEntries = new Uint32Array(RUN_ROWS);
  /** Where numbers of entries are sorted. */
  private sortAt = 0;
  /** The entry that `take` has looked at last, and what came of it. */
  private looked = -1;
  private errno = 0;

  get arena(): Buffer {
    return this.kernel.bytes;
  }

  /** Opens a directory (a link is followed) and reads all its names. Throws an errno error. */
  open(path: Buffer): void {
    this.close();
    this.fd = this.openDirectory(path);
    let used = 0;
    for (;;) {
      if (this.kernel.bytes.length < ListPlace.DIRENTS + used + READ_ROOM) this.reserve(2 * used + READ_ROOM);
      const room = this.kernel.bytes.length - ListPlace.DIRENTS - used;
      const n = Number(this.calls.getdents64(this.fd, this.address + ListPlace.DIRENTS + used, room));
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
    const name = held >= 0 ? DOT : path;
    // The kernel's memory is free until the entries are there.
    const end = ListPlace.DIRENTS + name.length;
    this.reserve(name.length + 1);
    this.kernel.bytes.set(name, ListPlace.DIRENTS);
    this.kernel.bytes[end] = 0;
    const fd = this.calls.openat(held >= 0 ? held : AT_FDCWD, this.address + ListPlace.DIRENTS, OPEN_FLAGS);
    if (fd < 0) throw systemError(lastErrno(), 'scandir');
    return fd;
  }

  /** Makes room for `length` bytes from DIRENTS on. */
  private reserve(length: number): void {
    if (!this.kernel.reserve(ListPlace.DIRENTS + length)) return;
    this.address = addressOf(this.kernel.bytes);
    this.statxAddress = this.address + ListPlace.STATX;
  }

  /** Finds the names in the records, which take `used` bytes. */
  private index(used: number): void {
    const most = Math.floor(used / SHORTEST_RECORD);
    const length = Math.ceil(used / 8) * 8;
    this.reserve(length + most * ENTRY_ROOM);
    const offsets = ListPlace.DIRENTS + length;
    const lengths = offsets + 4 * most;
    const { kernel } = this;
    this.count = kernel.wasm.indexEntries(used, offsets, lengths);
    this.nameOffset = kernel.words.subarray(offsets / 4, offsets / 4 + this.count);
    this.nameLength = kernel.words.subarray(lengths / 4, lengths / 4 + this.count);
    this.sortAt = lengths + 4 * most;
    this.looked = -1;
    this.dropRun();
  }

  /** Sorts numbers of entries by the bytes of their names; `asDirectories`: as if a slash followed each. */
  sort(numbers: Int32Array, asDirectories: boolean): void {
    const { kernel, nameOffset, nameLength, sortAt } = this;
    const n = numbers.length;
    if (n < 2) return;
    const order = kernel.words.subarray(sortAt / 4, sortAt / 4 + n);
    const spare = sortAt + 4 * n;
    const keys = Math.ceil((spare + 4 * n) / 8) * 8;
    order.set(numbers);
    const [offsets, lengths] = [nameOffset.byteOffset, nameLength.byteOffset];
    kernel.wasm.sortEntries(sortAt, n, asDirectories ? 1 : 0, offsets, lengths, spare, keys);
    numbers.set(order);
  }

  /**
   * Looks at entry `i` and, when it is a plain regular file and the run has room, makes it the next row of the kernel's run.
   * Otherwise false; `lookAt`, or another try, then does not ask the system again.
   */
  take(i: number): boolean {
    const { kernel, further, taken } = this;
    const name = this.nameOffset[i];
    const used = kernel.state[ListState.USED];
    if (this.looked !== i) this.errno = this.statx(name);
    if (this.errno === 0 && kernel.wasm.takeFound(taken, name, this.nameLength[i]) !== 0) {
      if (further === null || further.take(kernel, taken, this.fd, this.address + name)) {
        this.takenEntries[this.taken++] = i;
        return true;
      }
      kernel.state[ListState.USED] = used;
    }
    this.looked = i;
    return false;
  }

  /** Opens the file of row `i` of the run; -1 when that fails. It is to be closed. */
  openTaken(i: number, flags: number): number {
    return this.calls.openat(this.fd, this.address + this.nameOffset[this.takenEntries[i]], flags);
  }

  /** The run was used, or is not wanted. */
  dropRun(): void {
    this.taken = 0;
    this.kernel.state[ListState.USED] = 0;
  }

  /** statx() of entry `i`, a link itself, into the kernel's `statx`. Returns 0 or an errno. */
  lookAt(i: number): number {
    if (this.looked !== i) this.errno = this.statx(this.nameOffset[i]);
    this.looked = -1;
    return this.errno;
  }

  private statx(nameOffset: number): number {
    const { calls: c } = this;
    const name = this.address + nameOffset;
    return c.statx(this.fd, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, this.statxAddress) === 0 ? 0 : lastErrno();
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
