import type { ByteReader } from '../bytes/reader.js';
import { readVarint30 } from '../bytes/varint.js';
import { type Charset, convertPath } from '../charset.js';
import { Exit, MAX_PATH, Xmit } from '../constants.js';
import { ProtocolError } from '../errors.js';
import { type ListKernel, ListPlace, ListState } from '../kernel/list-kernel.js';
import type { ByteString } from '../options.js';
import type { FileList } from './list.js';

const SLASH = 0x2f;
const DOT = 0x2e;
/** Of a row that has no name: it is like no other one. */
const NO_NAME = Buffer.of(0);

/** Reads the names of entries, each compressed against the one before, and refuses those that could leave the tree. */
export class NameDecoder {
  private name: Buffer = Buffer.allocUnsafeSlow(MAX_PATH);
  /** Of the entry before: its length, where its last slash is (-1: none, MAX_PATH: to be looked for), and the id of its directory. */
  private length = 0;
  slash = -1;
  dirId = 0;
  /** The directory as it came could be converted. */
  private isDirNamed = true;
  /** Of the entry that is being read. */
  private newLength = 0;
  private shared = 0;
  /** Last slash in the suffix, -1 if there is none. */
  private newSlash = -1;

  constructor(
    private readonly list: FileList,
    private readonly relative: boolean,
    /** --iconv: what becomes of the names. */
    private readonly charset: Charset | null,
  ) {}

  /** Reads prefix length, suffix length and suffix; false when bytes are missing. Nothing counts before `commit`. */
  read(r: ByteReader, flags: number, protocol: number): boolean {
    const shared = flags & Xmit.SAME_NAME ? r.u8() : 0;
    const suffix = flags & Xmit.LONG_NAME ? readVarint30(r, protocol) : r.u8();
    if (r.short) return false;
    if (shared > this.length || suffix < 0 || shared + suffix >= MAX_PATH) {
      throw new ProtocolError('file name length', `${shared} + ${suffix}`);
    }
    if (!r.has(suffix)) {
      r.short = true;
      return false;
    }
    // Bytes in front of `shared` are not touched, so an entry that turns out to be short can be read again.
    const { name } = this;
    const { buf, pos } = r;
    const end = shared + suffix;
    let slash = -1;
    for (let i = shared, p = pos; i < end; i++, p++) {
      const byte = buf[p];
      name[i] = byte;
      if (byte === SLASH) slash = i;
      else if (byte === 0) throw this.unsafe(end);
    }
    r.pos = pos + suffix;
    this.shared = shared;
    this.newLength = end;
    this.newSlash = slash;
    return true;
  }

  /** From now on the name is where a kernel looks for it. */
  moveTo(kernel: ListKernel): void {
    this.name.copy(kernel.bytes, ListPlace.NAME, 0, this.length);
    this.name = kernel.bytes.subarray(ListPlace.NAME, ListPlace.NAME + MAX_PATH);
  }

  /** Tells the kernel where the name ends; false when its directory is not known. */
  give(state: Int32Array): boolean {
    state[ListState.NAME_LENGTH] = this.length;
    return this.slash < MAX_PATH;
  }

  /** The kernel has read further names of the same directory. */
  takeBack(state: Int32Array): void {
    this.length = state[ListState.NAME_LENGTH];
  }

  /** Another list begins: the number of the last directory may be forgotten before the next name comes. */
  endList(): void {
    this.slash = MAX_PATH;
  }

  /** Checks the name that was read, makes it the row's, and keeps it for the next entry. False: it cannot be converted. */
  commit(row: number, isDir: boolean): boolean {
    const { list, name, shared, newLength } = this;
    let slash = this.newSlash;
    if (slash < 0 && shared > this.slash) {
      slash = this.slash;
    } else {
      if (slash < 0 && shared > 0) slash = name.lastIndexOf(SLASH, shared - 1);
      this.dirId = slash < 0 ? 0 : this.enter(this.directory(slash));
      if (slash < 0) this.isDirNamed = true;
      this.slash = slash;
    }
    this.length = newLength;
    this.checkLast(slash + 1, newLength, isDir);
    list.setDir(row, this.dirId);
    if (this.charset !== null) return this.nameConverted(row, slash + 1, this.charset);
    list.setName(row, name, slash + 1, newLength);
    return true;
  }

  private nameConverted(row: number, from: number, charset: Charset): boolean {
    const { list, length } = this;
    const local = this.isDirNamed ? convertPath(charset, 'toLocal', this.name.toString('latin1', from, length)) : null;
    const name = local === null ? NO_NAME : Buffer.from(local, 'latin1');
    list.setName(row, name, 0, name.length);
    if (local === null) list.setDir(row, 0);
    return local !== null;
  }

  /** The number of a directory that names lie in, 0 for one that there cannot be here. */
  private enter(dir: ByteString): number {
    const local = this.charset === null ? dir : convertPath(this.charset, 'toLocal', dir);
    this.isDirNamed = local !== null;
    return local === null ? 0 : this.list.dirs.id(local);
  }

  /** The name that was committed last, as it came. */
  get asItCame(): ByteString {
    return this.name.toString('latin1', 0, this.length);
  }

  /** The directory part in front of the slash at `end`, after a look at each of its components. */
  private directory(end: number): string {
    const { name } = this;
    if (end === 0) {
      if (!this.relative) throw this.unsafe(this.newLength);
      return '/';
    }
    let start = 0;
    for (let i = 0; i <= end; i++) {
      if (name[i] !== SLASH) continue;
      const empty = i === start;
      if (empty ? i > 0 || !this.relative : isDots(name, start, i)) throw this.unsafe(this.newLength);
      start = i + 1;
    }
    return name.toString('latin1', 0, end);
  }

  /** The last component: not empty, not "..", and "." only for the root of the transfer. */
  private checkLast(from: number, to: number, isDir: boolean): void {
    if (from === to) throw this.unsafe(to);
    if (this.name[from] !== DOT || !isDots(this.name, from, to)) return;
    if (to - from > 1 || from > 1) throw this.unsafe(to);
    if (!isDir) throw new ProtocolError('file list', '"." is not a directory', Exit.UNSUPPORTED);
  }

  private unsafe(length: number): ProtocolError {
    const shown = this.name.toString('latin1', 0, length).replace(/[^ -~]/g, '?');
    return new ProtocolError('file name', `unsafe pathname from sender: ${shown}`, Exit.UNSUPPORTED);
  }
}

/** True for "." and "..". */
function isDots(name: Buffer, from: number, to: number): boolean {
  const length = to - from;
  return length <= 2 && name[from] === DOT && (length === 1 || name[from + 1] === DOT);
}
