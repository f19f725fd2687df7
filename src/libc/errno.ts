import { constants } from 'node:os';

/** Numbers of the errors that the code looks at. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  E2BIG: 7,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  ENOSPC: 28,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EILSEQ: 84,
  EOPNOTSUPP: 95,
  ENODATA: 61,
  ENOTCONN: 107,
  ECONNREFUSED: 111,
} as const;

let names: string[] | null = null;

/** `ENOENT` for 2; `E<number>` when the number has no name. */
export function errnoName(errno: number): string {
  if (names === null) {
    names = [];
    for (const [name, number] of Object.entries(constants.errno)) names[number] ??= name;
    // Two names share a number; these are the usual ones.
    names[11] = 'EAGAIN';
    names[95] = 'EOPNOTSUPP';
  }
  return names[errno] ?? `E${errno}`;
}

/** The positive error number inside an error of a file-system call, 0 when the value is not such an error. */
export function errnoOf(error: unknown): number {
  if (typeof error === 'number') return Math.abs(error);
  if (typeof error !== 'object' || error === null) return 0;
  const { errno } = error as { errno?: unknown };
  if (typeof errno === 'number') return Math.abs(errno);
  // Node refuses a name with a NUL byte by itself, with an error that has no number.
  return (error as { code?: unknown }).code === 'ERR_INVALID_ARG_VALUE' ? Errno.EINVAL : 0;
}

/** An error like Node's own: `code`, negative `errno`, `syscall`. */
export function systemError(errno: number, syscall: string): NodeJS.ErrnoException {
  const code = errnoName(errno);
  const error: NodeJS.ErrnoException = new Error(`${code}, ${syscall}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = syscall;
  return error;
}
