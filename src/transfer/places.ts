import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { FileStat, statInto } from '../files/stat.js';
import { Errno, errnoOf } from '../libc/errno.js';
import type { Receiving } from '../receiving/receiving.js';
import { strerror } from '../report/errno.js';
import { backupDirIs, basisDirFault } from '../report/messages.js';

/**
 * Looks at the directories that options name besides the destination, before anything is transferred. A basis directory
 * that is not there is told; a --backup-dir may be new, a --temp-dir not: exit code 1.
 */
export function checkPlaces(receiving: Receiving): void {
  const { options: o, log } = receiving.session;
  const st = new FileStat();
  const look = (path: ByteString): number => {
    try {
      return statInto(receiving.parts.root.path(path), st);
    } catch (error) {
      return errnoOf(error);
    }
  };
  // A daemon keeps this to itself.
  for (const dir of receiving.module === null ? o.basisDirs : []) {
    const errno = look(dir);
    if (errno !== 0 || !st.isDir) {
      const shown = absolute(dir, receiving.shownRoot).replace(/(.)\/$/, '$1');
      log.warning(basisDirFault(`--${o.basisKind}-dest`, shown, errno === 0));
    }
  }
  if (o.backup && o.backupDir !== '') {
    const errno = look(o.backupDir);
    const shown = asWritten(receiving, o.backupDir);
    if (errno === 0 && !st.isDir) throw new RsyncError(Exit.SYNTAX, `The backup-dir is not a directory: ${shown}`);
    if (errno !== 0 && errno !== Errno.ENOENT) {
      throw new RsyncError(Exit.FILEIO, `Failed to stat ${shown}: ${strerror(errno)}`);
    }
    if ((o.info.backup ?? 0) >= 1) log.info(backupDirIs(shown, errno !== 0));
  }
  if (o.tempDir !== '') {
    const errno = look(o.tempDir);
    const shown = asWritten(receiving, o.tempDir);
    if (errno === Errno.ENOENT) throw new RsyncError(Exit.SYNTAX, `The temp-dir does not exist: ${shown}`);
    if (errno !== 0) {
      throw new RsyncError(Exit.FILEIO, `Failed to stat temp-dir ${shown}: ${strerror(errno)}`);
    }
    if (!st.isDir) throw new RsyncError(Exit.SYNTAX, `The temp-dir is not a directory: ${shown}`);
  }
}

function absolute(dir: ByteString, root: ByteString): ByteString {
  return dir.startsWith('/') ? dir : `${root}/${dir}`;
}

/** A path from the module's root as one from the destination, where it lies below that. */
function belowRoot(dir: ByteString, below: ByteString): ByteString {
  const prefix = below === '' ? '/' : `/${below}/`;
  return dir.startsWith(prefix) ? dir.slice(prefix.length) : dir;
}

/** A daemon has made the directories that options name absolute; messages show them as they came. */
function asWritten(receiving: Receiving, dir: ByteString): ByteString {
  const written = receiving.module === null ? dir : belowRoot(dir, receiving.below);
  return written.replace(/(.)\/$/, '$1');
}
