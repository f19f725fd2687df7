import { S_IFDIR } from '../constants.js';
import type { ByteString } from '../options.js';
import type { FileList } from './list.js';
import { isDotDir, SiblingSorter } from './siblings.js';

/**
 * Sorts rows that lie in many directories (7.7, from protocol 29 on): the rows of each directory are sorted among
 * themselves, and the directories are then walked depth first. Whole names are never compared.
 */
export function sortTree(list: FileList, start: number, count: number): Int32Array {
  if (sameDirectory(list, start, count)) {
    const rows = new Int32Array(count);
    for (let i = 0; i < count; i++) rows[i] = start + i;
    new SiblingSorter(list).sort(rows, 0, count);
    return rows;
  }
  return new TreeSort(list, start, count).run();
}

function sameDirectory(list: FileList, start: number, count: number): boolean {
  for (let i = 1; i < count; i++) if (list.dir(start + i) !== list.dir(start)) return false;
  return true;
}

class TreeSort {
  /** Rows of the list at the start; those behind it stand for directories that have no entry of their own. */
  private readonly realRows: number;
  /** Id of the path of each directory row that has content here, by row less `start`; -1 for all others. */
  private readonly content: Int32Array;
  /** The same for the rows behind `realRows`. */
  private readonly addedContent: number[] = [];
  /** Directories that some row leads to. */
  private readonly linked = new Set<number>([0]);
  /** The rows of directory `id` are `bucketRows[bucketStart[id], bucketStart[id + 1])`. */
  private bucketStart = new Int32Array(0);
  private bucketRows = new Int32Array(0);
  private readonly out: Int32Array;
  private filled = 0;

  constructor(
    private readonly list: FileList,
    private readonly start: number,
    private readonly count: number,
  ) {
    this.realRows = list.count;
    this.content = new Int32Array(count).fill(-1);
    this.out = new Int32Array(count);
  }

  run(): Int32Array {
    const { list } = this;
    this.linkDirectories();
    this.fillBuckets();
    const sorter = new SiblingSorter(list);
    for (let id = 0; id < this.bucketStart.length - 1; id++) {
      sorter.sort(this.bucketRows, this.bucketStart[id], this.bucketStart[id + 1]);
    }
    this.walk();
    while (list.count > this.realRows) list.dropRow();
    return this.out;
  }

  /** Finds the content of each directory row, and appends rows for directories that only occur in other names. */
  private linkDirectories(): void {
    const { list, start, count } = this;
    for (let row = start; row < start + count; row++) {
      if (!list.isDir(row) || isDotDir(list, row)) continue;
      const id = list.dirs.known(list.path(row));
      if (id <= 0 || id === list.dir(row)) continue;
      this.content[row - start] = id;
      this.linked.add(id);
    }
    for (let row = start; row < start + count; row++) {
      if (row === start || list.dir(row) !== list.dir(row - 1)) this.linkMissing(list.dir(row));
    }
  }

  private linkMissing(id: number): void {
    const { list, linked } = this;
    while (!linked.has(id)) {
      const path: ByteString = list.dirs.path(id);
      const slash = path.lastIndexOf('/');
      const parent = slash < 0 || path === '/' ? '' : slash === 0 ? '/' : path.slice(0, slash);
      const name = Buffer.from(path.slice(slash + 1), 'latin1');
      const row = list.addRow();
      list.setName(row, name, 0, name.length);
      list.setMode(row, S_IFDIR);
      list.setDir(row, list.dirs.id(parent));
      this.addedContent.push(id);
      linked.add(id);
      id = list.dir(row);
    }
  }

  private fillBuckets(): void {
    const { list, start, count, realRows } = this;
    const total = count + list.count - realRows;
    const rowAt = (i: number): number => (i < count ? start + i : realRows + i - count);
    const starts = new Int32Array(list.dirs.end + 1);
    for (let i = 0; i < total; i++) starts[list.dir(rowAt(i)) + 1]++;
    for (let id = 1; id < starts.length; id++) starts[id] += starts[id - 1];
    const next = starts.slice();
    const rows = new Int32Array(total);
    for (let i = 0; i < total; i++) {
      const row = rowAt(i);
      rows[next[list.dir(row)]++] = row;
    }
    this.bucketStart = starts;
    this.bucketRows = rows;
  }

  private contentOf(row: number): number {
    return row < this.realRows ? this.content[row - this.start] : this.addedContent[row - this.realRows];
  }

  /** Emits the rows depth first. Every directory is reached, because each has a row, real or added. */
  private walk(): void {
    const { list, bucketStart, bucketRows } = this;
    const positions = [bucketStart[0]];
    const ends = [bucketStart[1]];
    while (positions.length > 0) {
      const top = positions.length - 1;
      const at = positions[top];
      const end = ends[top];
      if (at >= end) {
        positions.pop();
        ends.pop();
        continue;
      }
      const id = this.contentOf(bucketRows[at]);
      let next = at + 1;
      if (id < 0) {
        this.emit(bucketRows[at]);
        positions[top] = next;
        continue;
      }
      while (next < end && this.contentOf(bucketRows[next]) === id) next++;
      let inside = bucketStart[id];
      while (inside < bucketStart[id + 1] && isDotDir(list, bucketRows[inside])) inside++;
      this.emitDirectory(at, next, bucketStart[id], inside);
      positions[top] = next;
      positions.push(inside);
      ends.push(bucketStart[id + 1]);
    }
  }

  /** All rows of one directory: those in its parent, and those inside that are called "." and count as equal. */
  private emitDirectory(from: number, to: number, dotFrom: number, dotTo: number): void {
    const { bucketRows } = this;
    if (to - from === 1 && dotFrom === dotTo) {
      this.emit(bucketRows[from]);
      return;
    }
    const rows = [...bucketRows.subarray(from, to), ...bucketRows.subarray(dotFrom, dotTo)];
    rows.sort((a, b) => a - b);
    for (const row of rows) this.emit(row);
  }

  private emit(row: number): void {
    if (row < this.realRows) this.out[this.filled++] = row;
  }
}
