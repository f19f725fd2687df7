import { type Bound, bindAll, checked, cString, needed } from './bind.js';
import { systemError } from './errno.js';
import { AT_FDCWD, fillPath, heldDir, splitHeld } from './held-path.js';
import { type KoffiFunction, loadKoffi } from './koffi.js';

/** Flags of the *at() calls. */
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
/** tv_nsec that leaves a time as it is. */
const UTIME_OMIT = 0x3ffffffe;
const FALLOC_KEEP_SIZE = 1;
const SEEK_SET = 0;
const SEEK_END = 2;
const FALLOC_PUNCH_HOLE = 2;
const F_SETLK = 6;
const F_WRLCK = 1;

/** Prototypes of everything that is called, in the types of a 64-bit Linux. */
const PROTOTYPES = {
  chroot: 'int chroot(void *path)',
  mknod: 'int mknod(void *path, unsigned int mode, uint64_t dev)',
  utimensat: 'int utimensat(int dir, void *path, void *times, int flags)',
  futimens: 'int futimens(int fd, void *times)',
  lseek: 'int64_t lseek(int fd, int64_t offset, int whence)',
  fallocate: 'int fallocate(int fd, int mode, int64_t offset, int64_t length)',
  copy_file_range: 'int64_t copy_file_range(int from, void *a, int to, void *b, size_t length, unsigned int flags)',
  fcntl: 'int fcntl(int fd, int command, void *argument)',
  renameat: 'int renameat(int from, void *a, int to, void *b)',
  // Addresses as numbers: to look into a buffer for each call takes longer than the call.
  statx: 'int statx(int dir, uintptr_t path, int flags, unsigned int mask, uintptr_t out)',
  getpwuid_r: 'int getpwuid_r(unsigned int uid, void *entry, void *text, size_t size, void *result)',
  getpwnam_r: 'int getpwnam_r(void *name, void *entry, void *text, size_t size, void *result)',
  getgrgid_r: 'int getgrgid_r(unsigned int gid, void *entry, void *text, size_t size, void *result)',
  getgrnam_r: 'int getgrnam_r(void *name, void *entry, void *text, size_t size, void *result)',
} as const;

type Calls = Bound<keyof typeof PROTOTYPES>;

/** undefined: not tried yet. */
let calls: Calls | null | undefined;

/** True when the C library can be reached; loads it at the first call. */
export function hasLibc(): boolean {
  if (calls === undefined) calls = bindAll(PROTOTYPES);
  return calls !== null;
}

/** True when the C library is loaded already: lets a hot path use it without paying for the load. */
export function libcLoaded(): boolean {
  return calls !== undefined && calls !== null;
}

/** Loads everything that may be needed later; a daemon's worker calls it before it gives up rights and root directory. */
export function preload(): void {
  if (hasLibc()) lookUp('getpwuid_r', 0);
}

const further = new Map<string, KoffiFunction>();

/**
 * A further function of the C library, only when `libcLoaded()`. Throws when the library does not have it. To make one
 * takes longer than some calls of it, so each is made once.
 */
export function bind(prototype: string): KoffiFunction {
  let call = further.get(prototype);
  if (call === undefined) {
    call = (calls as Calls).koffi.load(null).func(prototype) as KoffiFunction;
    further.set(prototype, call);
  }
  return call;
}

/** The error number of the call that failed last. */
export function lastErrno(): number {
  return (calls as Calls).koffi.errno();
}

/** Where the memory of a buffer is. It must be longer than the 64 bytes that V8 may move, and kept as long as it is used. */
export function addressOf(buffer: ArrayBufferView): number {
  return Number(loadKoffi()!.address(buffer));
}

/** The calls, or an error (exit 4) that says which feature is missing. */
function need(feature: string): Calls {
  if (calls === undefined) calls = bindAll(PROTOTYPES);
  return needed(calls, feature);
}

function check(c: Calls, result: number, syscall: string): number {
  return checked(c.koffi, result, syscall);
}

let isRootChanged = false;

/** Changes the root directory of this process; the caller goes to "/" afterwards. */
export function chroot(path: Uint8Array): void {
  const c = need('chroot');
  check(c, c.chroot(cString(path, 'chroot')), 'chroot');
  isRootChanged = true;
}

/** True when no path of this program or of the system means what it meant at its start. */
export function rootChanged(): boolean {
  return isRootChanged;
}

/** The kernel's device number of major and minor, as glibc packs it. */
function makeDevice(major: number, minor: number): bigint {
  const [a, b] = [BigInt(major >>> 0), BigInt(minor >>> 0)];
  return ((a & ~0xfffn) << 32n) | ((a & 0xfffn) << 8n) | ((b & ~0xffn) << 12n) | (b & 0xffn);
}

/** Creates a device, fifo or socket; `mode` holds type and permissions (the umask applies). */
export function mknod(path: Uint8Array, mode: number, major: number, minor: number): void {
  const c = need('special files');
  check(c, c.mknod(cString(path, 'mknod'), mode, makeDevice(major, minor)), 'mknod');
}

/** atime and mtime as two struct timespec: seconds and nanoseconds of 64 bits, low half first. */
const times = new Int32Array(8);

function setTime(at: number, seconds: number | null, nsec: number): void {
  times[at] = seconds ?? 0;
  times[at + 1] = seconds === null ? 0 : Math.floor(seconds / 0x1_0000_0000);
  times[at + 2] = seconds === null ? UTIME_OMIT : nsec;
}

function setTimes(atimeSec: number | null, atimeNsec: number, mtimeSec: number | null, mtimeNsec: number): void {
  setTime(0, atimeSec, atimeNsec);
  setTime(4, mtimeSec, mtimeNsec);
}

/** Sets times to the nanosecond; null leaves one as it is. With `noFollow` a symlink's own times are set. */
export function utimensat(
  path: Uint8Array,
  atimeSec: number | null,
  atimeNsec: number,
  mtimeSec: number | null,
  mtimeNsec: number,
  noFollow: boolean,
): void {
  const c = need('times to the nanosecond');
  setTimes(atimeSec, atimeNsec, mtimeSec, mtimeNsec);
  const flags = noFollow ? AT_SYMLINK_NOFOLLOW : 0;
  check(c, c.utimensat(AT_FDCWD, cString(path, 'utimensat'), times, flags), 'utimensat');
}

/** The same for an open file. */
export function futimens(
  fd: number,
  atimeSec: number | null,
  atimeNsec: number,
  mtimeSec: number | null,
  mtimeNsec: number,
): void {
  const c = need('times to the nanosecond');
  setTimes(atimeSec, atimeNsec, mtimeSec, mtimeNsec);
  check(c, c.futimens(fd, times), 'futimens');
}

/** Reserves room on disk. The length of the file stays as it is, unless it `grows` to take in what is reserved. */
export function fallocate(fd: number, offset: number, length: number, grows = false): void {
  const c = need('--preallocate');
  check(c, c.fallocate(fd, grows ? 0 : FALLOC_KEEP_SIZE, BigInt(offset), BigInt(length)), 'fallocate');
}

/** Bytes to the end of what is open, for what has no length otherwise. It stands at its beginning afterwards. */
export function seekLength(fd: number): number {
  const c = need('devices as files');
  const length = check(c, Number(c.lseek(fd, 0n, SEEK_END)), 'lseek');
  check(c, Number(c.lseek(fd, 0n, SEEK_SET)), 'lseek');
  return length;
}

/** Makes a hole: the range reads as zeros and takes no room. */
export function punchHole(fd: number, offset: number, length: number): void {
  const c = need('holes in existing files');
  check(c, c.fallocate(fd, FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE, BigInt(offset), BigInt(length)), 'fallocate');
}

/** Copies up to `length` bytes between the current positions of two files inside the kernel; 0 at the end. */
export function copyFileRange(from: number, to: number, length: number): number {
  const c = need('copy_file_range');
  return check(c, Number(c.copy_file_range(from, null, to, null, length, 0)), 'copy_file_range');
}

/** struct flock */
const lock = Buffer.alloc(32);

/** Takes a write lock on a byte range without waiting: false when another process has it. It ends with the process. */
export function lockRange(fd: number, offset: number, length: number): boolean {
  const c = need('lock file');
  lock.fill(0);
  lock.writeInt16LE(F_WRLCK, 0);
  lock.writeBigInt64LE(BigInt(offset), 8);
  lock.writeBigInt64LE(BigInt(length), 16);
  if (c.fcntl(fd, F_SETLK, lock) >= 0) return true;
  const errno = c.koffi.errno();
  if (errno === 11 || errno === 13) return false;
  throw systemError(errno, 'fcntl');
}

const renameTo = Buffer.alloc(4352);

/** rename(); only to be called when `libcLoaded()`. Errors are like Node's own. */
export function renameRaw(from: Uint8Array, to: Uint8Array): void {
  const c = calls as Calls;
  const fromName = splitHeld(from);
  const fromDir = heldDir;
  const toName = splitHeld(to);
  const errno = fillPath(from, fromName, statxPath) || fillPath(to, toName, renameTo);
  if (errno !== 0) throw systemError(errno, 'rename');
  check(c, c.renameat(fromDir, statxPath, heldDir, renameTo), 'rename');
}

/** struct statx of the last `statxRaw`, as bytes and as 32-bit words. */
const statxArea = new ArrayBuffer(256);
export const statxBytes = new Uint8Array(statxArea);
export const statxWords = new Uint32Array(statxArea);
const statxPath = Buffer.alloc(4352);
/** Where both lie, 0 before the first call. */
let statxPathAt = 0;
let statxAreaAt = 0;

/**
 * statx() into `statxWords`, only to be called when `libcLoaded()`. An empty path means the file `dir` itself.
 * Returns 0 or a positive errno; no error object, because a missing file is a usual answer.
 */
export function statxRaw(dir: number, path: Uint8Array, follow: boolean): number {
  const c = calls as Calls;
  const name = splitHeld(path);
  const errno = fillPath(path, name, statxPath);
  if (errno !== 0) return errno;
  const isEmpty = path.length === 0;
  const flags = (follow ? 0 : AT_SYMLINK_NOFOLLOW) | (isEmpty ? AT_EMPTY_PATH : 0);
  if (statxAreaAt === 0) {
    statxPathAt = addressOf(statxPath);
    statxAreaAt = addressOf(statxBytes);
  }
  return c.statx(isEmpty ? dir : heldDir, statxPathAt, flags, 0x7ff, statxAreaAt) === 0 ? 0 : c.koffi.errno();
}

/** A user or group as the name service gives it. `name` is a byte string; `gid` is the user's own group. */
export interface Account {
  name: string;
  id: number;
  gid: number;
}

/** Asks the name service (files, LDAP, systemd ...). null: no such account, or the C library cannot be reached. */
export function lookUp(
  call: 'getpwuid_r' | 'getpwnam_r' | 'getgrgid_r' | 'getgrnam_r',
  key: number | string,
): Account | null {
  if (!hasLibc()) return null;
  const c = calls as Calls;
  const argument = typeof key === 'number' ? key : Buffer.from(`${key}\0`, 'latin1');
  const entry = Buffer.alloc(64);
  const result = Buffer.alloc(8);
  for (let size = 4096; size <= 1 << 20; size *= 4) {
    const strings = Buffer.alloc(size);
    const code = c[call](argument, entry, strings, size, result);
    if (code === 34) continue;
    if (code !== 0 || result.readBigUInt64LE(0) === 0n) return null;
    const at = Number(entry.readBigUInt64LE(0) - BigInt(c.koffi.address(strings)));
    if (at < 0 || at >= size) return null;
    const end = strings.indexOf(0, at);
    return { name: strings.toString('latin1', at, end), id: entry.readUInt32LE(16), gid: entry.readUInt32LE(20) };
  }
  return null;
}
