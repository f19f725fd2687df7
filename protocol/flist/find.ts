import { lastName, parentOf } from '../path.js';
import { type FileList, rowAt, type Segment } from './list.js';
import { compareBytes, isDotDir, SiblingSorter } from './siblings.js';

const SLASH = 0x2f;

/** The rows of a segment by directory, each directory's in the order of `compareSiblings`. */
class SegmentIndex {
  private readonly rows: Int32Array;
  /** Where each directory's rows begin, by id; null when all rows lie in one directory. */
  private readonly starts: Int32Array | null;
  private readonly onlyDir: number;

  constructor(
    private readonly list: FileList,
    readonly segment: Segment,
  ) {
    const { start, count } = segment;
    this.onlyDir = count > 0 ? list.dir(start) : -1;
    this.rows = new Int32Array(count);
    let single = true;
    for (let i = 0; i < count; i++) {
      this.rows[i] = rowAt(segment, i);
      if (list.dir(start + i) !== this.onlyDir) single = false;
    }
    this.starts = single ? null : this.group();
    const sorter = new SiblingSorter(list);
    if (this.starts === null) sorter.sort(this.rows, 0, count);
    else
      for (let id = 0; id + 1 < this.starts.length; id++) sorter.sort(this.rows, this.starts[id], this.starts[id + 1]);
  }

  private group(): Int32Array {
    const { list, rows } = this;
    const starts = new Int32Array(list.dirs.end + 1);
    for (let i = 0; i < rows.length; i++) starts[list.dir(rows[i]) + 1]++;
    for (let id = 1; id < starts.length; id++) starts[id] += starts[id - 1];
    const next = starts.slice();
    const sorted = rows.slice();
    for (let i = 0; i < sorted.length; i++) rows[next[list.dir(sorted[i])]++] = sorted[i];
    return starts;
  }

  find(dirId: number, name: Uint8Array, from: number, to: number): number {
    const { rows, starts, onlyDir } = this;
    let low = 0;
    let high = rows.length;
    if (starts === null) {
      if (dirId !== onlyDir) return -1;
    } else {
      if (dirId < 0 || dirId + 1 >= starts.length) return -1;
      low = starts[dirId];
      high = starts[dirId + 1];
    }
    const border = this.firstDirectory(low, high);
    const file = this.search(low, border, 0, name, from, to);
    return file >= 0 ? file : this.search(border, high, SLASH, name, from, to);
  }

  /** Where the directories begin; the one called "." stands in front of all others. */
  private firstDirectory(from: number, to: number): number {
    const { list, rows } = this;
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list.isDir(rows[middle]) && !isDotDir(list, rows[middle])) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** An active row of that name among `rows[start, end)`, which are sorted as if `tail` followed each name. */
  private search(start: number, end: number, tail: number, name: Uint8Array, from: number, to: number): number {
    const { list, rows } = this;
    const order = (row: number): number =>
      compareBytes(list.arenaOf(row), list.offsetOf(row), list.lengthOf(row), name, from, to - from, tail);
    let low = start;
    let high = end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (!(tail === 0 && isDotDir(list, rows[middle])) && order(rows[middle]) >= 0) high = middle;
      else low = middle + 1;
    }
    for (; low < end && order(rows[low]) === 0; low++) if (!list.isInactive(rows[low])) return rows[low];
    return -1;
  }
}

/** The index of the segment that was searched last, by list: searches go through one segment after the other. */
const indexes = new WeakMap<FileList, SegmentIndex>();

/**
 * The row of an active entry of a finished segment: its directory is `dirId`, its last component `name[from, to)`.
 * -1 when there is none. The type of the entry does not matter.
 */
export function findInSegment(
  list: FileList,
  segment: Segment,
  dirId: number,
  name: Uint8Array,
  from: number,
  to: number,
): number {
  let index = indexes.get(list);
  if (index === undefined || index.segment !== segment) {
    index = new SegmentIndex(list, segment);
    indexes.set(list, index);
  }
  return index.find(dirId, name, from, to);
}

/** The same for a whole name as a byte string. */
export function findRow(list: FileList, segment: Segment, path: string): number {
  const dir = parentOf(path);
  const dirId = dir === '' ? 0 : list.dirs.known(dir);
  const name = Buffer.from(lastName(path), 'latin1');
  return dirId < 0 ? -1 : findInSegment(list, segment, dirId, name, 0, name.length);
}
