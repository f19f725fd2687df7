// Makes one small file: under a temporary name, with all that it is to have, and then under its own.

import { close, errno, fchmod, fchown, flistxattr, ftruncate, futimens, openat, pread, renameat, sendfile, statx, unlinkat, write } from './calls';
import {
  BUFFER,
  BUFFER_BYTES,
  COPY,
  DATA,
  DIR,
  FD,
  GID,
  HAS_TIME,
  IS_LISTED,
  KIND,
  MODE,
  NAME,
  NAME_LENGTH,
  NO_FURTHER,
  NO_NAME,
  NSEC,
  RING,
  SECONDS,
  SIZE,
  STATX,
  TEMP,
  TIMES,
  UID,
} from './layout';
import { nameTemp, seed } from './names';

/** O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW and O_CLOEXEC. */
const CREATE: i32 = 0o2400302;
const AT_EMPTY_PATH: i32 = 0x1000;
/** STATX_TYPE and STATX_SIZE. */
const STATX_LENGTH: i32 = 0x201;
const S_IFMT: u32 = 0o170000;
const S_IFREG: u32 = 0o100000;
/** STATX_MODE, STATX_UID and STATX_GID. */
const STATX_RIGHTS: i32 = 0x1a;
const UTIME_OMIT: i64 = 0x3ffffffe;
const PERMISSION_BITS: i32 = 0o7777;
const RWX: i32 = 0o777;
const OWNER_WRITE: i32 = 0o200;
const EEXIST: i32 = 17;
const ENODATA: i32 = 61;
const EOPNOTSUPP: i32 = 95;
const MAX_TRIES: i32 = 100;
/** No user or group that a job may name. */
const NOBODY: i32 = -2;

// What failed, in the upper half of a result (`Step` in queue.ts); the errno is in the lower one.
const IN_CREATE: i32 = 1;
const IN_WRITE: i32 = 2;
const IN_RENAME: i32 = 3;
const IN_READ: i32 = 4;
const DROPPED: i32 = 5;
const RESIZED: i32 = 6;
const IN_CHOWN: i32 = 1;
const IN_CHGRP: i32 = 2;
const IN_TIMES: i32 = 3;
const IN_MODE: i32 = 4;
const HAS_FURTHER: i32 = 5;

/** Where this side's own part of the memory is, and the whole memory within the process. */
let own: usize = 0;
let process: f64 = 0;

/** A write failed: the run is going to end, and what follows is to be dropped. */
export let isBroken: bool = false;
/** What failed about the attributes of the last file; 0: nothing. */
export let attributes: i32 = 0;

/** The file that was copied last has another length than was listed. */
let isResized: bool = false;

/** User and group that the last new file had by itself, in this directory: as they were wanted. NOBODY: none was. */
let ownDir: i32 = -1;
let ownUid: i32 = NOBODY;
let ownGid: i32 = NOBODY;

/** To be called once by each side, with its own part of the memory, the place of the whole, and a random number. */
export function begin(ownAt: usize, memoryAt: f64, random: u32): void {
  own = ownAt;
  process = memoryAt;
  seed(random);
}

/** A directory's descriptor is given up: its number may mean another one soon. */
export function forget(dir: i32): void {
  if (ownDir == dir) ownDir = -1;
}

function failed(step: i32): i32 {
  return (step << 16) | errno();
}

/** Makes the file of the job at `at`, and closes what it copies from. Returns what failed, 0: nothing. */
export function make(at: usize): i32 {
  attributes = 0;
  const landing = makeFile(at);
  if (load<i32>(at, KIND) == COPY) close(load<i32>(at, FD));
  return landing;
}

/** The same for a file that is not to be made any more. */
export function drop(at: usize): i32 {
  attributes = 0;
  if (load<i32>(at, KIND) == COPY) close(load<i32>(at, FD));
  return DROPPED << 16;
}

function makeFile(at: usize): i32 {
  isResized = false;
  const dir = load<i32>(at, DIR);
  const fd = create(at, dir);
  if (fd < 0) return failed(IN_CREATE);
  const temp = process + <f64>(own + TEMP);
  const content = load<i32>(at, KIND) == COPY ? copy(at, fd) : put(fd, RING + load<u32>(at, DATA), load<i32>(at, SIZE));
  if (content != 0) {
    close(fd);
    unlinkat(dir, temp, 0);
    if (content >> 16 == IN_WRITE) isBroken = true;
    return content;
  }
  attributes = setAttributes(at, fd, dir);
  if (attributes == 0 && load<i32>(at, NO_FURTHER) != 0 && hasFurther(fd)) attributes = HAS_FURTHER << 16;
  close(fd);
  if (renameat(dir, temp, dir, process + <f64>(at + NAME)) == 0) return isResized ? RESIZED << 16 : 0;
  const landing = failed(IN_RENAME);
  unlinkat(dir, temp, 0);
  return landing;
}

/** Names that are taken only cost another try. */
function create(at: usize, dir: i32): i32 {
  const rights = firstRights(at, dir);
  let fd = -1;
  for (let tries = 0; fd < 0 && tries < MAX_TRIES; tries++) {
    nameTemp(at + NAME, load<u32>(at, NAME_LENGTH), own + TEMP);
    fd = openat(dir, process + <f64>(own + TEMP), CREATE, rights);
    if (fd < 0 && errno() != EEXIST) break;
  }
  return fd;
}

/**
 * The permissions to create with. Where the file before had its owner by itself, those at the end: they let nobody read
 * more than the finished file does, and need not be set then. Set-id bits wait until the file is whole.
 */
function firstRights(at: usize, dir: i32): i32 {
  const mode = load<i32>(at, MODE) & PERMISSION_BITS;
  const isOwn = dir == ownDir && load<i32>(at, UID) == ownUid && load<i32>(at, GID) == ownGid;
  return isOwn && (mode & ~RWX) == 0 && (mode & OWNER_WRITE) != 0 ? mode : (mode | OWNER_WRITE) & 0o700;
}

function put(fd: i32, from: usize, length: i32): i32 {
  for (let done: i32 = 0; done < length; ) {
    const n = <i32>write(fd, process + <f64>(from + done), length - done);
    if (n < 0) return failed(IN_WRITE);
    done += n;
  }
  return 0;
}

/**
 * Copies as many bytes as the job says, or all that a listed file has; one that becomes shorter is an error of reading. A listed one of
 * the same length ends there, so it is looked at only where it does not.
 */
function copy(at: usize, to: i32): i32 {
  const from = load<i32>(at, FD);
  const size = load<i32>(at, SIZE);
  if (load<i32>(at, IS_LISTED) == 0) return copyRest(from, to, 0, size);
  const done = <i32>sendfile(to, from, 0, size + 1);
  if (done == size) return 0;
  const length = lengthOf(from);
  if (length < 0) return (IN_READ << 16) | ENODATA;
  if (done > length && ftruncate(to, length) < 0) return failed(IN_WRITE);
  isResized = length != size;
  return copyRest(from, to, max(0, done), length);
}

/** The length of an open file, -1 where it is no regular one, or too long. */
function lengthOf(fd: i32): i32 {
  const st = own + STATX;
  if (statx(fd, process + <f64>(own + NO_NAME), AT_EMPTY_PATH, STATX_LENGTH, process + <f64>st) < 0) return -1;
  const length = load<u64>(st, 40);
  return (<u32>load<u16>(st, 28) & S_IFMT) == S_IFREG && length < <u64>i32.MAX_VALUE ? <i32>length : -1;
}

/**
 * Copies the bytes [done, size). The system copies by itself where it can; what it cannot do, and which of the two files is to blame, is
 * left to a read and a write.
 */
function copyRest(from: i32, to: i32, done: i32, size: i32): i32 {
  const buffer = own + BUFFER;
  while (done < size) {
    const n = <i32>sendfile(to, from, 0, size - done);
    if (n <= 0) break;
    done += n;
  }
  while (done < size) {
    const n = <i32>pread(from, process + <f64>buffer, min(size - done, BUFFER_BYTES), done);
    if (n <= 0) return n < 0 ? failed(IN_READ) : (IN_READ << 16) | ENODATA;
    const lost = put(to, buffer, n);
    if (lost != 0) return lost;
    done += n;
  }
  return 0;
}

/** Owner, time, permissions: chown takes away set-id bits, so these come last. What fails ends it. */
function setAttributes(at: usize, fd: i32, dir: i32): i32 {
  const uid = load<i32>(at, UID);
  const gid = load<i32>(at, GID);
  const st = own + STATX;
  if (statx(fd, process + <f64>(own + NO_NAME), AT_EMPTY_PATH, STATX_RIGHTS, process + <f64>st) < 0) {
    return failed(uid == -1 ? IN_CHGRP : IN_CHOWN);
  }
  // A new file has this process's user, and its group or that of the directory.
  const changeUid = uid != -1 && uid != load<i32>(st, 20);
  const changeGid = gid != -1 && gid != load<i32>(st, 24);
  const isOwn = !changeUid && !changeGid;
  ownDir = dir;
  ownUid = isOwn ? uid : NOBODY;
  ownGid = isOwn ? gid : NOBODY;
  if (!isOwn && fchown(fd, <f64>(<u32>(changeUid ? uid : -1)), <f64>(<u32>(changeGid ? gid : -1))) < 0) {
    return failed(changeUid ? IN_CHOWN : IN_CHGRP);
  }
  if (load<i32>(at, HAS_TIME) != 0 && setTime(at, fd) < 0) return failed(IN_TIMES);
  const mode = load<i32>(at, MODE) & PERMISSION_BITS;
  // What the file was created with is taken away in part by the umask or by a default ACL of the directory.
  const isRight = isOwn && (<i32>load<u16>(st, 28) & PERMISSION_BITS) == mode;
  return isRight || fchmod(fd, mode) == 0 ? 0 : failed(IN_MODE);
}

/** True when a new file has attributes from its directory or from the system, or when that cannot be said. */
function hasFurther(fd: i32): bool {
  const length = flistxattr(fd, 0, 0);
  return length > 0 || (length < 0 && errno() != EOPNOTSUPP);
}

/** The time of the last access stays. */
function setTime(at: usize, fd: i32): i32 {
  const times = own + TIMES;
  store<i64>(times, 0);
  store<i64>(times, UTIME_OMIT, 8);
  store<i64>(times, load<i64>(at, SECONDS), 16);
  store<i64>(times, load<i32>(at, NSEC), 24);
  return futimens(fd, process + <f64>times);
}
