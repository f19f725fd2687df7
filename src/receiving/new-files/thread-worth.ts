import { EntryFlag, type FileList, type Segment } from '../../../protocol/flist/list.js';
import { libcLoaded } from '../../libc/libc.js';

/** Small files that have come, or that were asked for in runs, after which a kernel that makes files is worth its making. */
const FEW = 50;
/**
 * The same for a thread for file work, if the list has so many more: its start costs as much processor as some hundred
 * files.
 */
const COME = 300;
const ASKED = 200;
const MORE = 700;
/** Files after which the list is looked at again, when it was too short. */
const AGAIN = 1024;
/** New directories after which the lists of these are looked at. */
const MADE = 32;

/** Says when a kernel, and a thread, for file work are worth their start. */
export class ThreadWorth {
  private come = 0;
  private asked = 0;
  private made = 0;
  /** Files in lists that came for directories which this run had made. */
  private listed = 0;

  constructor(private readonly list: FileList) {}

  /** So many small files have come: is a thread worth it? */
  afterFiles(count: number): boolean {
    const before = this.come;
    this.come += count;
    const isTime = before < COME ? this.come >= COME : Math.floor(before / AGAIN) < Math.floor(this.come / AGAIN);
    return isTime && this.hasMore;
  }

  /** So many new small files were asked for together: until the first of them comes, a thread is half ready. */
  afterAsking(count: number): boolean {
    this.asked += count;
    return this.asked >= ASKED && this.hasMore;
  }

  /** A directory was made: what the lists of new directories have is all going to be asked for. */
  afterMaking(): boolean {
    return ++this.made % MADE === 0 && libcLoaded() && this.newFiles() >= ASKED + MORE;
  }

  /** The list of a directory has come: if that is new, all that it has is going to be asked for. */
  afterListing(segment: Segment): boolean {
    if (isNew(this.list, segment)) this.listed += segment.count;
    return this.listed >= ASKED + MORE && libcLoaded();
  }

  private newFiles(): number {
    let files = 0;
    for (const segment of this.list.segments) if (isNew(this.list, segment)) files += segment.count;
    return files;
  }

  /** Is a kernel worth it? */
  get ofKernel(): boolean {
    return (this.come >= FEW || this.asked >= FEW) && libcLoaded();
  }

  private get hasMore(): boolean {
    return libcLoaded() && this.list.count - Math.max(this.come, this.asked) >= MORE;
  }
}

/** Nothing but files, in a directory that this run has made. */
function isNew(list: FileList, { isPlain, parentRow }: Segment): boolean {
  return isPlain && parentRow >= 0 && (list.flags(parentRow) & EntryFlag.DIR_CREATED) !== 0;
}
