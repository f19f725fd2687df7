import { S_IFDIR, S_IFREG } from '../../protocol/constants.js';
import { FileList, type Segment } from '../../protocol/flist/list.js';

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
  list.dir[row] = list.dirId(slash < 0 ? '' : slash === 0 ? '/' : entry.path.slice(0, slash));
  list.mode[row] = entry.mode ?? S_IFREG | 0o644;
  list.flags[row] = entry.flags ?? 0;
  for (const column of [list.size, list.mtime, list.uid, list.gid]) column[row] = 0;
  return row;
}

export const dirMode = S_IFDIR | 0o755;

export function makeList(entries: readonly MadeEntry[]): { list: FileList; segment: Segment } {
  const list = new FileList();
  for (const entry of entries) addEntry(list, entry);
  const segment = { firstNdx: 0, start: 0, count: list.count, order: null, parentRow: -1 };
  list.segments.push(segment);
  return { list, segment };
}

/** Whole names in sorted order; a directory gets a slash. */
export function sortedPaths(list: FileList, segment: Segment): string[] {
  return Array.from({ length: segment.count }, (_, i) => {
    const row = FileList.rowAt(segment, i);
    return list.path(row) + (list.isDir(row) ? '/' : '');
  });
}
