import { dropDuplicates, pruneEmptyDirs, stripRoots } from './clean.js';
import { comparePaths, compareRows } from './compare.js';
import { FileSorter } from './file-sort.js';
import { type FileList, rowOf, type Segment } from './list.js';
import { sortTree } from './tree-sort.js';

export { compareRows } from './compare.js';
export { findInSegment, findRow } from './find.js';

/** Files of a directory from which on a kernel sorts them, and up to which: its memory never shrinks. */
const WORTH_A_KERNEL = 16;
const MOST_FOR_KERNEL = 1 << 17;

export interface FinishOptions {
  protocol: number;
  /** A receiver removes duplicates and the leading slashes of -R names; a sender keeps both. */
  removeDuplicates: boolean;
  incremental: boolean;
  /** Indexes and numbers of directories count entries as they were transmitted, not as they are sorted (--iconv). */
  numbersAsSent?: boolean;
  pruneEmptyDirs: boolean;
  /** With pruneEmptyDirs: true for a directory that stays although it is empty (rules protect it). */
  keepDir?: (row: number) => boolean;
}

/**
 * Makes a list that was sent or received whole ready for use: puts its rows in order (`segment.order`, null when they
 * have it already), numbers them as both ends do (`segment.numbers`), and its directories (`list.dirRows`, and
 * `list.extra(row)` of a directory), and on a receiver takes out what the other end does not know of.
 */
export function finishSegment(list: FileList, segment: Segment, o: FinishOptions): void {
  if (segment.isPlain) segment.isPlain = orderFiles(list, segment);
  if (segment.isPlain) {
    segment.numbers = o.numbersAsSent === true ? null : segment.order;
    if (o.removeDuplicates) stripRoots(list, segment);
    if (o.incremental) list.holdPaths(segment);
    return;
  }
  segment.order = sortRows(list, segment.start, segment.count, o.protocol);
  segment.numbers = o.numbersAsSent === true ? null : segment.order;
  for (let i = 0; i < segment.count; i++) {
    const row = rowOf(segment, segment.firstNdx + i);
    if (list.isDir(row)) list.setExtra(row, list.dirRows.push(row) - 1);
  }
  if (o.removeDuplicates) {
    dropDuplicates(list, segment, o.protocol);
    stripRoots(list, segment);
    if (o.pruneEmptyDirs) pruneEmptyDirs(list, segment, o.keepDir ?? null);
  }
  if (o.incremental) list.holdPaths(segment);
}

let fileSorter: FileSorter | null = null;

/** Puts the files of one directory in order; false when two have the same name. */
function orderFiles(list: FileList, segment: Segment): boolean {
  const { start, count } = segment;
  if (list.plainFrom <= start) return true;
  if (count < WORTH_A_KERNEL || count > MOST_FOR_KERNEL) return false;
  fileSorter ??= new FileSorter();
  segment.order = fileSorter.sort(list, start, count);
  return segment.order !== null;
}

function sortRows(list: FileList, start: number, count: number, protocol: number): Int32Array | null {
  let i = 1;
  while (i < count && compareRows(list, start + i - 1, start + i, protocol) <= 0) i++;
  if (i >= count) return null;
  return protocol < 29 ? sortPaths(list, start, count) : sortTree(list, start, count);
}

/** Below protocol 29: by the bytes of the whole path. */
function sortPaths(list: FileList, start: number, count: number): Int32Array {
  const paths: string[] = [];
  for (let i = 0; i < count; i++) paths.push(list.path(start + i));
  const order = new Int32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  // The sort of typed arrays is stable, as this order has to be.
  order.sort((a, b) => comparePaths(paths[a], paths[b]));
  for (let i = 0; i < count; i++) order[i] += start;
  return order;
}
