import { type Bound, checked, lazily, needed } from './bind.js';
import { Errno, systemError } from './errno.js';
import { addressOf, hasLibc } from './libc.js';

/* Extended attributes of a file itself: links are never followed. Names are byte strings with their namespaces. */

// Addresses as numbers: to look into a buffer for each call takes longer than the call.
const calls = lazily({
  llistxattr: 'int64_t llistxattr(uintptr_t path, uintptr_t names, size_t size)',
  lgetxattr: 'int64_t lgetxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size)',
  lsetxattr: 'int lsetxattr(uintptr_t path, uintptr_t name, uintptr_t value, size_t size, int flags)',
  lremovexattr: 'int lremovexattr(uintptr_t path, uintptr_t name)',
} as const);

type Calls = Bound<'llistxattr' | 'lgetxattr' | 'lsetxattr' | 'lremovexattr'>;

/** Longest value of one attribute, and longest list of names, that Linux has. */
const LONGEST = 65536;
/** What is asked for first: the kernel makes as much room as it is offered, and clears it, which takes longer than all the rest. */
const USUAL = 512;
const PATH_ROOM = 4352;
/** Linux refuses names beyond 255 bytes. */
const NAME_ROOM = 264;
const ERANGE = 34;

/** What is given to the calls, one behind the other, and where it is in memory. */
class Room {
  readonly bytes = Buffer.allocUnsafeSlow(PATH_ROOM + NAME_ROOM + LONGEST);
  readonly path = addressOf(this.bytes);
  readonly name = this.path + PATH_ROOM;
  readonly value = this.name + NAME_ROOM;
  readonly valueAt = PATH_ROOM + NAME_ROOM;

  setPath(path: Uint8Array, syscall: string): void {
    if (path.length >= PATH_ROOM) throw systemError(Errno.ENAMETOOLONG, syscall);
    if (path.includes(0)) throw systemError(Errno.EINVAL, syscall);
    this.bytes.set(path);
    this.bytes[path.length] = 0;
  }

  setName(name: string, syscall: string): void {
    if (name.length >= NAME_ROOM) throw systemError(ERANGE, syscall);
    this.bytes.write(name, PATH_ROOM, 'latin1');
    this.bytes[PATH_ROOM + name.length] = 0;
  }

  setValue(value: Uint8Array, syscall: string): void {
    if (value.length > LONGEST) throw systemError(Errno.E2BIG, syscall);
    this.bytes.set(value, this.valueAt);
  }
}

let room: Room | null = null;

/** The calls, with `room` ready; an error (exit 4) where there is no C library. */
function need(): { c: Calls; r: Room } {
  hasLibc();
  const c = needed(calls(), 'extended attributes');
  room ??= new Room();
  return { c, r: room };
}

/** Names of all attributes of a file, in no order. */
export function listXattrs(path: Uint8Array): string[] {
  const { c, r } = need();
  r.setPath(path, 'llistxattr');
  let length = Number(c.llistxattr(r.path, r.value, USUAL));
  if (length < 0 && c.koffi.errno() === ERANGE) length = Number(c.llistxattr(r.path, r.value, LONGEST));
  checked(c.koffi, length, 'llistxattr');
  // Each name has a NUL at its end.
  return length === 0 ? [] : r.bytes.toString('latin1', r.valueAt, r.valueAt + length - 1).split('\0');
}

/** The value of an attribute; null when the file has none of that name. */
export function getXattr(path: Uint8Array, name: string): Buffer | null {
  const { c, r } = need();
  r.setPath(path, 'lgetxattr');
  r.setName(name, 'lgetxattr');
  let length = Number(c.lgetxattr(r.path, r.name, r.value, USUAL));
  if (length < 0 && c.koffi.errno() === ERANGE) length = Number(c.lgetxattr(r.path, r.name, r.value, LONGEST));
  if (length >= 0) return Buffer.from(r.bytes.subarray(r.valueAt, r.valueAt + length));
  const errno = c.koffi.errno();
  if (errno === Errno.ENODATA) return null;
  throw systemError(errno, 'lgetxattr');
}

export function setXattr(path: Uint8Array, name: string, value: Uint8Array): void {
  const { c, r } = need();
  r.setPath(path, 'lsetxattr');
  r.setName(name, 'lsetxattr');
  r.setValue(value, 'lsetxattr');
  checked(c.koffi, c.lsetxattr(r.path, r.name, r.value, value.length, 0), 'lsetxattr');
}

/** Removes an attribute; one that is not there is no error. */
export function removeXattr(path: Uint8Array, name: string): void {
  const { c, r } = need();
  r.setPath(path, 'lremovexattr');
  r.setName(name, 'lremovexattr');
  if (c.lremovexattr(r.path, r.name) === 0) return;
  const errno = c.koffi.errno();
  if (errno !== Errno.ENODATA) throw systemError(errno, 'lremovexattr');
}
