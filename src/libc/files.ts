import { closeSync, fchmodSync, openSync, readSync } from 'node:fs';
import type { FileCalls } from '../../protocol/kernel/answer-kernel.js';
import { LastPlace } from './buffer-place.js';
import { systemError } from './errno.js';
import { fillHeldPath } from './held-path.js';
import type { KoffiFunction } from './koffi.js';
import { addressOf, bind, lastErrno, libcLoaded } from './libc.js';

/** O_CLOEXEC, which Node sets by itself. */
const CLOSE_ON_EXEC = 0o2000000;
const ROOM = 4352;
/** Bytes of a buffer that V8 does not keep among its own objects, with a lot to spare. */
const LARGE = 4096;

interface Calls {
  openat: KoffiFunction;
  close: KoffiFunction;
  fchmod: KoffiFunction;
  pread: KoffiFunction;
  memcpy: KoffiFunction;
  path: Buffer;
  address: number;
}

let calls: Calls | null = null;

/** The calls that each small file needs, straight to the C library where that is loaded: Node's own take three times as long. */
function raw(): Calls | null {
  if (calls === null && libcLoaded()) {
    const path = Buffer.allocUnsafeSlow(ROOM);
    calls = {
      openat: bind('int openat(int dir, uintptr_t path, int flags, unsigned int mode)'),
      close: bind('int close(int fd)'),
      fchmod: bind('int fchmod(int fd, unsigned int mode)'),
      pread: bind('int64_t pread(int fd, uintptr_t data, size_t length, int64_t offset)'),
      memcpy: bind('uintptr_t memcpy(uintptr_t to, uintptr_t from, size_t length)'),
      path,
      address: addressOf(path),
    };
  }
  return calls;
}

/** open(); `mode` is for a file that is created. Throws an errno error. */
export function openFile(path: Buffer, flags: number, mode = 0): number {
  const c = raw();
  if (c === null) return openSync(path, flags, mode);
  const dir = fillHeldPath(path, c.path, 'open');
  const fd = c.openat(dir, c.address, flags | CLOSE_ON_EXEC, mode);
  if (fd < 0) throw systemError(lastErrno(), 'open');
  return fd;
}

export function closeFile(fd: number): void {
  const c = raw();
  if (c === null) closeSync(fd);
  else if (c.close(fd) < 0) throw systemError(lastErrno(), 'close');
}

export function changeMode(fd: number, mode: number): void {
  const c = raw();
  if (c === null) fchmodSync(fd, mode);
  else if (c.fchmod(fd, mode) < 0) throw systemError(lastErrno(), 'fchmod');
}

const local = new LastPlace();
const shared = new LastPlace();

/** One read of up to `length` bytes from `position` on into a large buffer; 0 at the end. Throws an errno error. */
export function readAt(fd: number, into: Uint8Array, at: number, length: number, position: number): number {
  const c = raw();
  if (c === null || into.length < LARGE || length > into.length - at) return readSync(fd, into, at, length, position);
  const n = Number(c.pread(fd, local.of(into) + at, length, position));
  if (n < 0) throw systemError(lastErrno(), 'read');
  return n;
}

/**
 * Copies data[from, to) to `at` in memory that is shared with another thread, at once: JavaScript itself copies there word
 * by word, because the other thread might look on.
 */
export function copyShared(data: Uint8Array, from: number, to: number, into: Uint8Array, at: number): void {
  const c = raw();
  const fits = from >= 0 && from < to && to <= data.length && at >= 0 && at + to - from <= into.length;
  if (c === null || !fits || data.length < LARGE) into.set(data.subarray(from, to), at);
  else c.memcpy(shared.of(into) + at, local.of(data) + from, to - from);
}

let fileCalls: FileCalls | null = null;

/** The C library's functions for kernels that read files themselves; only when `libcLoaded()`. */
export function callsForKernel(): FileCalls {
  fileCalls ??= {
    openat: bind('int openat(int dir, uintptr_t name, int flags)'),
    read: bind('int64_t read(int fd, uintptr_t to, size_t length)'),
    close: bind('int close(int fd)'),
  };
  return fileCalls;
}
