import type { ByteString } from '../../protocol/options.js';
import { IN } from '../libc/inotify.js';
import { EVENT_NAMES } from './events.js';

/** Events that are counted, in the order of the columns. */
const COLUMNS: readonly (readonly [string, number])[] = [
  'ACCESS MODIFY ATTRIB CLOSE_WRITE CLOSE_NOWRITE OPEN MOVED_FROM MOVED_TO MOVE_SELF CREATE DELETE DELETE_SELF UNMOUNT',
]
  .flatMap((names) => names.split(' '))
  .map((name) => EVENT_NAMES.find(([known]) => known === name)!);

/** How the table is sorted: by the sum of these events (0: of all), the greatest last or first. */
export interface Sorting {
  bits: number;
  ascending: boolean;
}

/** Counts of events by the name of what is watched. */
export class Statistics {
  readonly #counts = new Map<ByteString, number[]>();

  /** A watched thing appears in the table with `zero` even when nothing happens to it. */
  watch(name: ByteString): void {
    if (!this.#counts.has(name)) this.#counts.set(name, new Array(COLUMNS.length + 1).fill(0));
  }

  /** Counts an event: once in all, and once for each of its columns. */
  count(name: ByteString, mask: number): void {
    if ((mask & (IN.ALL_EVENTS | IN.UNMOUNT)) === 0) return;
    this.watch(name);
    const counts = this.#counts.get(name)!;
    COLUMNS.forEach(([, bit], i) => {
      if ((mask & bit) !== 0) counts[i]++;
    });
    counts[COLUMNS.length]++;
  }

  /** The table, '' when nothing has happened. `events` are the bits that were asked for. */
  table(events: number, zero: boolean, sorting: Sorting): ByteString {
    const sums = COLUMNS.map((_, i) => [...this.#counts.values()].reduce((sum, counts) => sum + counts[i], 0));
    if (sums.every((sum) => sum === 0)) return '';
    const shown = COLUMNS.map((_, i) => i).filter((i) => (COLUMNS[i][1] & events) !== 0 && (zero || sums[i] > 0));
    const names = shown.map((i) => COLUMNS[i][0].toLowerCase());
    const lines = [`${['total', ...names, 'filename'].join('  ')}\n`];
    for (const [name, counts] of this.#sorted(sorting)) {
      const total = counts[COLUMNS.length];
      if (total === 0 && !zero) continue;
      const fields = [String(total).padEnd(5), ...shown.map((i, k) => String(counts[i]).padEnd(names[k].length))];
      lines.push(`${[...fields, name].join('  ')}\n`);
    }
    return lines.join('');
  }

  #sorted({ bits, ascending }: Sorting): [ByteString, number[]][] {
    const key = (counts: number[]): number => {
      if (bits === 0) return counts[COLUMNS.length];
      return COLUMNS.reduce((sum, [, bit], i) => sum + ((bit & bits) !== 0 ? counts[i] : 0), 0);
    };
    return [...this.#counts].sort(([, a], [, b]) => (ascending ? key(a) - key(b) : key(b) - key(a)));
  }
}
