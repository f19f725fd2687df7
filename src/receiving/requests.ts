import fs from 'node:fs';
import { Basis, Item } from '../../protocol/constants.js';
import { chooseSumHead, EMPTY_HEAD, type SumHead, SumWriter, writeSumHead } from '../../protocol/delta/blocks.js';
import type { BlockDigest } from '../../protocol/hash/digest.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { errnoText } from '../report/errno.js';
import { isNewer, overMaxSize, underMinSize } from '../report/messages.js';
import { Pace } from '../session/pace.js';
import { BasisDirs, partialPath } from './basis.js';
import type { EntryMaker } from './entries.js';
import type { Itemizer } from './itemize.js';
import type { Receiving } from './receiving.js';
import { QuickCheck } from './unchanged.js';

/** Bytes of a basis that are read at once; a multiple of every block length is taken below it. */
const READ_SIZE = 256 * 1024;

/** A basis whose block sums are still to be sent. */
interface Pending {
  fd: number;
  head: SumHead;
  sent: number;
}

/** Decides about regular files and asks the sender for the ones that differ (9.1, 9.5 to 9.7). */
export class Requests {
  private readonly check: QuickCheck;
  private readonly basisDirs: BasisDirs;
  private readonly sums: SumWriter;
  private readonly partialStat = new FileStat();
  private readonly pace = new Pace();
  private buffer: Buffer | null = null;
  /** No block sums: files travel as they are. */
  readonly wholeFile: boolean;
  private pending: Pending | null = null;

  constructor(
    private readonly receiving: Receiving,
    private readonly itemizer: Itemizer,
    private readonly entries: EntryMaker,
    private readonly blockDigest: BlockDigest,
    isLocal: boolean,
  ) {
    const o = receiving.session.options;
    this.wholeFile = (o.wholeFile ?? isLocal) && o.append === 0;
    this.check = new QuickCheck(receiving);
    this.basisDirs = new BasisDirs(receiving, itemizer, entries, this.check);
    this.sums = new SumWriter(blockDigest);
  }

  /** True when the options or the destination's state leave a file as it is. */
  private isSkipped(row: number, st: FileStat): boolean {
    const { session } = this.receiving;
    const { list, options: o, log } = session;
    const size = list.size[row];
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
      return true;
    }
    return false;
  }

  private isNewer(row: number, st: FileStat): boolean {
    const { list, options: o } = this.receiving.session;
    return st.mtime - list.mtime[row] > Math.max(0, o.modifyWindow);
  }

  /** Handles a regular file. Block sums that it needs are sent by `sendSums` afterwards. */
  file(ndx: number, row: number, st: FileStat): void {
    const { receiving } = this;
    const { session } = receiving;
    const { list, options: o } = session;
    if (this.isSkipped(row, st)) return;
    if (st.exists && !st.isRegular && !this.entries.makeRoom(row, st)) return;
    receiving.settleMode(row, st.exists ? st : null);
    const destPath = st.exists ? receiving.destPath(row) : null;
    if (destPath !== null && this.check.same(row, destPath, st)) {
      this.entries.unchanged(ndx, row, st);
      return;
    }
    if (o.append > 0 && st.exists && st.size >= list.size[row]) return;
    if (o.basisKind !== null && (!st.exists || o.basisKind !== 'copy')) {
      const real = this.realState(st);
      const verdict = this.basisDirs.find(ndx, row, st);
      if (verdict.kind === 'done') return;
      if (verdict.kind === 'basis') {
        this.request(ndx, row, real, verdict.path, st.size, verdict.type, false);
        return;
      }
    }
    this.requestWithBest(ndx, row, st, destPath, false);
  }

  private realState(st: FileStat): FileStat {
    const copy = new FileStat();
    copy.copyFrom(st);
    return copy;
  }

  /** Asks again for a file whose data did not match its sum (9.9). */
  redo(ndx: number, row: number): void {
    const st = new FileStat();
    this.entries.look(row, st);
    const exists = st.exists && st.isRegular;
    this.requestWithBest(ndx, row, st, exists ? this.receiving.destPath(row) : null, true);
  }

  private requestWithBest(ndx: number, row: number, st: FileStat, destPath: Buffer | null, redo: boolean): void {
    const { receiving } = this;
    const partial = partialPath(receiving, receiving.relativePath(row));
    if (partial !== null && !redo) {
      const errno = lstatInto(partial, this.partialStat);
      if (errno === 0 && this.partialStat.exists && this.partialStat.isRegular) {
        this.request(ndx, row, st, partial, this.partialStat.size, Basis.PARTIAL_DIR, redo);
        return;
      }
    }
    this.request(ndx, row, st, destPath, st.size, Basis.FNAME, redo);
  }

  private request(
    ndx: number,
    row: number,
    st: FileStat,
    basis: Buffer | null,
    basisSize: number,
    type: number,
    redo: boolean,
  ): void {
    const { receiving } = this;
    const { session, parts } = receiving;
    const { options: o } = session;
    const { writer } = session.connection;
    let basisType = type;
    let fd = -1;
    if (!o.dryRun && basis !== null && !this.wholeFile) {
      try {
        fd = fs.openSync(basis, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
      } catch (error) {
        session.log.xferError(
          `rsync: [generator] failed to open "${receiving.shownPath(receiving.relativePath(row))}", continuing: ${errnoText(error)}\n`,
        );
      }
      if (fd >= 0 && o.inplace && parts.backup !== null && type === Basis.FNAME) {
        parts.backup.copyOf(receiving.relativePath(row));
        basisType = Basis.BACKUP;
      }
    }
    let flags: number = Item.TRANSFER;
    if (o.checksum && st.exists) flags |= Item.REPORT_CHANGE;
    this.itemizer.announce(ndx, row, st.exists ? st : null, flags, basisType, null);
    if (o.dryRun) return;
    receiving.progressOf(ndx).inProgress++;
    const head = fd < 0 ? EMPTY_HEAD : this.headFor(basisSize, redo);
    writeSumHead(writer, head);
    if (head.count > 0 && !(o.append > 0 && !redo)) this.pending = { fd, head, sent: 0 };
    else if (fd >= 0) fs.closeSync(fd);
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
    const { connection } = this.receiving.session;
    try {
      while (pending.sent < pending.head.count) {
        this.sumSlice(pending);
        if (connection.congested) await connection.drain();
        if (this.pace.dueNow()) await this.pace.rest();
      }
    } finally {
      fs.closeSync(pending.fd);
    }
  }

  private sumSlice(pending: Pending): void {
    const { head, fd } = pending;
    const perRead = Math.max(1, Math.floor(READ_SIZE / head.blockLength));
    const count = Math.min(perRead, head.count - pending.sent);
    const isLast = pending.sent + count === head.count;
    const length = count * head.blockLength - (isLast && head.remainder > 0 ? head.blockLength - head.remainder : 0);
    if (this.buffer === null || this.buffer.length < length) {
      this.buffer = Buffer.allocUnsafeSlow(Math.max(length, READ_SIZE));
    }
    const { buffer } = this;
    let have = 0;
    const base = pending.sent * head.blockLength;
    while (have < length) {
      const n = fs.readSync(fd, buffer, have, length - have, base + have);
      if (n === 0) break;
      have += n;
    }
    // A basis that shrank meanwhile: what is missing counts as zeros, and the file's sum will tell.
    if (have < length) buffer.fill(0, have, length);
    this.sums.write(this.receiving.session.connection.writer, buffer, 0, length, head);
    pending.sent += count;
  }
}
