import { closeSync, fchmodSync, openSync } from 'node:fs';
import { systemError } from './errno.js';
import type { KoffiFunction } from './koffi.js';
import { addressOf, bind, fillHeldPath, lastErrno, libcLoaded } from './libc.js';

/** O_CLOEXEC, which Node sets by itself. */
const CLOSE_ON_EXEC = 0o2000000;
const ROOM = 4352;

interface Calls {
  openat: KoffiFunction;
  close: KoffiFunction;
  fchmod: KoffiFunction;
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
