import { type WorkCalls, WorkKernel, type WorkMemory } from '../../../protocol/kernel/work-kernel.js';
import { bindAll } from '../../libc/bind.js';

/** Addresses are numbers here: what they point to lies in memory that stays where it is. */
const PROTOTYPES = {
  openat: 'int openat(int dir, uintptr_t path, int flags, unsigned int mode)',
  write: 'int64_t write(int fd, uintptr_t data, size_t length)',
  pread: 'int64_t pread(int fd, uintptr_t data, size_t length, int64_t offset)',
  sendfile: 'int64_t sendfile(int to, int from, uintptr_t offset, size_t length)',
  ftruncate: 'int ftruncate(int fd, int64_t length)',
  statx: 'int statx(int dir, uintptr_t path, int flags, unsigned int mask, uintptr_t out)',
  fchown: 'int fchown(int fd, unsigned int uid, unsigned int gid)',
  futimens: 'int futimens(int fd, uintptr_t times)',
  flistxattr: 'int64_t flistxattr(int fd, uintptr_t names, size_t size)',
  fchmod: 'int fchmod(int fd, unsigned int mode)',
  close: 'int close(int fd)',
  renameat: 'int renameat(int from, uintptr_t a, int to, uintptr_t b)',
  unlinkat: 'int unlinkat(int dir, uintptr_t path, int flags)',
} as const;

/** The kernel for file work, with this thread's own functions of the C library; null where that cannot be reached. */
export function createWorkKernel(memory: WorkMemory, side: number): WorkKernel | null {
  const bound = bindAll(PROTOTYPES);
  if (bound === null) return null;
  const { koffi, ...functions } = bound;
  const calls = { ...functions, errno: () => koffi.errno() } as unknown as WorkCalls;
  const at = Number(koffi.address(new Uint8Array(memory.buffer)));
  return new WorkKernel(memory, at, calls, side, Math.floor(Math.random() * 0x1_0000_0000));
}
