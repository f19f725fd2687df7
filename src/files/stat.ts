import { type BigIntStats, fstatSync, lstatSync, statSync } from 'node:fs';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { hasLibc, libcLoaded, statxRaw, statxWords } from '../libc/libc.js';

/** What the file system says about one file. A record to be reused: filled by `lstatInto`, `statInto` and `fstatInto`. */
export class FileStat {
  /** False after a call that found nothing; the other fields are then stale. */
  exists = false;
  /** Type and permission bits. */
  mode = 0;
  /** Bytes. */
  size = 0;
  /** Seconds since 1970, and the nanoseconds behind them (0 to 999999999). */
  mtime = 0;
  nsec = 0;
  atime = 0;
  atimeNsec = 0;
  uid = 0;
  gid = 0;
  dev = 0;
  ino = 0;
  nlink = 0;
  rdevMajor = 0;
  rdevMinor = 0;

  get isDir(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }

  get isRegular(): boolean {
    return (this.mode & S_IFMT) === S_IFREG;
  }

  get isLink(): boolean {
    return (this.mode & S_IFMT) === S_IFLNK;
  }

  /** A block or character device. */
  get isDevice(): boolean {
    const type = this.mode & S_IFMT;
    return type === S_IFCHR || type === S_IFBLK;
  }

  copyFrom(other: FileStat): void {
    this.exists = other.exists;
    this.mode = other.mode;
    this.size = other.size;
    this.mtime = other.mtime;
    this.nsec = other.nsec;
    this.atime = other.atime;
    this.atimeNsec = other.atimeNsec;
    this.uid = other.uid;
    this.gid = other.gid;
    this.dev = other.dev;
    this.ino = other.ino;
    this.nlink = other.nlink;
    this.rdevMajor = other.rdevMajor;
    this.rdevMinor = other.rdevMinor;
  }
}

const BIG = { bigint: true, throwIfNoEntry: false } as const;
const BILLION = 1_000_000_000n;
const EMPTY = new Uint8Array(0);

/** Node's own way costs 2 us more for each file, a part of it as garbage; loading the library, 2 ms. */
const WORTH_LOADING = 100;
let looks = 0;

/** Counts looks at files: the C library is loaded when there are many. */
export function countLooks(count: number): void {
  if (looks < WORTH_LOADING && looks + count >= WORTH_LOADING) hasLibc();
  looks += count;
}

/** lstat(): a symlink itself. Returns 0 or a positive error number; a missing file costs no exception. */
export function lstatInto(path: Uint8Array, st: FileStat): number {
  if (++looks === WORTH_LOADING) hasLibc();
  if (libcLoaded()) return path.length === 0 ? missing(st, Errno.ENOENT) : fromStatx(statxRaw(-1, path, false), st);
  try {
    const found = lstatSync(path as Buffer, BIG);
    return found === undefined ? missing(st, Errno.ENOENT) : fromNode(found, st);
  } catch (error) {
    return missing(st, errnoOf(error));
  }
}

/** stat(): what a symlink leads to. Not for paths that a peer chose: it may lead out of the tree (see Root.resolve). */
export function statInto(path: Uint8Array, st: FileStat): number {
  if (libcLoaded()) return path.length === 0 ? missing(st, Errno.ENOENT) : fromStatx(statxRaw(-1, path, true), st);
  try {
    const found = statSync(path as Buffer, BIG);
    return found === undefined ? missing(st, Errno.ENOENT) : fromNode(found, st);
  } catch (error) {
    return missing(st, errnoOf(error));
  }
}

/** fstat() of an open file. */
export function fstatInto(fd: number, st: FileStat): number {
  if (libcLoaded()) return fromStatx(statxRaw(fd, EMPTY, false), st);
  try {
    return fromNode(fstatSync(fd, { bigint: true }), st);
  } catch (error) {
    return missing(st, errnoOf(error));
  }
}

function missing(st: FileStat, errno: number): number {
  st.exists = false;
  return errno === 0 ? Errno.EINVAL : errno;
}

function fromNode(from: BigIntStats, st: FileStat): number {
  st.exists = true;
  st.mode = Number(from.mode);
  st.size = Number(from.size);
  st.nsec = Number(((from.mtimeNs % BILLION) + BILLION) % BILLION);
  st.mtime = Number((from.mtimeNs - BigInt(st.nsec)) / BILLION);
  st.atimeNsec = Number(((from.atimeNs % BILLION) + BILLION) % BILLION);
  st.atime = Number((from.atimeNs - BigInt(st.atimeNsec)) / BILLION);
  st.uid = Number(from.uid);
  st.gid = Number(from.gid);
  st.dev = Number(from.dev);
  st.ino = Number(from.ino);
  st.nlink = Number(from.nlink);
  const rdev = from.rdev;
  st.rdevMajor = rdev === 0n ? 0 : Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn));
  st.rdevMinor = rdev === 0n ? 0 : Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n));
  return 0;
}

/** Number of 2^32. */
const HIGH = 0x1_0000_0000;

/** Fields of struct statx, by their place in 32-bit words. The same on every machine, unlike struct stat. */
export function fromStatx(errno: number, st: FileStat, w: Uint32Array = statxWords): number {
  if (errno !== 0) return missing(st, errno);
  st.exists = true;
  st.nlink = w[4];
  st.uid = w[5];
  st.gid = w[6];
  st.mode = w[7] & 0xffff;
  st.ino = w[8] + w[9] * HIGH;
  st.size = w[10] + w[11] * HIGH;
  st.atime = w[16] + (w[17] | 0) * HIGH;
  st.atimeNsec = w[18];
  st.mtime = w[28] + (w[29] | 0) * HIGH;
  st.nsec = w[30];
  st.rdevMajor = w[32];
  st.rdevMinor = w[33];
  const [major, minor] = [w[34], w[35]];
  // The number that stat() gives, so that both ways of asking name a device alike.
  st.dev =
    (minor & 0xff) + (major & 0xfff) * 0x100 + (minor >>> 8) * 0x10_0000 + Math.floor(major / 0x1000) * 0x1000 * HIGH;
  return 0;
}
