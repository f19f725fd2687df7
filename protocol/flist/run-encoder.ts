import type { ByteWriter } from '../bytes/writer.js';
import { ListKernel, ListPlace, ListState, MAX_SUM, RUN_ROWS } from '../kernel/list-kernel.js';
import { CHUNK_ROWS, rowIn } from './chunk.js';
import type { EntryExtras } from './entry-extras.js';
import type { FileList } from './list.js';
import type { NameCursor } from './name-cursor.js';
import type { ListWire } from './wire.js';

/** Fewer rows than these are not worth the way to the kernel. */
const SHORTEST_RUN = 4;

/** What entries are compressed against, besides names. */
export interface EntryState {
  mode: number;
  mtime: number;
  uid: number;
  gid: number;
}

/** True for the form of entries that the list kernels know: names, sizes, times, modes, ids, sums, and numbers of attributes. */
export function isPlainWire(wire: ListWire): boolean {
  if (wire.hardLinks || wire.atimes || wire.names !== null) return false;
  return wire.protocol >= 31 && wire.varintFlags && wire.sumLength <= MAX_SUM;
}

/** Encodes runs of rows of one directory by a kernel. */
export class RunEncoder {
  private readonly kernel = new ListKernel();
  /** Which parts of entries travel, as the kernel takes it. */
  private readonly parts: number[];

  constructor(
    private readonly wire: ListWire,
    private readonly list: FileList,
    private readonly name: NameCursor,
    private readonly extras: EntryExtras | null,
  ) {
    name.moveTo(this.kernel);
    this.parts = [wire.owner, wire.group, wire.acls, wire.xattrs].map((travels) => (travels ? 1 : 0));
  }

  /**
   * Writes rows from `row` on, at most to `end`, and returns the row behind them. Stops where something else than a file
   * or a directory comes, or an owner or group that the entry before did not have, or attributes that were not sent yet.
   */
  encode(w: ByteWriter, row: number, end: number, before: EntryState): number {
    const { list, kernel, name, wire } = this;
    const chunk = list.chunkOf(row);
    const i = rowIn(row);
    const dir = chunk.dir[i];
    let n = sameFrom(chunk.dir, i, Math.min(i + end - row, i + RUN_ROWS, CHUNK_ROWS)) - i;
    if (this.extras !== null) n = this.extras.known(kernel, chunk, i, n);
    if (n < SHORTEST_RUN || before.mtime !== (before.mtime | 0)) return row;
    if (!chunk.load(kernel, i, n) || !chunk.loadRest(kernel, i, n)) return row;
    const { state, wasm } = kernel;
    name.give(state, dir);
    state[ListState.MODE] = before.mode;
    state[ListState.MTIME] = before.mtime;
    state[ListState.UID] = before.uid;
    state[ListState.GID] = before.gid;
    const [owner, group, acls, xattrs] = this.parts;
    let done = 0;
    for (;;) {
      const to = wasm.encodeRows(done, n, owner, group, wire.sumLength, acls, xattrs);
      w.bytes(kernel.bytes, ListPlace.BYTES, ListPlace.BYTES + state[ListState.USED]);
      if (to === done) break;
      done = to;
    }
    name.takeBack(state, done > 0);
    before.mode = state[ListState.MODE];
    before.mtime = state[ListState.MTIME];
    return row + done;
  }
}

/** The end of the equal values from `from` on, at most `to`. */
function sameFrom(values: Int32Array, from: number, to: number): number {
  const value = values[from];
  let at = from + 1;
  while (at < to && values[at] === value) at++;
  return at;
}
