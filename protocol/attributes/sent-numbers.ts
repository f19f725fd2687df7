import type { Column } from '../flist/chunk.js';

/** Which items of a table were sent, by their numbers there: on the wire they are numbered in that order, from 1 on. */
export class SentNumbers {
  private readonly numbers = new Map<number, number>();

  /** The number that an item has on the wire; 0 when it was not sent yet: it is then taken to be sent now. */
  take(item: number): number {
    const known = this.numbers.get(item) ?? 0;
    if (known === 0) this.numbers.set(item, this.numbers.size + 1);
    return known;
  }

  /** Puts those of the items that the rows [i, i + n) have to the front of `to`; returns how many rows have one that was sent. */
  number(items: Column, i: number, n: number, to: Int32Array): number {
    let last = -1;
    let known = 0;
    for (let k = 0; k < n; k++) {
      const item = items.get(i + k);
      if (item !== last) known = this.numbers.get(item) ?? 0;
      if (known === 0) return k;
      last = item;
      to[k] = known;
    }
    return n;
  }
}
