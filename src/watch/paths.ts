import type { ByteString } from '../../protocol/options.js';
import { type FileStat, lstatInto } from '../files/stat.js';
import { Errno } from '../libc/errno.js';

const PATH_MAX = 4096;

/** `name` below `dir`, both relative to the root ('' is the root). */
export function joinPath(dir: ByteString, name: ByteString): ByteString {
  return dir === '' ? name : `${dir}/${name}`;
}

/** Turns paths below a root into what system calls take, in one buffer that is used again and again. */
export class RootPaths {
  readonly #buffer: Buffer;
  readonly #start: number;

  /** `root` is absolute. */
  constructor(readonly root: ByteString) {
    const prefix = root.endsWith('/') ? root : `${root}/`;
    this.#buffer = Buffer.alloc(prefix.length + PATH_MAX + 1);
    this.#start = this.#buffer.write(prefix, 0, 'latin1');
  }

  /** The whole path with a NUL byte behind it, valid until the next call. The kernel refuses what is too long. */
  of(path: ByteString): Buffer {
    return this.#buffer.subarray(0, this.#fill(path) + 1);
  }

  /** Looks at an entry itself; 0 or a positive errno. */
  lstat(path: ByteString, into: FileStat): number {
    return lstatInto(this.#buffer.subarray(0, this.#fill(path)), into);
  }

  #fill(path: ByteString): number {
    // One byte more than the kernel takes is enough to be refused by it.
    const end = this.#start + this.#buffer.write(path, this.#start, PATH_MAX, 'latin1');
    this.#buffer[end] = 0;
    return end;
  }
}

/** True for errors that say: what an event told of is no longer there, or is something else by now. */
export function isGone(errno: number): boolean {
  return errno === Errno.ENOENT || errno === Errno.ENOTDIR || errno === Errno.ELOOP;
}
