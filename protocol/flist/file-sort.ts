import { ListKernel, ListPlace } from '../kernel/list-kernel.js';
import { CHUNK_ROWS, rowIn } from './chunk.js';
import type { FileList } from './list.js';

/** Sorts the files of one directory by a kernel. */
export class FileSorter {
  private readonly kernel = new ListKernel();

  /** The `count` rows from `start` on in the order of their names, all files of one directory; null when two have the same one. */
  sort(list: FileList, start: number, count: number): Int32Array | null {
    const { kernel } = this;
    const offsets = ListPlace.DIRENTS;
    const lengths = offsets + 4 * count;
    const order = lengths + 4 * count;
    const spare = order + 4 * count;
    const keys = Math.ceil((spare + 4 * count) / 8) * 8;
    this.load(list, start, count, offsets, keys + 16 * count);
    const { wasm } = kernel;
    const numbers = kernel.words.subarray(order / 4, order / 4 + count);
    for (let i = 0; i < count; i++) numbers[i] = i;
    wasm.sortEntries(order, count, 0, offsets, lengths, spare, keys);
    if (wasm.hasEqual(order, count, offsets, lengths) !== 0) return null;
    const rows = Int32Array.from(numbers);
    for (let i = 0; i < count; i++) rows[i] += start;
    return rows;
  }

  /** Puts names behind `namesAt`, where each begins to `offsets`, and their lengths behind that. */
  private load(list: FileList, start: number, count: number, offsets: number, namesAt: number): void {
    const { kernel } = this;
    let names = namesAt;
    kernel.reserve(names);
    for (let at = 0; at < count; ) {
      const chunk = list.chunkOf(start + at);
      const i = rowIn(start + at);
      const n = Math.min(count - at, CHUNK_ROWS - i);
      const { nameOffset, nameLength, arena } = chunk;
      const first = nameOffset[i];
      const end = nameOffset[i + n - 1] + nameLength[i + n - 1];
      kernel.reserve(names + end - first);
      kernel.bytes.set(arena.subarray(first, end), names);
      const { words } = kernel;
      for (let k = 0; k < n; k++) {
        words[offsets / 4 + at + k] = names + nameOffset[i + k] - first;
        words[offsets / 4 + count + at + k] = nameLength[i + k];
      }
      names += end - first;
      at += n;
    }
  }
}
