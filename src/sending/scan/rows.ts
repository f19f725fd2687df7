import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../../protocol/constants.js';
import { rowIn } from '../../../protocol/flist/chunk.js';
import { EntryFlag, type FileList } from '../../../protocol/flist/list.js';
import type { ListKernel } from '../../../protocol/kernel/list-kernel.js';
import type { Options } from '../../../protocol/options.js';
import { type ChmodRule, tweakMode } from '../../files/chmod.js';
import type { FileStat } from '../../files/stat.js';
import type { RunStats } from '../../report/stats.js';
import { countType } from '../../session/run-stats.js';

/** Inode numbers are kept apart per device: a device's number and its table of first members. */
type LinkTable = Map<number, number>;

/** Makes rows of the sender's list out of what was found, and counts them. */
export class RowMaker {
  /** Device and inode number of each row, for the hard links of protocols below 30; empty from there on. */
  devs = new Float64Array(0);
  inos = new Float64Array(0);
  readonly counts = { total: 0, reg: 0, dir: 0, link: 0, dev: 0, special: 0 };
  /** Bytes of all regular files and links. */
  totalSize = 0;
  /** By device: inode number to the transmission number of the first entry (7.6). */
  private readonly links = new Map<number, LinkTable>();

  constructor(
    private readonly list: FileList,
    private readonly options: Options,
    private readonly protocol: number,
    private readonly incremental: boolean,
    private readonly chmod: readonly ChmodRule[],
  ) {}

  /** Appends a row for what `st` says. `name[from, to)` is the last component, `dir` the id of what stands before it. */
  add(
    st: FileStat,
    target: Buffer | null,
    dir: number,
    name: Uint8Array,
    from: number,
    to: number,
    flags: number,
    base: number,
  ): number {
    const { list, chmod } = this;
    const row = list.addRow();
    list.setName(row, name, from, to);
    const chunk = list.chunkOf(row);
    const i = rowIn(row);
    chunk.dir[i] = dir;
    chunk.base.set(i, base);
    const type = st.mode & S_IFMT;
    const plain = type === S_IFREG || type === S_IFDIR || type === S_IFLNK;
    chunk.mode[i] = chmod.length > 0 && type !== S_IFLNK && st.mode !== 0 ? tweakMode(st.mode, chmod) : st.mode;
    const size = plain ? st.size : 0;
    chunk.size.set(i, size);
    chunk.mtime.set(i, st.mtime);
    chunk.nsec.set(i, st.nsec);
    chunk.uid.set(i, st.uid);
    chunk.gid.set(i, st.gid);
    if (this.options.atimes > 0) chunk.atime.set(i, st.atime);
    chunk.flags[i] = type === S_IFDIR ? flags : flags & EntryFlag.TOP_DIR;
    if (target !== null) list.setTarget(row, target);
    if (st.isDevice) list.setDevice(row, st.rdevMajor, st.rdevMinor);
    if (this.options.hardLinks) this.noteLink(row, st);
    countType(this.counts, st.mode);
    if (type === S_IFREG || type === S_IFLNK) this.totalSize += st.size;
    return row;
  }

  /** True when a plain file's row holds nothing but what a kernel's run has. */
  get takesRuns(): boolean {
    return this.chmod.length === 0 && !this.options.hardLinks && this.options.atimes === 0;
  }

  /** Appends the first `count` rows of a run, files of the directory `dir` in the order of their names. */
  addRun(kernel: ListKernel, count: number, dir: number, base: number): void {
    this.list.appendFiles(kernel, count, dir, base, true);
    this.counts.total += count;
    this.counts.reg += count;
    for (let i = 0; i < count; i++) this.totalSize += kernel.sizes[i];
  }

  /** Hard links: a group number from protocol 30 on, device and inode below (7.6). */
  private noteLink(row: number, st: FileStat): void {
    const { list, protocol } = this;
    if (protocol < 28 ? !st.isRegular : st.isDir || st.nlink < 2) return;
    if (protocol >= 28) list.addFlags(row, EntryFlag.HLINKED);
    if (protocol < 30) {
      while (row >= this.devs.length) this.growInodes();
      this.devs[row] = st.dev;
      this.inos[row] = st.ino;
      return;
    }
    let table = this.links.get(st.dev);
    if (table === undefined) {
      table = new Map();
      this.links.set(st.dev, table);
    }
    const first = table.get(st.ino);
    if (first === undefined) {
      const number = this.transmissionNumber(row);
      table.set(st.ino, number);
      list.setGroup(row, number);
      list.addFlags(row, EntryFlag.HLINK_FIRST);
    } else {
      list.setGroup(row, first);
    }
  }

  /** True when a row in a hard-link group belongs to that of the file `st`; before protocol 30 nothing is known of groups. */
  isNameOf(row: number, st: FileStat): boolean {
    return this.protocol < 30 || this.links.get(st.dev)?.get(st.ino) === this.list.group(row);
  }

  private growInodes(): void {
    const size = Math.max(256, 2 * this.devs.length);
    const wider = (from: Float64Array) => {
      const to = new Float64Array(size);
      to.set(from);
      return to;
    };
    this.devs = wider(this.devs);
    this.inos = wider(this.inos);
  }

  /** The number of a row of the list that is being made, in the order in which entries travel. */
  private transmissionNumber(row: number): number {
    const { list } = this;
    return list.segments.nextNdx(this.incremental) + row - list.segments.nextRow;
  }

  /** Writes the counts into the statistics of the run. */
  applyCounts(stats: RunStats): void {
    Object.assign(stats.files, this.counts);
    stats.totalSize = this.totalSize;
  }
}
