import { readdirSync, readlinkSync } from 'node:fs';
import { type Names, SiblingSorter } from '../../protocol/flist/siblings.js';
import type { ListKernel } from '../../protocol/kernel/list-kernel.js';
import { canReadRaw, type FurtherTaker, RawDirectory } from '../libc/directory.js';
import { countLooks, type FileStat, fromStatx, lstatInto } from './stat.js';

/** The content of one directory, read at once. Good until the next one is opened by the same reader. */
export interface DirectoryEntries {
  /** Number of entries, without `.` and `..`. */
  readonly count: number;
  /** All names, and where each begins and how long it is. */
  readonly arena: Uint8Array;
  readonly nameOffset: Uint32Array;
  readonly nameLength: Uint32Array;
  /** Where `take` makes rows of plain files, `taken` of them; null when that is not possible. */
  readonly kernel: ListKernel | null;
  readonly taken: number;
  /** What `take` takes besides the state of a file; null: nothing. */
  further: FurtherTaker | null;
  /** Makes an entry the next row of a run. False when it is no plain file, or the run is full. */
  take(entry: number): boolean;
  dropRun(): void;
  /** Opens the file of a row of the run; -1 when that fails. It is to be closed. */
  openTaken(row: number, flags: number): number;
  /** State of an entry, a link itself; 0 or an error number. */
  stat(entry: number, st: FileStat): number;
  /** Target of the link that an entry is. Throws an errno error. */
  readLink(entry: number): Buffer;
  /** Sorts numbers of entries by the bytes of their names; `asDirectories`: as if a slash followed each. */
  sort(numbers: Int32Array, asDirectories: boolean): void;
  close(): void;
}

/** Through the C library: an entry is asked for by its name in the open directory, and costs no memory. */
class LibcEntries extends RawDirectory implements DirectoryEntries {
  stat(entry: number, st: FileStat): number {
    return fromStatx(this.lookAt(entry), st, this.kernel.statx);
  }
}

/** Without it: an entry is asked for by its whole path. */
class NodeEntries implements DirectoryEntries, Names {
  readonly kernel = null;
  readonly taken = 0;
  further = null;
  count = 0;
  arena: Buffer = Buffer.alloc(0);
  nameOffset = new Uint32Array(0);
  nameLength = new Uint32Array(0);
  private prefix: Buffer = Buffer.alloc(0);
  private asDirectories = false;
  private readonly sorter = new SiblingSorter(this);

  open(path: Buffer): void {
    const names = readdirSync(path, { encoding: 'latin1' });
    this.prefix = path;
    this.count = names.length;
    this.arena = Buffer.from(names.join(''), 'latin1');
    this.nameOffset = new Uint32Array(names.length);
    this.nameLength = new Uint32Array(names.length);
    let at = 0;
    for (let i = 0; i < names.length; i++) {
      this.nameOffset[i] = at;
      this.nameLength[i] = names[i].length;
      at += names[i].length;
    }
  }

  arenaOf(): Uint8Array {
    return this.arena;
  }

  offsetOf(entry: number): number {
    return this.nameOffset[entry];
  }

  lengthOf(entry: number): number {
    return this.nameLength[entry];
  }

  isDir(): boolean {
    return this.asDirectories;
  }

  private pathOf(entry: number): Buffer {
    const at = this.nameOffset[entry];
    return Buffer.concat([this.prefix, this.arena.subarray(at, at + this.nameLength[entry])]);
  }

  stat(entry: number, st: FileStat): number {
    return lstatInto(this.pathOf(entry), st);
  }

  readLink(entry: number): Buffer {
    return readlinkSync(this.pathOf(entry), 'buffer');
  }

  take(): boolean {
    return false;
  }

  dropRun(): void {}

  openTaken(): number {
    return -1;
  }

  sort(numbers: Int32Array, asDirectories: boolean): void {
    this.asDirectories = asDirectories;
    this.sorter.sort(numbers, 0, numbers.length);
  }

  close(): void {}
}

/** Reads directories one after the other, in whichever way is the best at the time. */
export class DirectoryReader {
  private readonly plain = new NodeEntries();
  private libc: LibcEntries | null = null;
  private present: LibcEntries | NodeEntries = this.plain;
  private numbers = new Int32Array(256);

  /** Opens the directory `path`, which ends in a slash. Throws an errno error. The entries are to be closed. */
  open(path: Buffer): DirectoryEntries {
    if (this.libc === null && canReadRaw()) this.libc = new LibcEntries();
    const entries = this.libc ?? this.plain;
    entries.open(path);
    this.present = entries;
    countLooks(entries.count);
    return entries;
  }

  /** The numbers of all entries in the order of their names' bytes. Good until the next call. */
  sorted(): Int32Array {
    const { count } = this.present;
    if (this.numbers.length < count) this.numbers = new Int32Array(2 * count);
    const numbers = this.numbers.subarray(0, count);
    for (let i = 0; i < count; i++) numbers[i] = i;
    this.present.sort(numbers, false);
    return numbers;
  }

  /** Puts the numbers of some entries in the order that their names have with a slash behind them. */
  sortDirectories(numbers: Int32Array): void {
    this.present.sort(numbers, true);
  }
}
