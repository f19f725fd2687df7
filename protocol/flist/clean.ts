import { compareRows } from './compare.js';
import { EntryFlag, type FileList, rowAt, type Segment } from './list.js';
import { compareBytes, isDotDir } from './siblings.js';

/**
 * Marks all but one of the rows that have the same name (7.7). The first one stays, except that a directory beats
 * anything else; two directories become one that has the properties of both.
 */
export function dropDuplicates(list: FileList, segment: Segment, protocol: number): void {
  const runs = protocol >= 29 ? new FileRuns(list, segment) : null;
  let kept = -1;
  for (let i = 0; i < segment.count; i++) {
    const row = rowAt(segment, i);
    if (list.flags(row) & EntryFlag.UNNAMED) continue;
    if (kept >= 0 && isEqual(list, kept, row, protocol)) {
      kept = dropOne(list, kept, row);
      continue;
    }
    kept = row;
    if (runs === null) continue;
    if (!list.isDir(row)) {
      runs.note(row, i);
    } else {
      const other = runs.find(row);
      if (other >= 0) list.addFlags(other, EntryFlag.DUPLICATE);
    }
  }
}

function isEqual(list: FileList, a: number, b: number, protocol: number): boolean {
  // Rows of different directories are equal only as "x" and "x/.", which ends in a dot.
  if (list.dir(a) !== list.dir(b) && !isDotDir(list, a) && !isDotDir(list, b)) return false;
  return compareRows(list, a, b, protocol) === 0;
}

/** Of two equal names, marks one and returns the other. `a` sorts first. */
function dropOne(list: FileList, a: number, b: number): number {
  if (!list.isDir(b)) {
    list.addFlags(b, EntryFlag.DUPLICATE);
    return a;
  }
  if (!list.isDir(a)) {
    list.addFlags(a, EntryFlag.DUPLICATE);
    return b;
  }
  const flags = list.flags(b);
  list.addFlags(a, flags & (EntryFlag.TOP_DIR | EntryFlag.CONTENT_DIR));
  if ((flags & EntryFlag.IMPLIED_DIR) === 0) list.clearFlags(a, EntryFlag.IMPLIED_DIR);
  list.addFlags(b, EntryFlag.DUPLICATE);
  return a;
}

/**
 * Where the entries that are no directories lie in the sorted list. Those of one directory stand next to each other
 * and in front of its sub-directories, so a directory of the same name as one of them is found by bisection.
 */
class FileRuns {
  private readonly first = new Map<number, number>();
  private readonly last = new Map<number, number>();
  private dir = -1;

  constructor(
    private readonly list: FileList,
    private readonly segment: Segment,
  ) {}

  note(row: number, position: number): void {
    const dir = this.list.dir(row);
    if (dir !== this.dir) {
      this.dir = dir;
      this.first.set(dir, position);
    }
    this.last.set(dir, position);
  }

  /** The first row of the same name as `row` in the run of its directory, or -1. */
  find(row: number): number {
    const { list, segment } = this;
    const arena = list.arenaOf(row);
    let low = this.first.get(list.dir(row)) ?? 0;
    let high = this.last.get(list.dir(row)) ?? -1;
    const at = list.offsetOf(row);
    const length = list.lengthOf(row);
    let found = -1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const other = rowAt(segment, middle);
      const order = compareBytes(list.arenaOf(other), list.offsetOf(other), list.lengthOf(other), arena, at, length, 0);
      if (order === 0) found = other;
      if (order >= 0) high = middle - 1;
      else low = middle + 1;
    }
    return found;
  }
}

/** Takes the leading slash off names that -R sent with one. */
export function stripRoots(list: FileList, segment: Segment): void {
  if (segment.isPlain && !list.dirPath(segment.start).startsWith('/')) return;
  let from = -1;
  let to = -1;
  for (let row = segment.start; row < segment.start + segment.count; row++) {
    const dir = list.dir(row);
    if (dir !== from) {
      const path = list.dirs.path(dir);
      from = dir;
      to = path.startsWith('/') ? list.dirs.id(path.slice(1)) : dir;
    }
    list.setDir(row, to);
  }
}

/** Takes out directories that have nothing but directories below them (--prune-empty-dirs). */
export function pruneEmptyDirs(list: FileList, segment: Segment, keepDir: ((row: number) => boolean) | null): void {
  const needed = new Set<number>([0]);
  const rows: number[] = [];
  const need = (id: number): void => {
    let at = id;
    while (at > 0 && !needed.has(at)) {
      needed.add(at);
      const path = list.dirs.path(at);
      at = list.dirs.known(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
    }
  };
  for (let row = segment.start; row < segment.start + segment.count; row++) {
    if (list.isInactive(row)) continue;
    if (!list.isDir(row)) {
      need(list.dir(row));
    } else if (!isDotDir(list, row)) {
      if (keepDir?.(row)) need(list.dirs.id(list.path(row)));
      else rows.push(row);
    }
  }
  for (const row of rows) {
    if (!needed.has(list.dirs.known(list.path(row)))) list.addFlags(row, EntryFlag.CLEARED);
  }
}
