import { S_IFDIR, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import type { Options } from '../../protocol/options.js';
import { PERMISSION_BITS } from './chmod.js';

/** What an owner needs to work in a directory. */
export const OWNER_RWX = 0o700;

/**
 * The mode that a file gets without -p, from the mode in the list and the one it has now (null: there is none).
 * An existing file keeps its permissions, but for -E; a new one gets those of the source that are among `rights`.
 */
export function destMode(
  listMode: number,
  statMode: number | null,
  isNew: boolean,
  o: Pick<Options, 'executability'>,
  rights: number,
): number {
  if (isNew || statMode === null) return listMode & (~PERMISSION_BITS | rights);
  const mode = (listMode & ~PERMISSION_BITS) | (statMode & PERMISSION_BITS);
  if (!o.executability || (listMode & S_IFMT) !== S_IFREG) return mode;
  if ((listMode & 0o111) === 0) return mode & ~0o111;
  // Whoever may read the file may run it now, unless somebody could do so before.
  return (statMode & 0o111) !== 0 ? mode : mode | ((mode & 0o444) >> 2);
}

/** True for a directory whose mode would keep its owner, not being root, from putting files into it. */
export function needsOwnerAccess(mode: number, isRoot: boolean): boolean {
  return !isRoot && (mode & S_IFMT) === S_IFDIR && (mode & OWNER_RWX) !== OWNER_RWX;
}
