import { EntryFlag } from '../../../protocol/flist/list.js';
import { FileStat } from '../../files/stat.js';
import type { EntryMaker } from '../entries.js';
import type { Receiving } from '../receiving.js';
import type { Requests } from '../requests.js';
import type { HardLinks } from './hard-links.js';

/** Entries beyond the oldest open list that are awaited with -H. */
const LINK_LOOKAHEAD = 500;

/** Deals with an entry as if it were no member of any group; `errno` is why its state is not known. */
type Make = (ndx: number, row: number, stat: FileStat, errno: number) => void;

/** Leads the generator through hard-link groups: which member goes first, and what follows when it has come to an end. */
export class LinkQueue {
  private readonly stat = new FileStat();
  /** Members that the receiver is done with. */
  private readonly ended: { ndx: number; row: number; ok: boolean }[] = [];

  constructor(
    private readonly receiving: Receiving,
    private readonly groups: HardLinks,
    private readonly entries: EntryMaker,
    private readonly requests: Requests,
    private readonly make: Make,
  ) {}

  /**
   * A file is not asked for while another name of it may lie at the destination already: so many entries are awaited,
   * as rsync does, before a list is worked on.
   */
  async lookAhead(waitForReceiver: () => Promise<void>): Promise<void> {
    const { session, lists } = this.receiving;
    const { list, incremental } = session;
    const isEnough = () => list.count - (list.segments.oldest?.start ?? list.count) >= LINK_LOOKAHEAD;
    // A receiver that waits for this side reads no more lists.
    const mayWait = () => this.receiving.replay?.isAwaited !== true;
    while (incremental && !lists.complete && !isEnough() && mayWait()) await waitForReceiver();
    this.groups.update();
  }

  private isMember(row: number): boolean {
    const { list, options: o } = this.receiving.session;
    return o.hardLinks && (list.flags(row) & EntryFlag.HLINKED) !== 0;
  }

  /** True when this member is to be dealt with like a file of its own. */
  goes(ndx: number, row: number): boolean {
    const verdict = this.groups.judge(row, ndx);
    if (verdict.kind === 'go') return true;
    if (verdict.kind === 'link') this.entries.linked.member({ ndx, row }, verdict.to, false);
    else this.receiving.listOf(ndx).inProgress++;
    return false;
  }

  /** An entry is left out; if it is a member, another one that waits may have to be dealt with now. */
  skip(row: number): void {
    const member = this.isMember(row) ? this.groups.skip(row) : null;
    if (member === null) return;
    this.receiving.listOf(member.ndx).inProgress--;
    const errno = this.entries.look(member.row, this.stat);
    this.make(member.ndx, member.row, this.stat, errno);
  }

  /**
   * Called by the receiver for every file that came to an end. Members of its hard-link group wait until the request
   * stream is between two items, which only the generator knows.
   */
  fileDone(ndx: number, row: number, ok: boolean): void {
    if (this.isMember(row)) this.ended.push({ ndx, row, ok });
    else if (ok) this.entries.finished(ndx, row);
  }

  /** True when `settle` has something to do. */
  get hasEnded(): boolean {
    return this.ended.length > 0;
  }

  /** Goes on with the groups whose leading member has come to an end. */
  async settle(): Promise<void> {
    for (let file = this.ended.shift(); file !== undefined; file = this.ended.shift()) {
      if (file.ok) {
        this.entries.finished(file.ndx, file.row);
        continue;
      }
      const next = this.groups.fail(file.row);
      if (next === null) continue;
      // The next member takes the lead; it was counted as in progress already.
      this.receiving.listOf(next.ndx).inProgress--;
      const errno = this.entries.look(next.row, this.stat);
      this.requests.file(next.ndx, next.row, this.stat, errno);
      await this.requests.sendSums();
    }
  }
}
