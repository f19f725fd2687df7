import { readlinkSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { Errno, systemError } from '../libc/errno.js';
import { components, MAX_LINKS } from '../libc/walk.js';
import { FileStat, lstatInto, statInto } from './stat.js';

/*
 * Paths of a tree whose links are all followed, wherever they lead (`Root.trusting`): only their text is kept from climbing
 * out of it.
 */

const SLASH = 0x2f;

/** Where links lead in the end: a path that is no link itself. Throws an errno error. */
export function followAll(link: Buffer): Buffer {
  const st = new FileStat();
  let at = link;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const errno = lstatInto(at, st);
    if (errno !== 0) throw systemError(errno, 'lstat');
    if ((st.mode & 0o170000) !== 0o120000) return at;
    const target = readlinkSync(at, 'buffer');
    at = target[0] === SLASH ? target : Buffer.concat([at.subarray(0, at.lastIndexOf(SLASH) + 1), target]);
  }
  throw systemError(Errno.ELOOP, 'open');
}

/** Throws an errno error unless `path` leads to something. */
export function checkDirectory(path: Buffer): void {
  const errno = statInto(path, new FileStat());
  if (errno !== 0) throw systemError(errno, 'open');
}

/** A path whose `..` are taken out by the text. Throws EXDEV when it climbs out of the tree. */
export function withoutClimbing(rel: ByteString): ByteString {
  const out: ByteString[] = [];
  for (const part of components(rel)) {
    if (part !== '..') out.push(part);
    else if (out.pop() === undefined) throw systemError(Errno.EXDEV, 'open');
  }
  return out.join('/');
}
