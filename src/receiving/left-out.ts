import { S_IFMT, SIGNIFICANT_ITEM_FLAGS } from '../../protocol/constants.js';
import type { FileStat } from '../files/stat.js';
import { Errno } from '../libc/errno.js';
import { type ExistsDetail, exists, notCreating } from '../report/messages.js';
import type { EntryMaker } from './entries.js';
import type { LinkQueue } from './hard-links/link-queue.js';
import type { Itemizer } from './itemize.js';
import type { Receiving } from './receiving.js';
import type { Requests } from './requests.js';

/** Entries that --existing and --ignore-existing leave out. */
export class LeftOut {
  constructor(
    private readonly receiving: Receiving,
    private readonly entries: EntryMaker,
    private readonly links: LinkQueue,
    private readonly requests: Requests,
    private readonly itemizer: Itemizer,
  ) {}

  /** Tells so, when they leave out an entry in whose place is what `stat` says, or nothing for the reason `errno`. */
  isLeftOut(row: number, stat: FileStat, isDir: boolean, errno: number): boolean {
    const { session } = this.receiving;
    const { options: o, log } = session;
    if (o.existing && errno === Errno.ENOENT) {
      if (o.info.skip >= 1) log.info(notCreating(this.receiving.shownName(row), isDir));
      if (isDir) this.entries.leaveOutBelow(row);
      else this.links.skip(row);
      return true;
    }
    if (o.ignoreExisting && stat.exists && !(isDir && stat.isDir)) {
      if (o.info.skip >= 1) log.info(exists(this.receiving.shownName(row), this.existsDetail(row, stat)));
      if (!isDir) this.links.skip(row);
      return true;
    }
    return false;
  }

  /** --info=skip2: in what the file that is left alone differs. */
  private existsDetail(row: number, stat: FileStat): ExistsDetail {
    const { list, options: o } = this.receiving.session;
    if ((o.info.skip ?? 0) < 2) return '';
    if ((stat.mode & S_IFMT) !== (list.mode(row) & S_IFMT)) return 'type change';
    if (!this.requests.sameContent(row, stat)) return o.checksum ? 'sum change' : 'file change';
    const flags = this.itemizer.differences(row, stat, 0, null);
    return (flags & SIGNIFICANT_ITEM_FLAGS) === 0 ? 'uptodate' : 'attr change';
  }
}
