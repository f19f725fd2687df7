import type { FileList } from './list.js';
import { compareSiblings, isDotDir } from './siblings.js';

/** The order of 7.7: negative, 0 or positive, for rows of any directories. */
export function compareRows(list: FileList, a: number, b: number, protocol: number): number {
  if (protocol < 29) return comparePaths(list.path(a), list.path(b));
  if (list.dir(a) === list.dir(b)) return compareSiblings(list, a, b);
  return compareTexts(textOf(list, a), textOf(list, b));
}

/** A row's name as 7.7 writes it: a directory ends in a slash, and "." is the directory it stands for. */
function textOf(list: FileList, row: number): string {
  const dir = list.dirPath(row);
  const prefix = dir === '' || dir === '/' ? dir : `${dir}/`;
  if (!list.isDir(row)) return prefix + list.baseName(row);
  return isDotDir(list, row) ? prefix : `${prefix}${list.baseName(row)}/`;
}

/**
 * Compares two texts of 7.7. Kinds are compared at the start of each component; only the last start that both have in
 * common can tell a difference, because before any earlier one both still have a slash to come.
 */
function compareTexts(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  let i = 0;
  while (i < n && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === a.length && i === b.length) return 0;
  const start = i === 0 ? 0 : a.lastIndexOf('/', i - 1) + 1;
  const dirA = a.indexOf('/', start) >= 0;
  const dirB = b.indexOf('/', start) >= 0;
  if (dirA !== dirB) return dirA ? 1 : -1;
  return (i < a.length ? a.charCodeAt(i) : 0) - (i < b.length ? b.charCodeAt(i) : 0);
}

/** Byte order of whole paths. */
export function comparePaths(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
