import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { FileStat, statInto } from '../files/stat.js';
import { Errno, errnoOf } from '../libc/errno.js';
import type { Receiving } from '../receiving/receiving.js';
import { strerror } from '../report/errno.js';
import { backupDirIs, basisDirFault } from '../report/messages.js';
import { modulePath } from './module-paths.js';

/** Directories that options name, as a client has said them. */
export type AskedPlaces = Readonly<Pick<Options, 'basisDirs' | 'backupDir' | 'tempDir'>>;

/**
 * Looks at the directories that options name besides the destination, before anything is transferred. A basis directory
 * that is not there is told; a --backup-dir may be new, a --temp-dir not: exit code 1. `asked`: the directories as they came;
 * `innerRoot`: the path of a module that is no root of its own.
 */
export function checkPlaces(receiving: Receiving, asked: AskedPlaces, innerRoot: ByteString | null): void {
  const { options: o, log } = receiving.session;
  const st = new FileStat();
  const { module, parts, shownRoot } = receiving;
  const look = (path: ByteString): number => {
    try {
      // Only a look: whoever uses a directory of a user's own options goes there by a way that is guarded.
      const whole = path.startsWith('/') ? path : `${shownRoot}/${path}`;
      return statInto(module === null ? Buffer.from(whole, 'latin1') : parts.root.path(path), st);
    } catch (error) {
      return errnoOf(error);
    }
  };
  for (const [i, dir] of o.basisDirs.entries()) {
    const errno = look(dir);
    if (errno !== 0 || !st.isDir) {
      const shown = shownBasis(receiving, asked.basisDirs[i], innerRoot).replace(/(.)\/$/, '$1');
      log.warning(basisDirFault(`--${o.basisKind}-dest`, shown, errno === 0));
    }
  }
  if (o.backup && o.backupDir !== '') {
    const errno = look(o.backupDir);
    const shown = asWritten(receiving, o.backupDir, asked.backupDir, innerRoot);
    if (errno === 0 && !st.isDir) throw new RsyncError(Exit.SYNTAX, `The backup-dir is not a directory: ${shown}`);
    if (errno !== 0 && errno !== Errno.ENOENT) {
      throw new RsyncError(Exit.FILEIO, `Failed to stat ${shown}: ${strerror(errno)}`);
    }
    if ((o.info.backup ?? 0) >= 1) log.info(backupDirIs(shown, errno !== 0));
  }
  if (o.tempDir !== '') {
    const errno = look(o.tempDir);
    const shown = asWritten(receiving, o.tempDir, asked.tempDir, innerRoot);
    if (errno === Errno.ENOENT) throw new RsyncError(Exit.SYNTAX, `The temp-dir does not exist: ${shown}`);
    if (errno !== 0) {
      throw new RsyncError(Exit.FILEIO, `Failed to stat temp-dir ${shown}: ${strerror(errno)}`);
    }
    if (!st.isDir) throw new RsyncError(Exit.SYNTAX, `The temp-dir is not a directory: ${shown}`);
  }
}

/** A basis directory in messages: absolute, or relative to the destination in a module that is no root of its own. */
function shownBasis(
  { module, below, shownRoot }: Receiving,
  dir: ByteString,
  innerRoot: ByteString | null,
): ByteString {
  if (module === null) return dir.startsWith('/') ? dir : `${shownRoot}/${dir}`;
  if (dir.startsWith('/')) return belowInner(dir, innerRoot);
  if (innerRoot !== null) return climbing(dir, below.split('/').filter((part) => part !== '').length);
  return `${below === '' ? '' : `/${below}`}/${dir}`;
}

/** A path from a module's root as one of the system that the daemon sees. */
function belowInner(dir: ByteString, innerRoot: ByteString | null): ByteString {
  const path = modulePath(dir);
  return innerRoot === null ? path : path === '/' ? innerRoot : `${innerRoot}${path}`;
}

/** A relative path without more `..` in front than lead to the module's root, `depth` levels above. */
function climbing(dir: ByteString, depth: number): ByteString {
  const out: ByteString[] = [];
  for (const part of dir.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') out.push(part);
    else if (out.length > 0 && out[out.length - 1] !== '..') out.pop();
    else if (out.length < depth) out.push(part);
  }
  return out.join('/');
}

/** A path from the module's root as one from the destination, where it lies below that. */
function belowRoot(dir: ByteString, below: ByteString): ByteString {
  const prefix = below === '' ? '/' : `/${below}/`;
  return dir.startsWith(prefix) ? dir.slice(prefix.length) : dir;
}

/**
 * A daemon has made the directories that options name absolute; messages show a relative one as it came. `asked`: what came.
 */
function asWritten(receiving: Receiving, dir: ByteString, asked: ByteString, innerRoot: ByteString | null): ByteString {
  if (receiving.module === null) return dir.replace(/(.)\/$/, '$1');
  if (asked.startsWith('/')) return belowInner(asked, innerRoot);
  return belowRoot(dir, receiving.below).replace(/(.)\/$/, '$1');
}
