/** Names by row: what sorting needs to know of a file list, or of a directory. */
export interface Names {
  /** Last component of a row's name: the bytes it is in, where it begins, and its length. */
  arenaOf(row: number): Uint8Array;
  offsetOf(row: number): number;
  lengthOf(row: number): number;
  isDir(row: number): boolean;
}

const SLASH = 0x2f;
const DOT = 0x2e;
/** Name bytes that a sort key holds behind one bit for the kind: 49 bits fit a double. */
const KEY_BYTES = 6;
const INSERTION_LIMIT = 12;

/** True for the directory called ".", which sorts as an empty text. */
export function isDotDir(list: Names, row: number): boolean {
  return list.lengthOf(row) === 1 && list.arenaOf(row)[list.offsetOf(row)] === DOT && list.isDir(row);
}

/**
 * Compares the last components of two rows of the same directory as 7.7 does from protocol 29 on: "." first, then
 * everything that is no directory, then directories as if their names ended in a slash.
 */
export function compareSiblings(list: Names, a: number, b: number): number {
  const dirA = list.isDir(a);
  const dirB = list.isDir(b);
  if (dirA || dirB) {
    const dotA = dirA && isDotDir(list, a);
    const dotB = dirB && isDotDir(list, b);
    if (dotA || dotB) return dotA === dotB ? 0 : dotA ? -1 : 1;
    if (dirA !== dirB) return dirA ? 1 : -1;
  }
  return compareBytes(
    list.arenaOf(a),
    list.offsetOf(a),
    list.lengthOf(a),
    list.arenaOf(b),
    list.offsetOf(b),
    list.lengthOf(b),
    dirA ? SLASH : 0,
  );
}

/** Compares two byte runs as if `tail` followed each. */
export function compareBytes(
  a: Uint8Array,
  aAt: number,
  aLength: number,
  b: Uint8Array,
  bAt: number,
  bLength: number,
  tail: number,
): number {
  const n = Math.min(aLength, bLength);
  for (let i = 0; i < n; i++) {
    const difference = a[aAt + i] - b[bAt + i];
    if (difference !== 0) return difference;
  }
  if (aLength === bLength) return 0;
  // A slash in place of the missing byte can only be equal to the other byte in names that no peer may send.
  const difference = (aLength > n ? a[aAt + n] : tail) - (bLength > n ? b[bAt + n] : tail);
  return difference !== 0 ? difference : aLength - bLength;
}

/** Sorts rows of one directory in place, stable, in the order of `compareSiblings`. */
export class SiblingSorter {
  private keys = new Float64Array(0);
  private spareKeys = new Float64Array(0);
  private spareRows = new Int32Array(0);

  constructor(private readonly list: Names) {}

  /** Sorts `rows[from, to)`. */
  sort(rows: Int32Array, from: number, to: number): void {
    const { list } = this;
    let i = from + 1;
    while (i < to && compareSiblings(list, rows[i - 1], rows[i]) <= 0) i++;
    if (i >= to) return;
    const n = to - from;
    if (this.keys.length < n) {
      this.keys = new Float64Array(n);
      this.spareKeys = new Float64Array(n);
      this.spareRows = new Int32Array(n);
    }
    const part = rows.subarray(from, to);
    this.fillKeys(part);
    for (let at = 0; at < n; at += INSERTION_LIMIT) this.insertionSort(part, at, Math.min(at + INSERTION_LIMIT, n));
    this.mergeAll(part);
  }

  /** A number per row that orders most pairs: the kind, and the first bytes behind what all names have in common. */
  private fillKeys(rows: Int32Array): void {
    const { list, keys } = this;
    const common = this.commonPrefix(rows);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      const isDir = list.isDir(row);
      if (isDir && isDotDir(list, row)) {
        keys[i] = -1;
        continue;
      }
      const arena = list.arenaOf(row);
      const at = list.offsetOf(row);
      const length = list.lengthOf(row);
      let key = isDir ? 1 : 0;
      for (let k = common; k < common + KEY_BYTES; k++) {
        key = key * 256 + (k < length ? arena[at + k] : k === length && isDir ? SLASH : 0);
      }
      keys[i] = key;
    }
  }

  private commonPrefix(rows: Int32Array): number {
    const { list } = this;
    const firstArena = list.arenaOf(rows[0]);
    const first = list.offsetOf(rows[0]);
    let common = list.lengthOf(rows[0]);
    for (let i = 1; i < rows.length && common > 0; i++) {
      const arena = list.arenaOf(rows[i]);
      const at = list.offsetOf(rows[i]);
      common = Math.min(common, list.lengthOf(rows[i]));
      let k = 0;
      while (k < common && firstArena[first + k] === arena[at + k]) k++;
      common = k;
    }
    return common;
  }

  private insertionSort(rows: Int32Array, from: number, to: number): void {
    const { list, keys } = this;
    for (let i = from + 1; i < to; i++) {
      const row = rows[i];
      const key = keys[i];
      let j = i - 1;
      while (j >= from && (keys[j] > key || (keys[j] === key && compareSiblings(list, rows[j], row) > 0))) {
        rows[j + 1] = rows[j];
        keys[j + 1] = keys[j];
        j--;
      }
      rows[j + 1] = row;
      keys[j + 1] = key;
    }
  }

  private mergeAll(rows: Int32Array): void {
    const n = rows.length;
    let fromRows: Int32Array = rows;
    let fromKeys = this.keys;
    let toRows: Int32Array = this.spareRows;
    let toKeys = this.spareKeys;
    for (let width = INSERTION_LIMIT; width < n; width *= 2) {
      for (let low = 0; low < n; low += 2 * width) {
        const middle = Math.min(low + width, n);
        this.merge(fromRows, fromKeys, toRows, toKeys, low, middle, Math.min(low + 2 * width, n));
      }
      [fromRows, toRows] = [toRows, fromRows];
      [fromKeys, toKeys] = [toKeys, fromKeys];
    }
    if (fromRows !== rows) rows.set(fromRows.subarray(0, n));
  }

  private merge(
    rows: Int32Array,
    keys: Float64Array,
    toRows: Int32Array,
    toKeys: Float64Array,
    low: number,
    middle: number,
    high: number,
  ): void {
    const { list } = this;
    let a = low;
    let b = middle;
    for (let out = low; out < high; out++) {
      const takeA =
        b >= high ||
        (a < middle && (keys[a] < keys[b] || (keys[a] === keys[b] && compareSiblings(list, rows[a], rows[b]) <= 0)));
      const at = takeA ? a++ : b++;
      toRows[out] = rows[at];
      toKeys[out] = keys[at];
    }
  }
}
