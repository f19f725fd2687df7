import { S_IFDIR, S_IFREG } from '../../protocol/constants.js';
import { FileList, rowAt, type Segment } from '../../protocol/flist/list.js';

/** One entry of a list made by a test: a whole name as a byte string, and what is not the default. */
export interface MadeEntry {
  path: string;
  mode?: number;
  flags?: number;
}

export function addEntry(list: FileList, entry: MadeEntry): number {
  const row = list.addRow();
  const slash = entry.path.lastIndexOf('/');
  const name = Buffer.from(entry.path.slice(slash + 1), 'latin1');
  list.setName(row, name, 0, name.length);
  list.setDir(row, list.dirs.id(slash < 0 ? '' : slash === 0 ? '/' : entry.path.slice(0, slash)));
  list.setMode(row, entry.mode ?? S_IFREG | 0o644);
  list.setFlags(row, entry.flags ?? 0);
  list.setSize(row, 0);
  list.setMtime(row, 0);
  list.setUid(row, 0);
  list.setGid(row, 0);
  return row;
}

export const dirMode = S_IFDIR | 0o755;

export function makeList(entries: readonly MadeEntry[]): { list: FileList; segment: Segment } {
  const list = new FileList();
  for (const entry of entries) addEntry(list, entry);
  return { list, segment: list.addSegment(-1, false) };
}

/** Whole names in sorted order; a directory gets a slash. */
export function sortedPaths(list: FileList, segment: Segment): string[] {
  return Array.from({ length: segment.count }, (_, i) => {
    const row = rowAt(segment, i);
    return list.path(row) + (list.isDir(row) ? '/' : '');
  });
}
