import { Exit } from '../constants.js';
import { RsyncError } from '../errors.js';
import type { ListKernel } from '../kernel/list-kernel.js';
import { CHUNK_ROWS, CHUNK_SHIFT, Chunk, rowIn } from './chunk.js';

/** Forgotten chunks that are kept to be used again. */
const SPARE_CHUNKS = 4;
/** Row numbers are signed numbers of 32 bits in many places. */
const MAX_ROWS = 0x7fff_fff0;
/** What --max-alloc counts for a row: rsync has one piece of memory for the pointers to the entries of a list. */
const ROW_BYTES = 8;

/**
 * Where the rows of a list are: an entry is a row number. Rows are only appended, their numbers are not used again, and they
 * lie in chunks, which can be forgotten. Whoever reads or writes many columns of a row takes its chunk.
 */
export class RowStore {
  /** Number of rows so far. */
  count = 0;
  /** The last rows, from this one on, are regular files of one directory. */
  filesFrom = 0;
  /** The last rows, from this one on, are that, and each has a greater name than the one before. */
  plainFrom = 0;
  /** Number of chunks in memory. */
  chunksKept = 0;
  /** The most there were at once. */
  chunksMost = 0;
  /** --max-alloc: the bytes that one list may count; what is thrown beyond is made by `tooLarge`. */
  maxAlloc = Number.POSITIVE_INFINITY;
  tooLarge: () => Error = () => new RsyncError(Exit.MALLOC, 'file list too large');
  private readonly chunks: (Chunk | null)[] = [];
  private readonly spare: Chunk[] = [];

  constructor(
    /** Digest length of -c sums, 0 without -c. */
    readonly sumLength = 0,
  ) {}

  /** Makes room for the first rows, for a list that is waited for. */
  prepare(): void {
    if (this.count === 0 && this.spare.length === 0) this.spare.push(new Chunk(this.sumLength));
  }

  /** Appends an empty row and returns its number. Its name, mode, size, times and ids are to be set, on a sender its base. */
  addRow(): number {
    const row = this.count;
    if (row >> CHUNK_SHIFT === this.chunks.length) this.addChunk();
    this.count = this.filesFrom = this.plainFrom = row + 1;
    const chunk = this.chunkOf(row);
    const i = rowIn(row);
    if (i >= chunk.mode.length) chunk.reserve(i + 1);
    chunk.nameOffset[i] = chunk.arenaUsed;
    chunk.nameLength[i] = 0;
    chunk.dir[i] = 0;
    chunk.flags[i] = 0;
    chunk.extra.set(i, -1);
    chunk.group.set(i, -1);
    return row;
  }

  /** Appends the first `count` rows of a kernel's run. */
  protected appendRun(kernel: ListKernel, count: number, dir: number, base: number): void {
    for (let from = 0; from < count; ) {
      if (this.count >> CHUNK_SHIFT === this.chunks.length) this.addChunk();
      const i = rowIn(this.count);
      const n = Math.min(count - from, CHUNK_ROWS - i);
      this.chunkOf(this.count).append(i, kernel, from, n, dir, base);
      this.count += n;
      from += n;
    }
  }

  /** Takes back the last row. */
  dropRow(): void {
    const row = --this.count;
    const chunk = this.chunkOf(row);
    chunk.arenaUsed = chunk.nameOffset[rowIn(row)];
  }

  /** The first row of the list that is being made. */
  protected get listStart(): number {
    return 0;
  }

  private addChunk(): void {
    if (this.count >= MAX_ROWS || (this.count - this.listStart + 1) * ROW_BYTES > this.maxAlloc) throw this.tooLarge();
    this.chunks.at(-1)?.seal();
    this.chunks.push(this.spare.pop() ?? new Chunk(this.sumLength));
    this.chunksMost = Math.max(this.chunksMost, ++this.chunksKept);
  }

  /** The chunk of a row; the row is `rowIn(row)` in it. */
  chunkOf(row: number): Chunk {
    return this.chunks[row >> CHUNK_SHIFT] as Chunk;
  }

  /** Forgets a chunk, all rows of which are done with. */
  protected forgetChunk(at: number): void {
    const chunk = this.chunks[at] as Chunk;
    this.chunks[at] = null;
    this.chunksKept--;
    if (this.spare.length >= SPARE_CHUNKS) return;
    chunk.clear();
    this.spare.push(chunk);
  }
}
