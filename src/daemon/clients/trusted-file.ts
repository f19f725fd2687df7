import fs from 'node:fs';
import type { ByteString } from '../../../protocol/options.js';

const MAX_LINKS = 40;

function foreignLink(path: Buffer): boolean {
  const st = fs.lstatSync(path, { throwIfNoEntry: false });
  return st?.isSymbolicLink() === true && st.uid !== 0 && st.uid !== process.geteuid?.();
}

/**
 * Opens a file that the configuration names, unless its path leads through a symlink of somebody other than root or
 * this process's user: such a link could turn the file into any other one of the system. Throws an errno error.
 */
export function openTrusted(path: ByteString, flags: number, mode = 0o600): number {
  let rest = path.startsWith('/') ? path : `${process.cwd()}/${path}`;
  for (let links = 0; ; links++) {
    const link = firstLink(rest);
    if (link === null) break;
    if (links >= MAX_LINKS || foreignLink(Buffer.from(link.path, 'latin1'))) {
      throw Object.assign(new Error('symlink of another user'), { code: 'ELOOP', errno: -40, syscall: 'open' });
    }
    const target = fs.readlinkSync(Buffer.from(link.path, 'latin1'), { encoding: 'latin1' });
    const parent = link.path.slice(0, link.path.lastIndexOf('/') + 1);
    rest = (target.startsWith('/') ? target : parent + target) + link.after;
  }
  return fs.openSync(Buffer.from(rest, 'latin1'), flags | fs.constants.O_NOFOLLOW | fs.constants.O_NOCTTY, mode);
}

/** The first component of an absolute path that is a symlink, and what follows it. */
function firstLink(path: ByteString): { path: ByteString; after: ByteString } | null {
  for (let at = path.indexOf('/', 1); ; at = path.indexOf('/', at + 1)) {
    const part = at < 0 ? path : path.slice(0, at);
    const st = fs.lstatSync(Buffer.from(part, 'latin1'), { throwIfNoEntry: false });
    if (st === undefined) return null;
    if (st.isSymbolicLink()) return { path: part, after: at < 0 ? '' : path.slice(at) };
    if (at < 0) return null;
  }
}

/** The whole content of such a file, of at most `limit` bytes. Throws an errno error, EFBIG beyond the limit. */
export function readTrusted(path: ByteString, limit: number): Buffer {
  const fd = openTrusted(path, fs.constants.O_RDONLY);
  try {
    if (fs.fstatSync(fd).size > limit) {
      throw Object.assign(new Error('file too large'), { code: 'EFBIG', errno: -27, syscall: 'read' });
    }
    return fs.readFileSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
