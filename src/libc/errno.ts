import { constants } from 'node:os';

/** Numbers of the errors that the code looks at. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EOPNOTSUPP: 95,
  ENODATA: 61,
} as const;

/** What the C library says for each number on Linux; the place in the list is the number, '' stands for an unused one. */
// biome-ignore format: one entry a line would be 134 lines
const TEXTS: readonly string[] = [
  'Success', 'Operation not permitted', 'No such file or directory', 'No such process', 'Interrupted system call',
  'Input/output error', 'No such device or address', 'Argument list too long', 'Exec format error',
  'Bad file descriptor', 'No child processes', 'Resource temporarily unavailable', 'Cannot allocate memory',
  'Permission denied', 'Bad address', 'Block device required', 'Device or resource busy', 'File exists',
  'Invalid cross-device link', 'No such device', 'Not a directory', 'Is a directory', 'Invalid argument',
  'Too many open files in system', 'Too many open files', 'Inappropriate ioctl for device', 'Text file busy',
  'File too large', 'No space left on device', 'Illegal seek', 'Read-only file system', 'Too many links', 'Broken pipe',
  'Numerical argument out of domain', 'Numerical result out of range', 'Resource deadlock avoided',
  'File name too long', 'No locks available', 'Function not implemented', 'Directory not empty',
  'Too many levels of symbolic links', '', 'No message of desired type', 'Identifier removed',
  'Channel number out of range', 'Level 2 not synchronized', 'Level 3 halted', 'Level 3 reset',
  'Link number out of range', 'Protocol driver not attached', 'No CSI structure available', 'Level 2 halted',
  'Invalid exchange', 'Invalid request descriptor', 'Exchange full', 'No anode', 'Invalid request code', 'Invalid slot',
  '', 'Bad font file format', 'Device not a stream', 'No data available', 'Timer expired', 'Out of streams resources',
  'Machine is not on the network', 'Package not installed', 'Object is remote', 'Link has been severed',
  'Advertise error', 'Srmount error', 'Communication error on send', 'Protocol error', 'Multihop attempted',
  'RFS specific error', 'Bad message', 'Value too large for defined data type', 'Name not unique on network',
  'File descriptor in bad state', 'Remote address changed', 'Can not access a needed shared library',
  'Accessing a corrupted shared library', '.lib section in a.out corrupted',
  'Attempting to link in too many shared libraries', 'Cannot exec a shared library directly',
  'Invalid or incomplete multibyte or wide character', 'Interrupted system call should be restarted',
  'Streams pipe error', 'Too many users', 'Socket operation on non-socket', 'Destination address required',
  'Message too long', 'Protocol wrong type for socket', 'Protocol not available', 'Protocol not supported',
  'Socket type not supported', 'Operation not supported', 'Protocol family not supported',
  'Address family not supported by protocol', 'Address already in use', 'Cannot assign requested address',
  'Network is down', 'Network is unreachable', 'Network dropped connection on reset',
  'Software caused connection abort', 'Connection reset by peer', 'No buffer space available',
  'Transport endpoint is already connected', 'Transport endpoint is not connected',
  'Cannot send after transport endpoint shutdown', 'Too many references: cannot splice', 'Connection timed out',
  'Connection refused', 'Host is down', 'No route to host', 'Operation already in progress',
  'Operation now in progress', 'Stale file handle', 'Structure needs cleaning', 'Not a XENIX named type file',
  'No XENIX semaphores available', 'Is a named type file', 'Remote I/O error', 'Disk quota exceeded', 'No medium found',
  'Wrong medium type', 'Operation canceled', 'Required key not available', 'Key has expired', 'Key has been revoked',
  'Key was rejected by service', 'Owner died', 'State not recoverable', 'Operation not possible due to RF-kill',
  'Memory page has hardware error',
];

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

/** The text of an error number, as strerror() gives it in the C locale. */
export function strerror(errno: number): string {
  return TEXTS[errno] || `Unknown error ${errno}`;
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
  const error: NodeJS.ErrnoException = new Error(`${code}: ${strerror(errno)}, ${syscall}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = syscall;
  return error;
}
