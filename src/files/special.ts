import { linkSync, symlinkSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { mknod } from '../libc/libc.js';
import type { Root } from './root.js';
import { createAtomically } from './temp.js';

/** What a daemon with "munge symlinks" puts before every link target that it stores, so that the link leads nowhere. */
const PREFIX = Buffer.from('/rsyncd-munged/', 'latin1');

export function mungeTarget(target: Uint8Array): Buffer {
  return Buffer.concat([PREFIX, target]);
}

/** The target as it was before `mungeTarget`; any other target as it is. */
export function unmungeTarget(target: Buffer): Buffer {
  return isMunged(target) ? target.subarray(PREFIX.length) : target;
}

export function isMunged(target: Uint8Array): boolean {
  return target.length > PREFIX.length && PREFIX.compare(target, 0, PREFIX.length) === 0;
}

/**
 * The target of a link that lies `depth` directories deep, without what would lead out of the tree: a leading slash,
 * and each `..` that climbs further than the tree is deep. What is left of an empty target is `.`.
 */
export function sanitizeTarget(target: Buffer, depth: number): Buffer {
  const text = target.toString('latin1');
  if (text === '') return target;
  const parts: string[] = [];
  let left = depth;
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') {
      parts.push(part);
    } else if (parts.length > 0 && parts[parts.length - 1] !== '..') {
      parts.pop();
    } else if (left > 0) {
      left--;
      parts.push(part);
    }
  }
  return Buffer.from(parts.join('/') || '.', 'latin1');
}

/*
 * Each of these makes one entry below `root`. `exists` says that something which is no directory has the name already:
 * it is replaced in one step. Errors are errno errors.
 */

export function makeSymlink(root: Root, path: ByteString, target: Uint8Array, exists: boolean): void {
  createAtomically(root, path, exists, (at) => symlinkSync(target as Buffer, at));
}

/** A device, fifo or socket. Permissions are narrow at first; the right ones come with the other attributes. */
export function makeSpecial(
  root: Root,
  path: ByteString,
  mode: number,
  major: number,
  minor: number,
  exists: boolean,
): void {
  createAtomically(root, path, exists, (at) => mknod(at, (mode & 0o170000) | (mode & 0o700), major, minor));
}

/** A further name of the file `existing`, which is a path below the root or one for file calls. */
export function makeHardLink(root: Root, existing: ByteString | Buffer, path: ByteString, exists: boolean): void {
  createAtomically(root, path, exists, (at) => {
    linkSync(typeof existing === 'string' ? root.path(existing) : existing, at);
  });
}
