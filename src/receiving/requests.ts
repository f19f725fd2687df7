import fs from 'node:fs';
import { Basis, Item } from '../../protocol/constants.js';
import { chooseSumHead, EMPTY_HEAD, type SumHead, SumWriter, writeSumHead } from '../../protocol/delta/blocks.js';
import { EntryFlag } from '../../protocol/flist/list.js';
import type { BlockDigest } from '../../protocol/hash/digest.js';
import { movesData } from '../../protocol/options.js';
import type { Backup } from '../files/backup.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { accessFlags, openForReading } from '../files/window.js';
import { Errno } from '../libc/errno.js';
import { errnoText } from '../report/errno.js';
import { isNewer, overMaxSize, underMinSize } from '../report/messages.js';
import { BasisDirs } from './basis/basis.js';
import { partialPath } from './basis/path.js';
import { SimilarFiles } from './basis/similar-files.js';
import { BasisSums } from './basis/sums.js';
import type { EntryMaker } from './entries.js';
import type { HardLinks } from './hard-links/hard-links.js';
import type { Itemizer } from './itemize.js';
import type { Receiving } from './receiving.js';
import { QuickCheck } from './right-files/quick-check.js';

/** A basis whose block sums are still to be sent. */
interface Pending {
  fd: number;
  head: SumHead;
}

/** What a file is to be built from. One object is used for all files. */
interface ChosenBasis {
  /** Null: nothing. */
  path: Buffer | null;
  size: number;
  /** What the receiver will find it by (9.5). */
  type: number;
  name: Buffer | null;
}

/** Decides about regular files and asks the sender for the ones that differ (9.1, 9.5 to 9.7). */
export class Requests {
  readonly check: QuickCheck;
  private readonly sums: BasisSums;
  private readonly partialStat = new FileStat();
  private readonly basis: ChosenBasis = { path: null, size: 0, type: Basis.FNAME, name: null };
  /** Null without --fuzzy, for a batch file, and where a basis is what the file begins with (--append). */
  private readonly similar: SimilarFiles | null;
  /** No block sums: files travel as they are. */
  readonly wholeFile: boolean;
  private pending: Pending | null = null;

  constructor(
    private readonly receiving: Receiving,
    private readonly itemizer: Itemizer,
    private readonly entries: EntryMaker,
    private readonly links: HardLinks,
    private readonly blockDigest: BlockDigest,
    isLocal: boolean,
  ) {
    const o = receiving.session.options;
    const { connection, replays, sumContext } = receiving.session;
    this.wholeFile = replays || ((o.wholeFile ?? isLocal) && o.append === 0);
    this.check = new QuickCheck(receiving);
    if (o.basisKind !== null) entries.basisDirs = new BasisDirs(receiving, itemizer, entries, this.check);
    // With whole files, too: without -p a file gets the permissions of what it is like.
    this.similar = o.fuzzy > 0 && !replays && o.append === 0 ? new SimilarFiles(receiving) : null;
    this.sums = new BasisSums(connection, new SumWriter(blockDigest), sumContext.seed);
  }

  /** True when the options or the destination's state leave a file as it is. */
  private isSkipped(row: number, st: FileStat): boolean {
    const { session } = this.receiving;
    const { list, options: o, log } = session;
    const size = list.size(row);
    if (o.maxSize >= 0 && size > o.maxSize) {
      if (o.info.skip >= 1) log.info(overMaxSize(list.path(row)));
      return true;
    }
    if (o.minSize >= 0 && size < o.minSize) {
      if (o.info.skip >= 1) log.info(underMinSize(list.path(row)));
      return true;
    }
    if (o.update && st.exists && st.isRegular && this.isNewer(row, st)) {
      if (o.info.skip >= 1) log.info(isNewer(list.path(row)));
      this.skipLink(row);
      return true;
    }
    return false;
  }

  private isNewer(row: number, st: FileStat): boolean {
    const { list, options: o } = this.receiving.session;
    return list.mtime(row) - st.mtime < o.modifyWindow;
  }

  /** Handles a regular file; `errno` is why its state is not known. Block sums are sent by `sendSums` afterwards. */
  file(ndx: number, row: number, st: FileStat, errno: number): void {
    const { receiving } = this;
    const { list, options: o } = receiving.session;
    if (this.isSkipped(row, st)) return;
    const inTheWay = st.exists && !st.isRegular;
    if (inTheWay && !this.entries.makeRoom(row, st)) return;
    const listMode = list.mode(row);
    receiving.settleMode(row, st.exists ? st : null);
    let basis = st.exists ? receiving.destPath(row) : null;
    let type: number = Basis.FNAME;
    if (this.entries.basisDirs !== null && (!st.exists || o.basisKind !== 'copy')) {
      const verdict = this.entries.basisDirs.find(ndx, row, st);
      if (verdict.kind === 'done') return;
      if (verdict.kind === 'basis') {
        basis = verdict.path;
        type = verdict.type;
        this.settleAgain(row, listMode, st);
      }
    }
    const partial = this.findPartial(row);
    if (!st.exists && partial === null) {
      if (list.flags(row) & EntryFlag.HLINKED && o.hardLinks && this.links.waits(row, ndx)) {
        receiving.listOf(ndx).inProgress++;
      } else if (errno !== 0 && errno !== Errno.ENOENT && !inTheWay) {
        this.entries.statFailed(row, errno);
      } else {
        this.chooseSimilar(row, listMode);
        this.request(ndx, row, st, false);
      }
      return;
    }
    if (st.exists && type === Basis.FNAME && this.check.same(row, basis!, st)) {
      if (partial !== null && !o.dryRun) this.removePartial(partial);
      this.entries.unchanged(ndx, row, st);
      return;
    }
    if (o.append > 0 && st.exists && st.size >= list.size(row)) {
      this.skipLink(row);
      return;
    }
    if (partial !== null) {
      this.settleAgain(row, listMode, this.partialStat);
      this.choose(partial, this.partialStat.size, Basis.PARTIAL_DIR);
    } else {
      this.choose(basis, st.size, type);
    }
    this.request(ndx, row, st, false);
  }

  /** True when what is at the destination, of the same type, has the right content. */
  sameContent(row: number, st: FileStat): boolean {
    const path = this.receiving.destPath(row);
    if (st.isRegular) return this.check.same(row, path, st);
    const { list } = this.receiving.session;
    return !st.isLink || fs.readlinkSync(path, { encoding: 'buffer' }).equals(list.target(row));
  }

  /** Without -p a file gets the permissions of its basis, whatever that is. */
  private settleAgain(row: number, listMode: number, basis: { mode: number }): void {
    this.receiving.session.list.setMode(row, listMode);
    this.receiving.settleMode(row, basis);
  }

  /** What an earlier run has left in the --partial-dir, its state in `partialStat`. */
  private findPartial(row: number): Buffer | null {
    const partial = partialPath(this.receiving, this.receiving.relativePath(row));
    if (partial === null) return null;
    const { partialStat } = this;
    return lstatInto(partial, partialStat) === 0 && partialStat.exists && partialStat.isRegular ? partial : null;
  }

  /** The file itself is whole: what an earlier run has left of it goes. */
  private removePartial(path: Buffer): void {
    try {
      fs.unlinkSync(path);
      if (this.receiving.session.options.partialDir.startsWith('/')) return;
      fs.rmdirSync(path.subarray(0, path.lastIndexOf(47)));
    } catch {
      // Others may still have unfinished files in it.
    }
  }

  /** Called with a member of a hard-link group that options leave out. */
  skipLink: (row: number) => void = () => {};

  /** Asks again for a file whose data did not match its sum (9.9). */
  redo(ndx: number, row: number): void {
    const st = new FileStat();
    this.entries.look(row, st);
    const exists = st.exists && st.isRegular;
    this.choose(exists ? this.receiving.destPath(row) : null, st.size, Basis.FNAME);
    this.request(ndx, row, st, true);
  }

  private choose(path: Buffer | null, size: number, type: number, name: Buffer | null = null): void {
    const { basis } = this;
    basis.path = path;
    basis.size = size;
    basis.type = type;
    basis.name = name;
  }

  /** For a file that is not there. */
  private chooseSimilar(row: number, listMode: number): void {
    this.choose(null, 0, Basis.FNAME);
    const found = this.similar?.find(row) ?? null;
    if (found === null) return;
    this.choose(found.path, found.size, found.type, Buffer.from(found.name, 'latin1'));
    this.settleAgain(row, listMode, found);
  }

  /** Asks for a file that is to be built from the basis that was chosen. */
  private request(ndx: number, row: number, st: FileStat, redo: boolean): void {
    const { receiving, basis } = this;
    const { session, parts } = receiving;
    const { list, options: o } = session;
    const { writer } = session.connection;
    let basisType = basis.type;
    let fd = -1;
    if (movesData(o) && basis.path !== null) {
      const backsUp = o.inplace && !o.dryRun && parts.backup !== null && basisType === Basis.FNAME && !redo;
      if (backsUp && !this.keepCopy(row)) return;
      try {
        if (!this.wholeFile) fd = openForReading(basis.path, accessFlags(o));
        if (backsUp && fd >= 0) basisType = Basis.BACKUP;
      } catch (error) {
        session.log.error(
          `rsync: [generator] failed to open ${receiving.fullName(receiving.relativePath(row))}, continuing: ${errnoText(error)}\n`,
        );
      }
    }
    let flags: number = Item.TRANSFER;
    if (o.checksum) flags |= Item.REPORT_CHANGE;
    if (list.flags(row) & EntryFlag.HLINKED && o.hardLinks) this.links.lead(row, ndx);
    // The state of a file in a basis directory was taken for that of the file itself.
    const compared = basisType < Basis.FNAME ? basis.path : null;
    this.itemizer.announce(ndx, row, st.exists ? st : null, flags, basisType, basis.name, compared);
    list.addFlags(row, EntryFlag.REQUESTED);
    // Nobody waits for a file that is not made.
    if (!o.dryRun) receiving.listOf(ndx).inProgress++;
    else if (list.flags(row) & EntryFlag.HLINKED && o.hardLinks) this.entries.finished(ndx, row);
    receiving.replay?.ask(ndx);
    if (!movesData(o)) return;
    this.similar?.changing(row);
    const head = fd < 0 ? EMPTY_HEAD : this.headFor(basis.size, redo);
    writeSumHead(writer, head);
    if (head.count > 0 && !(o.append > 0 && !redo)) this.pending = { fd, head };
    else if (fd >= 0) fs.closeSync(fd);
  }

  /** Backs up a file that is changed in place. False, after a message, when that fails: it is not to be touched then. */
  private keepCopy(row: number): boolean {
    const { session, parts } = this.receiving;
    const backup = parts.backup as Backup;
    const name = this.receiving.relativePath(row);
    try {
      backup.copyOf(name);
      return true;
    } catch (error) {
      const shown = this.receiving.fullName(backup.nameFor(name));
      session.log.xferError(`rsync: [generator] open ${shown}: ${errnoText(error)}\n`);
      return false;
    }
  }

  private headFor(basisSize: number, redo: boolean): SumHead {
    const { session } = this.receiving;
    return chooseSumHead(basisSize, {
      protocol: session.protocol,
      blockSize: session.options.blockSize,
      digestLength: this.blockDigest.length,
      redo,
    });
  }

  get hasPending(): boolean {
    return this.pending !== null;
  }

  /** Sends the block sums of the last request, in slices. */
  async sendSums(): Promise<void> {
    const { pending } = this;
    if (pending === null) return;
    this.pending = null;
    await this.sums.send(pending.fd, pending.head);
  }
}
