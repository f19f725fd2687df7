import type { ByteWriter } from '../bytes/writer.js';
import { type Charset, convertPath } from '../charset.js';
import { MAX_PATH } from '../constants.js';
import { type ListKernel, ListPlace, ListState } from '../kernel/list-kernel.js';
import type { FileList } from './list.js';

const LONGEST_PREFIX = 255;
const SLASH = 0x2f;

/** Walks over rows and knows how much of each whole name is that of the row before (7.3). */
export class NameCursor {
  private name: Buffer = Buffer.allocUnsafeSlow(2 * MAX_PATH);
  /** Bytes of the present row's whole name. */
  length = 0;
  /** The directory of the present row with its slash. */
  private dirName: Buffer = Buffer.allocUnsafeSlow(MAX_PATH + 1);
  private dirLength = 0;
  private dirId = 0;

  constructor(
    private readonly list: FileList,
    /** --iconv: what names are converted from. */
    private readonly charset: Charset | null,
  ) {}

  /** Goes to a row and returns how many bytes its name shares with the one before, at most 255. */
  advance(row: number): number {
    if (this.charset !== null) return this.advanceConverted(row, this.charset);
    const { list, name } = this;
    const before = Math.min(this.length, LONGEST_PREFIX);
    let shared = 0;
    if (list.dir(row) === this.dirId) {
      shared = Math.min(before, this.dirLength);
    } else {
      this.loadDirectory(list.dir(row));
      const { dirName, dirLength } = this;
      const limit = Math.min(before, dirLength);
      while (shared < limit && name[shared] === dirName[shared]) shared++;
      dirName.copy(name, shared, shared, dirLength);
    }
    const { dirLength } = this;
    const arena = list.arenaOf(row);
    const at = list.offsetOf(row);
    const length = list.lengthOf(row);
    let i = 0;
    if (shared === dirLength) {
      const limit = Math.min(before - dirLength, length);
      while (i < limit && name[dirLength + i] === arena[at + i]) i++;
      shared += i;
    }
    for (; i < length; i++) name[dirLength + i] = arena[at + i];
    this.length = dirLength + length;
    return shared;
  }

  /** The same for names that are converted; only such as can be are listed. */
  private advanceConverted(row: number, charset: Charset): number {
    const { name } = this;
    const path = convertPath(charset, 'toWire', this.list.path(row)) as string;
    const limit = Math.min(this.length, LONGEST_PREFIX, path.length);
    let shared = 0;
    while (shared < limit && name[shared] === path.charCodeAt(shared)) shared++;
    this.length = name.write(path, 'latin1');
    return shared;
  }

  /** From now on the names are where a kernel looks for them. */
  moveTo(kernel: ListKernel): void {
    const { bytes } = kernel;
    this.name.copy(bytes, ListPlace.NAME, 0, this.length);
    this.dirName.copy(bytes, ListPlace.DIR_NAME, 0, this.dirLength);
    this.name = bytes.subarray(ListPlace.NAME, ListPlace.NAME + 2 * MAX_PATH);
    this.dirName = bytes.subarray(ListPlace.DIR_NAME, ListPlace.DIR_NAME + MAX_PATH + 1);
  }

  /** Tells the kernel where the name ends, and that rows of a directory follow. */
  give(state: Int32Array, dirId: number): void {
    if (dirId !== this.dirId) this.loadDirectory(dirId);
    state[ListState.NAME_LENGTH] = this.length;
    state[ListState.DIR_LENGTH] = this.dirLength;
  }

  /** The kernel is done; `moved`: it has gone to one of these rows. */
  takeBack(state: Int32Array, moved: boolean): void {
    this.length = state[ListState.NAME_LENGTH];
    if (!moved) this.dirId = -1;
  }

  private loadDirectory(id: number): void {
    const path = this.list.dirs.path(id);
    this.dirId = id;
    this.dirLength = this.dirName.write(path, 'latin1');
    if (path !== '' && path !== '/') this.dirName[this.dirLength++] = SLASH;
  }

  /** Writes the present name from byte `from` on. */
  writeFrom(w: ByteWriter, from: number): void {
    const { name, length } = this;
    w.ensure(length - from);
    const { buf } = w;
    let { pos } = w;
    for (let i = from; i < length; i++) buf[pos++] = name[i];
    w.pos = pos;
  }
}
