import { Basis } from '../../../protocol/constants.js';
import { ProtocolError } from '../../../protocol/errors.js';
import type { ByteString } from '../../../protocol/options.js';
import { lastName, parentOf, pathBelow } from '../../../protocol/path.js';
import type { Root } from '../../files/root.js';
import { FileStat, lstatInto } from '../../files/stat.js';
import { errnoOf } from '../../libc/errno.js';
import type { Receiving } from '../receiving.js';

/** Where the basis of a transfer is, from the type byte and the name that the sender echoes (9.5). */
export function basisPath(receiving: Receiving, row: number, type: number, xname: Buffer | null): Buffer {
  const { parts, session } = receiving;
  const name = receiving.relativePath(row);
  if (type <= Basis.DEST_DIR_HIGH) checkDirectoryNumber(type, session.options.basisDirs.length);
  if (type <= Basis.DEST_DIR_HIGH) return alternativePath(receiving, session.options.basisDirs[type], name);
  if (type === Basis.PARTIAL_DIR) return partialPath(receiving, name) ?? receiving.destPath(row);
  if (type >= Basis.FUZZY) return echoedPath(receiving, name, type - Basis.FUZZY, xname);
  if (type === Basis.BACKUP && parts.backup !== null) return parts.backup.pathFor(name);
  return receiving.destPath(row);
}

/** The file of another name that the generator has found (--fuzzy): beside the row's own, or in a basis directory. */
function echoedPath(receiving: Receiving, path: ByteString, level: number, xname: Buffer | null): Buffer {
  const name = xname?.toString('latin1') ?? '';
  if (level >= receiving.session.options.fuzzy || name === '' || name === '..' || /[/\0]/.test(name)) {
    throw new ProtocolError('basis', `"${name}" in place ${level}`);
  }
  return similarPath(receiving, parentOf(path), name, level);
}

/**
 * A file of another name in a directory of the transfer, looked for in the destination (level 0) or a basis directory; '.' is
 * that directory itself.
 */
export function similarPath(receiving: Receiving, dir: ByteString, name: ByteString, level: number): Buffer {
  const path = pathBelow(similarDir(receiving, dir, level), name);
  return level === 0 ? reachable(receiving.parts.root, path) : optionPath(receiving, path);
}

/** That directory, as an option would name it. */
export function similarDir(receiving: Receiving, dir: ByteString, level: number): ByteString {
  return level === 0 ? dir : pathBelow(receiving.session.options.basisDirs[level - 1], dir);
}

function checkDirectoryNumber(number: number, count: number): void {
  if (number >= count) throw new ProtocolError('basis directory', `${number} of ${count}`);
}

/** A file below a basis directory; relative directories lie below the destination. */
export function alternativePath(receiving: Receiving, dir: ByteString, name: ByteString): Buffer {
  return optionPath(receiving, pathBelow(dir, name));
}

/** Stands for a path that cannot be reached: nothing is there. */
const NOWHERE = Buffer.from('/proc/self/fd/-/-');

/** What an option leads to: a place that cannot be reached is one where nothing is. */
function optionPath(receiving: Receiving, path: ByteString): Buffer {
  return reachable(receiving.parts.root.options, path);
}

function reachable(root: Root, path: ByteString): Buffer {
  try {
    return root.path(path);
  } catch (error) {
    if (errnoOf(error) === 0) throw error;
    return NOWHERE;
  }
}

/** Where the unfinished content of a file is kept with --partial-dir; null when there is no such place. */
export function partialPath(receiving: Receiving, name: ByteString): Buffer | null {
  const relative = partialName(receiving, name);
  if (relative === null || isLinked(receiving, relative)) return null;
  return reachable(receiving.parts.root, relative);
}

const dirStat = new FileStat();

/** A relative --partial-dir lies where a sender has names, too: a link that has its name is not followed. */
function isLinked(receiving: Receiving, relative: ByteString): boolean {
  if (relative.startsWith('/')) return false;
  return lstatInto(reachable(receiving.parts.root, parentOf(relative)), dirStat) === 0 && dirStat.isLink;
}

/** The same as a name: below the file's own directory, or in an absolute one. */
export function partialName(receiving: Receiving, name: ByteString): ByteString | null {
  const { partialDir } = receiving.session.options;
  if (partialDir === '') return null;
  const base = lastName(name);
  if (partialDir.startsWith('/')) return `${partialDir}/${base}`;
  return pathBelow(parentOf(name), `${partialDir}/${base}`);
}
