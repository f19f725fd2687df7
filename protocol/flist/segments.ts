/**
 * A run of entries that were transmitted together (8.1). Indexes from `firstNdx` on stand for them, in sorted order or
 * with --iconv in that of the transmission (7.7); `firstNdx - 1` stands for the directory that the run lists.
 */
export interface Segment {
  /** Its place among all lists of the run, from 0. */
  readonly number: number;
  readonly firstNdx: number;
  /** First row in the columns, and the number of rows. */
  readonly start: number;
  readonly count: number;
  /** Row of the i-th entry in sorted order; null when the rows are in that order already. */
  order: Int32Array | null;
  /** Row of the i-th index; null when the rows are in that order. It is `order`, or null with --iconv. */
  numbers: Int32Array | null;
  /** All rows are regular files of one directory; when the list is ready for use, also no two of the same name. */
  isPlain: boolean;
  /** Row of the directory that this segment lists, -1 for the first one. */
  readonly parentRow: number;
  /** Receiving side, entries that keep the list open (8.5): requested or waiting for another one, and to be redone. */
  inProgress: number;
  toRedo: number;
}

/** The row behind the i-th sorted entry of a segment. */
export function rowAt(segment: Segment, i: number): number {
  return segment.order === null ? segment.start + i : segment.order[i];
}

/** The row behind an index of a segment. */
export function rowOf(segment: Segment, ndx: number): number {
  const i = ndx - segment.firstNdx;
  return segment.numbers === null ? segment.start + i : segment.numbers[i];
}

/** The index of the i-th sorted entry of a segment. */
export function ndxAt(segment: Segment, i: number): number {
  const { numbers, order } = segment;
  return segment.firstNdx + (numbers === order ? i : rowAt(segment, i) - segment.start);
}

/** Ended segments that are kept at the front of the array until it is worth moving the others. */
const MOST_ENDED = 64;

/** The lists of a run in the order in which they were transmitted. They end in that order too, and are forgotten then. */
export class Segments {
  /** Number of lists so far, and of those that have ended. */
  length = 0;
  ended = 0;
  /** The last list, even if it has ended. */
  last: Segment | null = null;
  /** Segment number `firstKept + i`; those below `ended` are of no use any more. */
  private kept: Segment[] = [];
  private firstKept = 0;

  /** Appends the list that has the next `count` rows. `incremental`: one index is left out for its directory (8.1). */
  add(count: number, parentRow: number, incremental: boolean): Segment {
    const segment: Segment = {
      number: this.length++,
      firstNdx: this.nextNdx(incremental),
      start: this.nextRow,
      count,
      order: null,
      numbers: null,
      isPlain: false,
      parentRow,
      inProgress: 0,
      toRedo: 0,
    };
    this.last = segment;
    this.kept.push(segment);
    return segment;
  }

  /** The index that the next list starts at. */
  nextNdx(incremental: boolean): number {
    const { last } = this;
    if (last === null) return incremental ? 1 : 0;
    return last.firstNdx + last.count + 1;
  }

  /** The row that the next list starts at. */
  get nextRow(): number {
    return this.last === null ? 0 : this.last.start + this.last.count;
  }

  /** A list that has not ended. */
  at(number: number): Segment {
    return this.kept[number - this.firstKept];
  }

  /** The oldest list that has not ended, null when there is none. */
  get oldest(): Segment | null {
    return this.ended < this.length ? this.at(this.ended) : null;
  }

  /** The list that `ndx` belongs to (its own `firstNdx - 1` included), null when that is none or has ended. */
  of(ndx: number): Segment | null {
    let low = this.ended;
    let high = this.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const s = this.at(middle);
      if (ndx < s.firstNdx - 1) high = middle - 1;
      else if (ndx >= s.firstNdx + s.count) low = middle + 1;
      else return s;
    }
    return null;
  }

  /** Ends the oldest list. */
  shift(): Segment {
    const segment = this.at(this.ended++);
    const old = this.ended - this.firstKept;
    if (old > MOST_ENDED && 2 * old > this.kept.length) {
      this.kept = this.kept.slice(old);
      this.firstKept = this.ended;
    }
    return segment;
  }

  /** The lists that have not ended. */
  *[Symbol.iterator](): Iterator<Segment> {
    for (let number = this.ended; number < this.length; number++) yield this.at(number);
  }
}
