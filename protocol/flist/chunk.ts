import { type ListKernel, ListPlace, NAMES_ROOM } from '../kernel/list-kernel.js';

/** Rows of a chunk: row `r` of a list is row `rowIn(r)` of chunk number `r >> CHUNK_SHIFT`. */
export const CHUNK_SHIFT = 12;
export const CHUNK_ROWS = 1 << CHUNK_SHIFT;

export const rowIn = (row: number): number => row & (CHUNK_ROWS - 1);

const FIRST_ARENA = 8 * 1024;
/** Rows that a chunk has room for at first, and how much more each time: a mirror's session has few. */
const FIRST_ROOM = 64;
const MORE_ROOM = 4;

/** Room for at least `rows` rows. */
function roomFor(rows: number): number {
  let room = FIRST_ROOM;
  while (room < rows) room *= MORE_ROOM;
  return room;
}

/** V8 moves the memory of what is smaller than 64 bytes, and names are given to the system as they lie here. */
const SMALLEST_ARENA = 128;

/**
 * Numbers of one kind for the rows of a chunk. Most kinds are the same for a whole chunk, which takes no room, and most of
 * the others fit 32 bits. Rows get their first value in order.
 */
export class Column {
  private values: Int32Array | Float64Array | null = null;
  private same = 0;
  /** Rows that have a value. */
  private used = 0;
  private spare: Int32Array | null = null;

  get(i: number): number {
    const { values } = this;
    return values === null ? this.same : values[i];
  }

  set(i: number, value: number): void {
    const isFirst = i >= this.used;
    if (isFirst) this.used = i + 1;
    const { values } = this;
    if (values === null) {
      if (value === this.same) return;
      if (isFirst && i === 0) this.same = value;
      else this.spread(i, value);
    } else if (i >= values.length) {
      this.grow(values, i + 1);
      this.set(i, value);
    } else if (value === (value | 0) || values instanceof Float64Array) {
      values[i] = value;
    } else {
      this.widen(i, value);
    }
  }

  /** Gives the rows [i, i + values.length) their first values. */
  setMany(i: number, values: Int32Array): void {
    const n = values.length;
    if (this.values === null) {
      if (i === 0) this.same = values[0];
      const { same } = this;
      let k = 0;
      while (k < n && values[k] === same) k++;
      if (k < n) this.spread(i + k, values[k]);
    }
    this.used = i + n;
    if (this.values !== null && i + n > this.values.length) this.grow(this.values, i + n);
    this.values?.set(values, i);
  }

  /** Gives the rows [i, i + n) the same first value, which fits 32 bits. */
  setSame(i: number, n: number, value: number): void {
    if (this.values === null) {
      if (i === 0) this.same = value;
      if (value !== this.same) this.spread(i, value);
    }
    this.used = i + n;
    if (this.values !== null && i + n > this.values.length) this.grow(this.values, i + n);
    this.values?.fill(value, i, i + n);
  }

  /** Copies the values of the rows [i, i + n) to the front of `to`; false when they may not fit 32 bits. */
  copyTo(to: Int32Array, i: number, n: number): boolean {
    const { values, same } = this;
    if (values instanceof Int32Array) to.set(values.subarray(i, i + n));
    else if (values === null && same === (same | 0)) to.fill(same, 0, n);
    else return false;
    return true;
  }

  /** True when the rows [i, i + n) have the same value. */
  isUniform(i: number, n: number): boolean {
    const { values } = this;
    if (values === null) return true;
    const value = values[i];
    for (let k = i + 1; k < i + n; k++) if (values[k] !== value) return false;
    return true;
  }

  /** Sum of the values of the rows [i, i + n). */
  sum(i: number, n: number): number {
    const { values } = this;
    if (values === null) return n * this.same;
    let sum = 0;
    for (let k = i; k < i + n; k++) sum += values[k];
    return sum;
  }

  /** Not all are equal any more. */
  private spread(i: number, value: number): void {
    const room = roomFor(Math.max(i + 1, this.used));
    const { spare, same } = this;
    if (same !== (same | 0)) this.values = new Float64Array(room).fill(same);
    else this.values = (spare !== null && spare.length >= room ? spare : new Int32Array(room)).fill(same);
    this.spare = null;
    this.set(i, value);
  }

  /** Makes room for the rows below `rows`. */
  private grow(values: Int32Array | Float64Array, rows: number): void {
    const room = roomFor(rows);
    const wider = values instanceof Int32Array ? new Int32Array(room) : new Float64Array(room);
    wider.set(values);
    this.values = wider.fill(this.same, values.length);
  }

  /** One does not fit 32 bits. */
  private widen(i: number, value: number): void {
    this.values = Float64Array.from(this.values as Int32Array);
    this.values[i] = value;
  }

  /** Forgets all values. */
  clear(): void {
    if (this.values instanceof Int32Array) this.spare = this.values;
    this.values = null;
    this.same = 0;
    this.used = 0;
  }
}

/** The columns of up to CHUNK_ROWS rows of a file list, and the bytes of their names. What they mean: see `FileList`. */
export class Chunk {
  arena: Buffer = Buffer.allocUnsafeSlow(FIRST_ARENA);
  arenaUsed = 0;
  nameOffset!: Int32Array;
  nameLength!: Uint16Array;
  dir!: Int32Array;
  mode!: Uint16Array;
  flags!: Uint16Array;
  readonly size = new Column();
  readonly mtime = new Column();
  readonly nsec = new Column();
  readonly uid = new Column();
  readonly gid = new Column();
  readonly extra = new Column();
  readonly group = new Column();
  readonly base = new Column();
  readonly atime = new Column();
  readonly xattrs = new Column();
  readonly acl = new Column();
  readonly defaultAcl = new Column();
  /** Digests of -c, `sumLength` bytes a row. */
  readonly sums: Buffer;
  /** What keeps the chunk from being forgotten: lists that have rows in it, and directories whose list is not finished. */
  holds = 0;

  constructor(private readonly sumLength: number) {
    this.place(FIRST_ROOM);
    this.sums = Buffer.alloc(sumLength * CHUNK_ROWS);
  }

  private place(room: number): void {
    const bytes = new ArrayBuffer(room * 14);
    this.nameOffset = new Int32Array(bytes, 0, room);
    this.dir = new Int32Array(bytes, room * 4, room);
    this.nameLength = new Uint16Array(bytes, room * 8, room);
    this.mode = new Uint16Array(bytes, room * 10, room);
    this.flags = new Uint16Array(bytes, room * 12, room);
  }

  /** Makes room for the rows below `rows`; the arrays of a chunk are others then. */
  reserve(rows: number): void {
    const { nameOffset, dir, nameLength, mode, flags } = this;
    if (rows <= mode.length) return;
    this.place(roomFor(rows));
    this.nameOffset.set(nameOffset);
    this.dir.set(dir);
    this.nameLength.set(nameLength);
    this.mode.set(mode);
    this.flags.set(flags);
  }

  /** Makes room for `length` bytes behind those in use, and returns where they begin. They count as used. */
  take(length: number): number {
    const at = this.arenaUsed;
    if (at + length > this.arena.length) this.resize(Math.max(2 * this.arena.length, at + length));
    this.arenaUsed = at + length;
    return at;
  }

  private resize(length: number): void {
    const arena = Buffer.allocUnsafeSlow(length);
    this.arena.copy(arena, 0, 0, this.arenaUsed);
    this.arena = arena;
  }

  /** Takes the rows [from, from + n) of a kernel's run as the rows from `i` on. */
  append(i: number, kernel: ListKernel, from: number, n: number, dir: number, base: number): void {
    const { offsets, lengths } = kernel;
    const end = from + n;
    this.reserve(i + n);
    const first = offsets[from];
    const last = offsets[end - 1] + lengths[end - 1] + 1;
    const at = this.take(last - first);
    this.arena.set(kernel.bytes.subarray(ListPlace.NAMES + first, ListPlace.NAMES + last), at);
    addTo(this.nameOffset, i, offsets, from, n, at - first);
    this.nameLength.set(lengths.subarray(from, end), i);
    this.mode.set(kernel.modes.subarray(from, end), i);
    this.dir.fill(dir, i, i + n);
    this.flags.fill(0, i, i + n);
    this.size.setMany(i, kernel.sizes.subarray(from, end));
    this.mtime.setMany(i, kernel.mtimes.subarray(from, end));
    this.nsec.setMany(i, kernel.nsecs.subarray(from, end));
    this.uid.setMany(i, kernel.uids.subarray(from, end));
    this.gid.setMany(i, kernel.gids.subarray(from, end));
    this.extra.setSame(i, n, -1);
    this.group.setSame(i, n, -1);
    this.base.setSame(i, n, base);
    if (kernel.hasAcls) this.acl.setMany(i, kernel.acls.subarray(from, end));
    if (kernel.hasXattrs) this.xattrs.setMany(i, kernel.xattrs.subarray(from, end));
    const { sumLength, sums } = this;
    if (sumLength === 0) return;
    sums.set(kernel.bytes.subarray(ListPlace.SUMS + from * sumLength, ListPlace.SUMS + end * sumLength), i * sumLength);
  }

  /**
   * Makes the rows [i, i + n) a kernel's run, without names and ids. False when some number does not fit, and what is there
   * then is of no use.
   */
  load(kernel: ListKernel, i: number, n: number): boolean {
    kernel.modes.set(this.mode.subarray(i, i + n));
    return (
      this.size.copyTo(kernel.sizes, i, n) &&
      this.mtime.copyTo(kernel.mtimes, i, n) &&
      this.nsec.copyTo(kernel.nsecs, i, n)
    );
  }

  /** Adds what an encoder needs besides that: names, ids, local flags and sums. */
  loadRest(kernel: ListKernel, i: number, n: number): boolean {
    const { nameOffset } = this;
    const first = nameOffset[i];
    const end = nameOffset[i + n - 1] + this.nameLength[i + n - 1];
    if (end < first || end - first > NAMES_ROOM) return false;
    kernel.bytes.set(this.arena.subarray(first, end), ListPlace.NAMES);
    addTo(kernel.offsets, 0, nameOffset, i, n, -first);
    kernel.lengths.set(this.nameLength.subarray(i, i + n));
    kernel.flags.set(this.flags.subarray(i, i + n));
    const { sumLength, sums } = this;
    if (sumLength > 0) kernel.bytes.set(sums.subarray(i * sumLength, (i + n) * sumLength), ListPlace.SUMS);
    return this.uid.copyTo(kernel.uids, i, n) && this.gid.copyTo(kernel.gids, i, n);
  }

  /** No row will be added: the room for further names is given back. */
  seal(): void {
    const length = Math.max(this.arenaUsed, SMALLEST_ARENA);
    if (length < this.arena.length) this.resize(length);
  }

  /** Makes the chunk as good as new. */
  clear(): void {
    this.arenaUsed = 0;
    this.holds = 0;
    for (const column of [this.size, this.mtime, this.nsec, this.uid, this.gid]) column.clear();
    for (const column of [this.extra, this.group, this.base, this.atime]) column.clear();
    for (const column of [this.xattrs, this.acl, this.defaultAcl]) column.clear();
    this.sums.fill(0);
  }
}

/** Puts n numbers of `values`, each with `more` added, into `to`. By itself it is fast code soon; the functions that need it run once a list. */
function addTo(to: Int32Array, i: number, values: Int32Array, from: number, n: number, more: number): void {
  for (let k = 0; k < n; k++) to[i + k] = values[from + k] + more;
}
