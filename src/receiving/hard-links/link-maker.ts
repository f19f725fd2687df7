import { Item, Msg } from '../../../protocol/constants.js';
import type { ByteString } from '../../../protocol/options.js';
import { makeHardLink } from '../../files/special.js';
import { FileStat, lstatInto } from '../../files/stat.js';
import { errnoText } from '../../report/errno.js';
import type { EntryMaker } from '../entries.js';
import type { Itemizer } from '../itemize.js';
import type { Receiving } from '../receiving.js';
import type { HardLinks, WaitingMember } from './hard-links.js';

/** Links members of hard-link groups to a member that is in place. */
export class LinkMaker {
  private readonly leader = new FileStat();
  private readonly basis = new FileStat();

  constructor(
    private readonly receiving: Receiving,
    private readonly itemizer: Itemizer,
    private readonly entries: EntryMaker,
    private readonly links: HardLinks,
  ) {}

  /** A member is in place: those of its group that waited for it follow. */
  others(row: number): void {
    const path = this.receiving.relativePath(row);
    for (const member of this.links.finish(row, path)) {
      this.member(member, path, true);
      this.receiving.listOf(member.ndx).inProgress--;
    }
  }

  /** Links one member to a finished one. `late`: it had to wait for that, and basis directories play no part. */
  member({ ndx, row }: WaitingMember, to: ByteString, late: boolean): void {
    const { entries, leader, itemizer } = this;
    const { parts } = this.receiving;
    const st = new FileStat();
    entries.look(row, st);
    lstatInto(parts.root.path(to), leader);
    if (st.exists && leader.exists && st.ino === leader.ino && st.dev === leader.dev) {
      itemizer.announce(ndx, row, st, Item.LOCAL_CHANGE | Item.XNAME_FOLLOWS, 0, Buffer.alloc(0));
      entries.tellUptodate(row);
      this.reportSuccess(ndx);
      return;
    }
    const { exists } = st;
    const inBasis = !exists && !late && (entries.basisDirs?.hasMember(row, leader, this.basis) ?? false);
    if (exists && st.isDir && !entries.makeRoom(row, st)) return;
    if (!this.make(row, to, st.exists)) return;
    st.exists = exists;
    if (inBasis && this.isUnsaid()) {
      entries.tellUptodate(row);
    } else {
      const compared = inBasis ? this.basis : exists ? st : null;
      const xname = Buffer.from(to, 'latin1');
      const path = inBasis ? (entries.basisDirs?.bestPath ?? null) : null;
      itemizer.announce(ndx, row, compared, Item.LOCAL_CHANGE | Item.XNAME_FOLLOWS, 0, xname, path);
      itemizer.made(row, ' => ', to);
    }
    this.reportSuccess(ndx);
  }

  /** False, after a message, when the link cannot be made. */
  private make(row: number, to: ByteString, exists: boolean): boolean {
    const { receiving } = this;
    const { session, parts } = receiving;
    if (session.options.dryRun) return true;
    const path = receiving.relativePath(row);
    try {
      if (exists && parts.backup !== null) parts.backup.keep(path);
      makeHardLink(parts.root, to, path, exists);
      return true;
    } catch (error) {
      const shown = receiving.fullName(path);
      session.log.xferError(`rsync: [generator] link ${shown} => ${to} failed: ${errnoText(error)}\n`);
      return false;
    }
  }

  /** --link-dest: a member that a basis directory has as well is told only to those who want to know everything. */
  private isUnsaid(): boolean {
    const { receiving, itemizer } = this;
    const { options: o } = receiving.session;
    const tellsAll = receiving.printsItems && ((o.info.name ?? 0) >= 2 || itemizer.itemizesAll);
    return o.basisKind === 'link' && !tellsAll;
  }

  private reportSuccess(ndx: number): void {
    const { session } = this.receiving;
    if (session.options.removeSourceFiles && !session.options.dryRun) session.sendNumber(Msg.SUCCESS, ndx);
  }
}
