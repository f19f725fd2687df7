import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import { EntryFlag, type FileList } from '../../protocol/flist/list.js';
import type { Options } from '../../protocol/options.js';
import { type ChmodRule, tweakMode } from '../files/chmod.js';
import type { FileStat } from '../files/stat.js';
import type { RunStats } from '../report/stats.js';
import { countType } from '../session/run-stats.js';

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
    list.dir[row] = dir;
    list.base[row] = base;
    const type = st.mode & S_IFMT;
    const plain = type === S_IFREG || type === S_IFDIR || type === S_IFLNK;
    list.mode[row] = chmod.length > 0 && type !== S_IFLNK && st.mode !== 0 ? tweakMode(st.mode, chmod) : st.mode;
    list.size[row] = plain ? st.size : 0;
    list.mtime[row] = st.mtime;
    list.nsec[row] = st.nsec;
    list.uid[row] = st.uid;
    list.gid[row] = st.gid;
    if (list.withAtime) list.atime[row] = st.atime;
    list.flags[row] = type === S_IFDIR ? flags : flags & EntryFlag.TOP_DIR;
    if (target !== null) list.extra[row] = list.targets.push(target) - 1;
    if (st.isDevice) list.extra[row] = list.rdevs.push({ major: st.rdevMajor, minor: st.rdevMinor }) - 1;
    if (this.options.hardLinks) this.noteLink(row, st);
    countType(this.counts, st.mode);
    if (type === S_IFREG || type === S_IFLNK) this.totalSize += st.size;
    return row;
  }

  /** Hard links: a group number from protocol 30 on, device and inode below (7.6). */
  private noteLink(row: number, st: FileStat): void {
    const { list, protocol } = this;
    if (protocol < 28 ? !st.isRegular : st.isDir || st.nlink < 2) return;
    if (protocol >= 28) list.flags[row] |= EntryFlag.HLINKED;
    if (protocol < 30) {
      if (row >= this.devs.length) this.growInodes();
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
      list.group[row] = number;
      list.flags[row] |= EntryFlag.HLINK_FIRST;
    } else {
      list.group[row] = first;
    }
  }

  private growInodes(): void {
    const size = this.list.mode.length;
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
    const last = list.segments.at(-1);
    const start = last === undefined ? 0 : last.start + last.count;
    return list.nextNdx(this.incremental) + row - start;
  }

  /** Writes the counts into the statistics of the run. */
  applyCounts(stats: RunStats): void {
    Object.assign(stats.files, this.counts);
    stats.totalSize = this.totalSize;
  }
}
