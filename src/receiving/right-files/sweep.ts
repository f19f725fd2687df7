import { S_IFMT, S_IFREG } from '../../../protocol/constants.js';
import { CHUNK_ROWS, rowIn } from '../../../protocol/flist/chunk.js';
import { EntryFlag, type FileList, rowAt, type Segment } from '../../../protocol/flist/list.js';
import type { Options } from '../../../protocol/options.js';
import type { Dir } from '../../files/dir.js';
import { type FileStat, fromStatx, lstatInto } from '../../files/stat.js';
import { Errno, errnoOf } from '../../libc/errno.js';
import { libcLoaded } from '../../libc/libc.js';
import { RawPlace } from '../../libc/place.js';
import { allows, Shortcut } from '../../session/shortcuts.js';
import type { EntryMaker } from '../entries.js';
import type { Itemizer } from '../itemize.js';
import type { Receiving } from '../receiving.js';
import type { QuickCheck } from './quick-check.js';
import { RightFile } from './right-file.js';
import { RunCheck } from './run-check.js';

/** So many right files in a row make it likely that more will follow. */
const STREAK = 16;
/** Files that are looked at before the socket is served again, at most. */
const LONGEST_RUN = 256;
const NOT_PLAIN = EntryFlag.DUPLICATE | EntryFlag.CLEARED | EntryFlag.HLINKED;

/**
 * Passes over files that are already what the list says: of a run that has little to do, these are nearly all. Nothing
 * is said about them and nothing is done, so that a look at the file is all that they cost. Whatever is not plainly so
 * is left to the generator, with what the look has found.
 */
export class Sweep {
  /** True when the last call of `passes` has looked at the row: `stat` and `errno` say what is there. */
  looked = false;
  errno = 0;
  private readonly applies: boolean;
  private readonly appliesRuns: boolean;
  private readonly options: Options;
  private readonly list: FileList;
  private readonly right: RightFile;
  private place: RawPlace | null = null;
  /** The directory that `place` is in, and the descriptor that it then had. */
  private dir: Dir | null = null;
  private dirFd = -1;
  private run: RunCheck | null = null;
  /** Files that were right since the last one that was not. */
  private streak = 0;
  /** The row that ended the last run. */
  private runEnd = -1;

  constructor(
    private readonly receiving: Receiving,
    private readonly entries: EntryMaker,
    private readonly check: QuickCheck,
    private readonly itemizer: Itemizer,
    private readonly stat: FileStat,
  ) {
    const { session, parts } = receiving;
    this.options = session.options;
    this.list = session.list;
    this.appliesRuns = allows(this.options, Shortcut.SWEEP_RUNS);
    this.right = new RightFile(this.list, this.options, parts.ids, this.options.owner && parts.isRoot);
    this.applies = allows(this.options, Shortcut.SWEEP) && !itemizer.itemizesAll && isPlainPlace(receiving);
  }

  /** True when a row's file needs nothing. */
  passes(row: number): boolean {
    this.looked = false;
    const { list } = this;
    if (!this.applies || (list.mode(row) & S_IFMT) !== S_IFREG || list.flags(row) & NOT_PLAIN) return false;
    if (this.entries.leavesOut) return false;
    this.errno = row === this.runEnd ? this.lookAgain() : this.look(row);
    this.looked = true;
    const isRight = this.errno === 0 && this.isRight(row);
    this.streak = isRight ? this.streak + 1 : 0;
    return isRight;
  }

  /**
   * Passes over many files at once: how many of a list that was worked through up to its `i`-th one need nothing. 0 says
   * nothing about the next one.
   */
  passesRun(segment: Segment, i: number): number {
    if (!segment.isPlain || this.streak < STREAK || !this.applies || this.entries.leavesOut) return 0;
    const row = rowAt(segment, i);
    if (row === this.runEnd || !this.appliesRuns) return 0;
    const place = this.placeOf(row);
    if (place === null || !place.isHeld) return 0;
    this.run ??= new RunCheck(this.list, this.options, this.right, this.check, this.receiving.parts.further);
    const together = segment.order === null ? CHUNK_ROWS - rowIn(row) : LONGEST_RUN;
    const count = Math.min(segment.count - i, together, LONGEST_RUN);
    const passed = this.run.pass(place, segment, i, count);
    if (passed >= 0 && passed < count) this.runEnd = rowAt(segment, i + passed);
    if (passed < count) this.streak = 0;
    return Math.max(passed, 0);
  }

  /** True when the last look has found nothing: others of that directory may be missing, too. */
  get foundNothing(): boolean {
    return this.looked && this.errno === Errno.ENOENT;
  }

  /** What the run has found where it ended. */
  private lookAgain(): number {
    const { errno, kernel } = this.run as RunCheck;
    return fromStatx(errno, this.stat, kernel.statx);
  }

  private isRight(row: number): boolean {
    const { right, options: o, stat } = this;
    if (!right.is(row, stat) || this.itemizer.furtherDifferences(row, stat, null) !== 0) return false;
    return !o.checksum || this.check.same(row, this.receiving.destPath(row), stat);
  }

  /** lstat() of a row's file; 0 or an errno. */
  private look(row: number): number {
    const { list, stat } = this;
    try {
      if (!libcLoaded()) return lstatInto(this.receiving.destPath(row), stat);
      const place = this.enterDirectory(row);
      const at = list.offsetOf(row);
      return fromStatx(place.statx(list.arenaOf(row), at, at + list.lengthOf(row)), stat);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 0) throw error;
      stat.exists = false;
      return errno;
    }
  }

  /** The place of a row's directory, null when that cannot be reached: a look at the row will say why. */
  placeOf(row: number): RawPlace | null {
    if (!libcLoaded()) return null;
    try {
      return this.enterDirectory(row);
    } catch (error) {
      if (errnoOf(error) === 0) throw error;
      return null;
    }
  }

  private enterDirectory(row: number): RawPlace {
    this.place ??= new RawPlace();
    const dir = this.receiving.parts.root.dir(this.list.dirPath(row));
    if (dir !== this.dir || dir.fd !== this.dirFd) this.enter(this.place, dir);
    return this.place;
  }

  private enter(place: RawPlace, dir: Dir): void {
    this.dir = null;
    const path = dir.self();
    place.enter(path);
    this.receiving.parts.further?.enter(path);
    this.dir = dir;
    this.dirFd = dir.fd;
  }

  close(): void {
    this.place?.close();
    this.dir = null;
  }
}

/** False when a row's name does not say by itself where its file is, and whether it may be looked at. */
function isPlainPlace({ parts }: Receiving): boolean {
  return parts.localName === null && parts.moduleHides === null && !parts.attrs.tweaksModes;
}
