import type { FileList } from '../../protocol/flist/list.js';
import { libcLoaded } from '../libc/libc.js';

/**
 * Small files that have come, or that were asked for in runs, after which a thread for file work is worth its start, if the
 * list has so many more: the start costs as much processor as some hundred files.
 */
const COME = 300;
const ASKED = 200;
const MORE = 700;
/** Files after which the list is looked at again, when it was too short. */
const AGAIN = 1024;

/** Says when a thread for file work is worth its start. */
export class ThreadWorth {
  private come = 0;
  private asked = 0;

  constructor(private readonly list: FileList) {}

  /** A small file has come. */
  afterFile(): boolean {
    this.come++;
    return (this.come === COME || this.come % AGAIN === 0) && this.hasMore;
  }

  /** So many new small files were asked for together: until the first of them comes, a thread is half ready. */
  afterAsking(count: number): boolean {
    this.asked += count;
    return this.asked >= ASKED && this.hasMore;
  }

  private get hasMore(): boolean {
    return libcLoaded() && this.list.count - Math.max(this.come, this.asked) >= MORE;
  }
}
