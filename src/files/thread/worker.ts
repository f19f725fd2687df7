import { constants } from 'node:fs';
import { type Bound, bindAll } from '../../libc/bind.js';
import { Errno } from '../../libc/errno.js';
import { dataAt, Field, HEAD_BYTES, JobSink, Kind, result, Step } from './queue.js';

/** O_CLOEXEC, which Node sets by itself. */
const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | 0o2000000;
const AT_EMPTY_PATH = 0x1000;
/** STATX_MODE, STATX_UID and STATX_GID. */
const STATX_RIGHTS = 0x1a;
const PERMISSION_BITS = 0o7777;
const RWX = 0o777;
const OWNER_WRITE = 0o200;
const COPY_BUFFER = 64 * 1024;
const MAX_TRIES = 100;
/** No user or group that a job may name. */
const NOBODY = -2;
/** Letters of a temporary name that are drawn. */
const DRAWN = 6;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';
/** Jobs after which a side that has asked is told, although there is more to do. */
const TELL_EVERY = 96;

/** Addresses are numbers here: what they point to lies in memory that stays where it is. */
const PROTOTYPES = {
  openat: 'int openat(int dir, uintptr_t path, int flags, unsigned int mode)',
  write: 'int64_t write(int fd, uintptr_t data, size_t length)',
  read: 'int64_t read(int fd, uintptr_t data, size_t length)',
  statx: 'int statx(int dir, uintptr_t path, int flags, unsigned int mask, uintptr_t out)',
  fchown: 'int fchown(int fd, unsigned int uid, unsigned int gid)',
  futimens: 'int futimens(int fd, uintptr_t times)',
  fchmod: 'int fchmod(int fd, unsigned int mode)',
  close: 'int close(int fd)',
  renameat: 'int renameat(int from, uintptr_t a, int to, uintptr_t b)',
  unlinkat: 'int unlinkat(int dir, uintptr_t path, int flags)',
} as const;

type Calls = Bound<keyof typeof PROTOTYPES>;

/** Does the work of a queue: makes small files whole under temporary names and gives them their real ones. */
export class FileWorker {
  private readonly sink: JobSink;
  private readonly ring: number;
  private readonly area = Buffer.alloc(4096);
  private readonly state: Uint32Array;
  private readonly areaAt: number;
  private readonly copied = Buffer.allocUnsafeSlow(COPY_BUFFER);
  private readonly copiedAt: number;
  private dir = -1;
  /** A write failed: the run is going to end, and what follows is dropped. */
  private isBroken = false;
  private attributes = 0;
  /** User and group that the last new file had by itself, in this directory: as they were wanted. -2: none was. */
  private ownUid = NOBODY;
  private ownGid = NOBODY;

  /** null where the C library cannot be reached. */
  static create(memory: SharedArrayBuffer, tell: () => void): FileWorker | null {
    const calls = bindAll(PROTOTYPES);
    return calls === null ? null : new FileWorker(calls, memory, tell);
  }

  private constructor(
    private readonly c: Calls,
    memory: SharedArrayBuffer,
    private readonly tell: () => void,
  ) {
    this.sink = new JobSink(memory);
    const address = (buffer: Uint8Array): number => Number(c.koffi.address(buffer));
    this.ring = address(this.sink.bytes);
    this.areaAt = address(this.area);
    this.state = new Uint32Array(this.area.buffer, this.area.byteOffset, 64);
    this.copiedAt = address(this.copied);
  }

  /** Works until it is told to stop. */
  run(): void {
    const { sink } = this;
    const { words } = sink;
    const rest = (): void => this.rest();
    for (let at = sink.next(rest); at >= 0; at = sink.next(rest)) {
      if (words[at + Field.KIND] === Kind.ENTER) this.enter(words[at + Field.FD]);
      else this.doFile(at);
      sink.release(at);
    }
    this.enter(-1);
  }

  private rest(): void {
    if (this.sink.isAsked()) this.tell();
  }

  private enter(fd: number): void {
    if (this.dir >= 0) this.c.close(this.dir);
    this.dir = fd;
    this.ownUid = this.ownGid = NOBODY;
  }

  private doFile(at: number): void {
    const { sink } = this;
    this.attributes = 0;
    const landing = this.isBroken || sink.isStopped ? result(Step.DROPPED, 0) : this.make(at);
    const isCopy = sink.words[at + Field.KIND] === Kind.COPY;
    if (isCopy) this.c.close(sink.words[at + Field.FD]);
    const done = sink.finish(this.attributes, landing);
    if (done % TELL_EVERY === 0 && sink.isAsked()) this.tell();
  }

  private errno(): number {
    return this.c.koffi.errno();
  }

  /** Makes the file of a job; a result. */
  private make(at: number): number {
    const { c, sink, dir } = this;
    const { words } = sink;
    const temp = this.ring + at * 4 + HEAD_BYTES;
    const name = temp + words[at + Field.TEMP] + 1;
    const fd = this.create(at, temp);
    if (fd < 0) return result(Step.CREATE, this.errno());
    const content = words[at + Field.KIND] === Kind.COPY ? this.copy(at, fd) : this.write(at, fd);
    if (content !== 0) {
      c.close(fd);
      c.unlinkat(dir, temp, 0);
      this.isBroken = content >> 16 === Step.WRITE;
      return content;
    }
    this.attributes = this.setAttributes(at, fd);
    c.close(fd);
    if (c.renameat(dir, temp, dir, name) === 0) return 0;
    const errno = this.errno();
    c.unlinkat(dir, temp, 0);
    return result(Step.RENAME, errno);
  }

  /** Names that are taken only cost another try. */
  private create(at: number, temp: number): number {
    const { words, bytes } = this.sink;
    const rights = this.firstRights(words, at);
    for (let tries = 1; ; tries++) {
      const fd = this.c.openat(this.dir, temp, CREATE, rights);
      if (fd >= 0 || this.errno() !== Errno.EEXIST || tries >= MAX_TRIES) return fd;
      const end = at * 4 + HEAD_BYTES + words[at + Field.TEMP];
      for (let i = end - DRAWN; i < end; i++) bytes[i] = LETTERS.charCodeAt(Math.floor(Math.random() * LETTERS.length));
    }
  }

  private write(at: number, fd: number): number {
    const { words } = this.sink;
    const from = this.ring + at * 4 + dataAt(words[at + Field.TEMP], words[at + Field.NAME]);
    return this.put(fd, from, words[at + Field.DATA]);
  }

  private put(fd: number, from: number, length: number): number {
    for (let done = 0; done < length; ) {
      const n = Number(this.c.write(fd, from + done, length - done));
      if (n < 0) return result(Step.WRITE, this.errno());
      done += n;
    }
    return 0;
  }

  /** Copies as many bytes as the job says; a file that has become shorter is an error of reading. */
  private copy(at: number, to: number): number {
    const { words } = this.sink;
    const from = words[at + Field.FD];
    for (let left = words[at + Field.DATA]; left > 0; ) {
      const n = Number(this.c.read(from, this.copiedAt, Math.min(left, COPY_BUFFER)));
      if (n <= 0) return result(Step.READ, n < 0 ? this.errno() : Errno.ENODATA);
      const failed = this.put(to, this.copiedAt, n);
      if (failed !== 0) return failed;
      left -= n;
    }
    return 0;
  }

  /**
   * The permissions to create with. Where the file before had its owner by itself, those at the end: they let nobody read
   * more than the finished file does, and need not be set then. Set-id bits wait until the file is whole.
   */
  private firstRights(words: Int32Array, at: number): number {
    const mode = words[at + Field.MODE] & PERMISSION_BITS;
    const isOwn = words[at + Field.UID] === this.ownUid && words[at + Field.GID] === this.ownGid;
    return isOwn && (mode & ~RWX) === 0 && (mode & OWNER_WRITE) !== 0 ? mode : words[at + Field.RIGHTS];
  }

  /** Owner, times, permissions: chown takes away set-id bits, so these come last. What fails ends it; a result. */
  private setAttributes(at: number, fd: number): number {
    const { c, state } = this;
    const { words } = this.sink;
    const uid = words[at + Field.UID];
    const gid = words[at + Field.GID];
    this.area[2048] = 0;
    if (c.statx(fd, this.areaAt + 2048, AT_EMPTY_PATH, STATX_RIGHTS, this.areaAt) < 0) {
      return result(uid === -1 ? Step.CHGRP : Step.CHOWN, this.errno());
    }
    // A new file has this process's user, and its group or that of the directory.
    const changeUid = uid !== -1 && uid >>> 0 !== state[5];
    const changeGid = gid !== -1 && gid >>> 0 !== state[6];
    const isOwn = !changeUid && !changeGid;
    this.ownUid = isOwn ? uid : NOBODY;
    this.ownGid = isOwn ? gid : NOBODY;
    if (!isOwn && c.fchown(fd, changeUid ? uid >>> 0 : 0xffff_ffff, changeGid ? gid >>> 0 : 0xffff_ffff) < 0) {
      return result(changeUid ? Step.CHOWN : Step.CHGRP, this.errno());
    }
    if (words[at + Field.TIMES] !== 0 && c.futimens(fd, this.ring + (at + Field.TIMESPEC) * 4) < 0) {
      return result(Step.TIMES, this.errno());
    }
    const mode = words[at + Field.MODE] & PERMISSION_BITS;
    // What the file was created with is taken away in part by the umask or by a default ACL of the directory.
    const isRight = isOwn && (state[7] & PERMISSION_BITS) === mode;
    if (!isRight && c.fchmod(fd, mode) < 0) return result(Step.MODE, this.errno());
    return 0;
  }
}
