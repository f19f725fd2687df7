import type { ByteString } from '../../protocol/options.js';
import { Errno, systemError } from '../libc/errno.js';
import { closeFile } from '../libc/files.js';

const SLASH = 0x2f;
const DOT = 0x2e;

/** Byte string to path. */
export function pathBytes(path: ByteString): Buffer {
  return Buffer.from(path, 'latin1');
}

/** The tree that a directory is in. */
export interface HeldTree {
  /** Names that lead elsewhere are refused. */
  readonly isConfined: boolean;
  /** Opens the directory again, which was closed to make room. Throws an errno error. */
  reopen(dir: Dir): void;
}

/**
 * A directory that entries are named in. In a plain tree it is a path prefix, in a confined one a held descriptor.
 * A path from `at` is good until the next call of `Root.dir`: many directories later the descriptor may be closed.
 */
export class Dir {
  /** Held descriptor, -1 in a plain tree and while it is closed to make room for others. */
  fd = -1;

  constructor(
    private readonly tree: HeldTree,
    /** Path below the root, '' for the root itself. */
    readonly rel: ByteString,
    /** What stands before an entry's name, with the slash; null while the descriptor is closed. */
    private prefix: Buffer | null,
  ) {}

  /** Path of the entry whose name is name[from, to). A name with a slash, '..' or NUL is refused in a confined tree. */
  at(name: Uint8Array, from: number, to: number): Buffer {
    const prefix = this.prefix ?? this.reopen();
    if (this.tree.isConfined) checkName(name, from, to);
    const length = prefix.length + to - from;
    const path = Buffer.allocUnsafe(length);
    path.set(prefix);
    for (let i = from, at = prefix.length; i < to; i++, at++) path[at] = name[i];
    return path;
  }

  atString(name: ByteString): Buffer {
    const n = pathBytes(name);
    return this.at(n, 0, n.length);
  }

  /** Path of the directory itself, with a slash at the end: a link in its place is looked through. */
  self(): Buffer {
    return this.prefix ?? this.reopen();
  }

  private reopen(): Buffer {
    this.tree.reopen(this);
    if (this.prefix === null) throw systemError(Errno.ENOENT, 'open');
    return this.prefix;
  }

  /** For its tree only: takes a descriptor over. */
  hold(fd: number): void {
    this.fd = fd;
    this.prefix = pathBytes(`/proc/self/fd/${fd}/`);
  }

  /** For its tree only: closes the descriptor; the next use opens the directory again. */
  release(): void {
    if (this.fd < 0) return;
    closeFile(this.fd);
    this.fd = -1;
    this.prefix = null;
  }
}

/** Names of directory entries only: nothing that the kernel would resolve any further. */
export function checkName(name: Uint8Array, from: number, to: number): void {
  let bad = to <= from || (to - from === 2 && name[from] === DOT && name[from + 1] === DOT);
  for (let i = from; i < to && !bad; i++) bad = name[i] === SLASH || name[i] === 0;
  if (bad) throw systemError(Errno.EINVAL, 'open');
}
