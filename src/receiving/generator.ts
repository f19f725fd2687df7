import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import { EntryFlag, ndxAt, rowAt, type Segment } from '../../protocol/flist/list.js';
import type { BlockDigest } from '../../protocol/hash/digest.js';
import { FileStat } from '../files/stat.js';
import { Errno } from '../libc/errno.js';
import { listLine } from '../report/listing.js';
import { deltaTransmission, nonRegular, refusedToReceive, skippingContents } from '../report/messages.js';
import { sharesTurns } from '../session/hand-over.js';
import { Pace } from '../session/pace.js';
import { Closing } from './closing.js';
import { Deleter } from './deleting/delete.js';
import { DirectoryReader } from './deleting/directory-reader.js';
import { ExtraneousFiles } from './deleting/extraneous.js';
import { EntryMaker } from './entries.js';
import { HardLinks } from './hard-links/hard-links.js';
import { LinkQueue } from './hard-links/link-queue.js';
import { Itemizer } from './itemize.js';
import { TouchUp } from './landing/touch-up.js';
import { LeftOut } from './left-out.js';
import { MissingFiles } from './new-files/missing-files.js';
import type { Receiving } from './receiving.js';
import { Requests } from './requests.js';
import { Sweep } from './right-files/sweep.js';

/** Walks the file list, makes what needs no data, and asks for the rest (9). */
export class Generator {
  private readonly deleter: Deleter;
  private readonly extraneous: ExtraneousFiles;
  readonly itemizer: Itemizer;
  readonly entries: EntryMaker;
  readonly links: LinkQueue;
  private readonly closing: Closing;
  private readonly requests: Requests;
  private readonly sweep: Sweep;
  private readonly missingFiles: MissingFiles;
  private readonly touchUp: TouchUp;
  private readonly leftOut: LeftOut;
  private readonly stat = new FileStat();
  private readonly pace = new Pace();

  constructor(
    private readonly receiving: Receiving,
    blockDigest: BlockDigest,
    isLocal: boolean,
  ) {
    const groups = new HardLinks(receiving.session.list);
    const reader = new DirectoryReader(receiving);
    this.deleter = new Deleter(receiving, reader);
    this.extraneous = new ExtraneousFiles(receiving, this.deleter, reader);
    this.itemizer = new Itemizer(receiving);
    this.entries = new EntryMaker(receiving, this.itemizer, this.deleter, groups);
    this.requests = new Requests(receiving, this.itemizer, this.entries, groups, blockDigest, isLocal);
    const make = this.make.bind(this);
    this.links = new LinkQueue(receiving, groups, this.entries, this.requests, make);
    receiving.onFileDone = (ndx, row, ok) => this.links.fileDone(ndx, row, ok);
    this.leftOut = new LeftOut(receiving, this.entries, this.links, this.requests, this.itemizer);
    this.touchUp = new TouchUp(receiving, this.entries);
    this.closing = new Closing(receiving, this.extraneous, this.links, this.requests, this.touchUp);
    this.requests.skipLink = (row) => this.links.skip(row);
    this.sweep = new Sweep(receiving, this.entries, this.requests.check, this.itemizer, this.stat);
    this.missingFiles = new MissingFiles(receiving, this.entries, this.sweep);
  }

  async run(): Promise<void> {
    this.pace.isLong = sharesTurns(this.receiving.session);
    this.pace.begin();
    try {
      await this.allPhases();
    } finally {
      this.sweep.close();
    }
  }

  private async allPhases(): Promise<void> {
    const { receiving, closing } = this;
    const { session } = receiving;
    const { list, options: o } = session;
    if ((o.debug.flist ?? 0) >= 1) session.log.info(deltaTransmission(this.requests.wholeFile));
    if (o.deleteMode === 'before') this.extraneous.everything();
    for (let i = 0; ; i++) {
      while (i >= list.segments.length && !receiving.lists.complete) {
        await closing.waitForReceiver();
        // The sender may send no further list before it knows that one has ended.
        await closing.lists();
      }
      if (i >= list.segments.length) break;
      await this.segment(list.segments.at(i));
      closing.worked = i + 1;
      await closing.lists();
    }
    await closing.allLists();
    await closing.phases();
  }

  // --- lists -------------------------------------------------------------------------------------------------------

  private async segment(segment: Segment): Promise<void> {
    const { receiving } = this;
    const { session } = receiving;
    const { connection, incremental } = session;
    if (session.options.hardLinks) await this.links.lookAhead(() => this.closing.waitForReceiver());
    const { attempts } = this.deleter;
    if (incremental && segment.parentRow >= 0) this.parentDirectory(segment);
    // Files that were asked for or made.
    let worked = 0;
    for (let i = 0; i < segment.count; i++) {
      const asked = this.missingFiles.ask(segment, i);
      const passed = asked || this.sweep.passesRun(segment, i);
      worked += asked;
      const row = rowAt(segment, i);
      if (passed > 0) {
        i += passed - 1;
        if (connection.congested) await connection.drain();
      } else if (!this.sweep.passes(row)) {
        worked++;
        this.entry(ndxAt(segment, i), row, segment);
        if (this.requests.hasPending) await this.requests.sendSums();
        if (connection.congested) await connection.drain();
      }
      receiving.replay?.pass(segment.firstNdx + i + 1);
      if (this.links.hasEnded) await this.links.settle();
      if (passed > 0 ? this.pace.dueNow() : this.pace.due()) {
        connection.flush();
        await this.pace.rest();
      }
    }
    if (worked === 0 && attempts === this.deleter.attempts) this.touchUp.spare(segment);
    // Index of an empty list's end: of the next list, that of its directory.
    receiving.replay?.pass(segment.firstNdx + segment.count);
  }

  /** The directory that a list belongs to, with its own attributes and its deletions. */
  private parentDirectory(segment: Segment): void {
    const { receiving, stat } = this;
    const row = segment.parentRow;
    if (receiving.session.list.isInactive(row)) return;
    if (receiving.session.options.listOnly) {
      this.list(row);
      return;
    }
    const path = receiving.relativePath(row);
    if (this.entries.isBelowFailed(path) || this.isRefused(row, path, true)) return;
    const errno = this.entries.look(row, stat);
    if (this.leftOut.isLeftOut(row, stat, true, errno)) {
      if (stat.exists && this.deletesMeanwhile) this.extraneous.blocked(row);
      return;
    }
    this.entries.directory(segment.firstNdx - 1, row, stat);
    if (!this.entries.isBelowFailed(`${path}/`)) this.deleteIn(row, segment);
  }

  /** A daemon's filters forbid the name: nothing of that name is made, and nothing below it. */
  private isRefused(row: number, path: string, isDir: boolean): boolean {
    const { session, parts } = this.receiving;
    if (!parts.moduleHides?.(path, isDir)) return false;
    session.log.xferError(refusedToReceive(this.receiving.shownName(row), isDir));
    if (isDir) {
      session.log.error(skippingContents());
      this.entries.leaveOutBelow(row);
    } else {
      this.links.skip(row);
    }
    return true;
  }

  /** --list-only: prints an entry, or hands it to the program that asked. */
  private list(row: number): void {
    const { session } = this.receiving;
    if (session.listener !== null) session.listener.listed(session, row);
    else session.log.client(listLine(session.list, row, session.options));
  }

  private deleteIn(row: number, segment: Segment): void {
    if (!this.deletesMeanwhile) return;
    this.extraneous.directory(row, segment, this.receiving.session.options.deleteMode === 'delay');
  }

  /** Deletions are looked for directory by directory, as the lists go on. */
  private get deletesMeanwhile(): boolean {
    const mode = this.receiving.session.options.deleteMode;
    return mode === 'during' || mode === 'delay';
  }

  private entry(ndx: number, row: number, segment: Segment): void {
    const { receiving, stat, entries } = this;
    const { session, parts } = receiving;
    const { list, options: o } = session;
    if (list.isInactive(row)) return;
    if (o.listOnly) {
      // With incremental recursion a directory comes right before its own entries.
      if (!session.incremental || !list.isDir(row) || list.path(row) === '.') this.list(row);
      return;
    }
    const path = receiving.relativePath(row);
    const isDir = list.isDir(row);
    const early = isDir && session.incremental && path !== '.';
    if (entries.isBelowFailed(path)) {
      if (!isDir) this.links.skip(row);
      return;
    }
    if (list.mode(row) === 0) {
      this.missing(row, path);
      return;
    }
    if (early && parts.moduleHides?.(path, true)) return;
    if (!early && this.isRefused(row, path, isDir)) return;
    if (o.relative && !o.impliedDirs) entries.makeParents(row);
    const errno = this.sweep.looked ? this.sweep.errno : entries.look(row, stat);
    if (early) {
      if (!(o.existing && errno === Errno.ENOENT) && !(o.ignoreExisting && stat.exists)) {
        entries.directoryEarly(row, stat);
      }
      return;
    }
    if (this.leftOut.isLeftOut(row, stat, isDir, errno)) return;
    if (isDir) {
      entries.directory(this.directoryIndex(ndx, path, segment), row, stat);
      if (!entries.isBelowFailed(`${path}/`)) this.deleteIn(row, segment);
      return;
    }
    if (list.flags(row) & EntryFlag.HLINKED && o.hardLinks && !this.links.goes(ndx, row)) return;
    this.make(ndx, row, stat, errno);
  }

  /** --delete-missing-args: an argument that the sender does not have. */
  private missing(row: number, path: string): void {
    if (!this.receiving.session.options.deleteMissingArgs) return;
    this.entries.look(row, this.stat);
    if (this.stat.exists && this.receiving.parts.scope.verdict(path, this.stat.isDir) >= 0)
      this.deleter.removeMissing(path);
  }

  /** With incremental recursion the transfer root is asked for through the index in front of its list (8.1). */
  private directoryIndex(ndx: number, path: string, segment: Segment): number {
    return this.receiving.session.incremental && path === '.' ? segment.firstNdx - 1 : ndx;
  }

  private make(ndx: number, row: number, stat: FileStat, errno: number): void {
    const { session } = this.receiving;
    const { options: o, list } = session;
    const mayMakeDevices = this.receiving.parts.isRoot || o.fakeSuper;
    switch (list.mode(row) & S_IFMT) {
      case S_IFREG:
        this.requests.file(ndx, row, stat, errno);
        return;
      case S_IFLNK:
        if (o.links && list.extra(row) >= 0) this.entries.nodes.symlink(ndx, row, stat);
        else this.skipSpecial(row);
        return;
      default:
        // --drop-D: the other side sends them nevertheless.
        if (!o.dropDevices && wantsSpecial(list.mode(row), o.devices && mayMakeDevices, o.specials))
          this.entries.nodes.special(ndx, row, stat);
        else this.skipSpecial(row);
    }
  }

  private skipSpecial(row: number): void {
    const { log, options: o } = this.receiving.session;
    if (o.info.nonreg >= 1) log.info(nonRegular(this.receiving.shownName(row)));
  }
}

function wantsSpecial(mode: number, devices: boolean, specials: boolean): boolean {
  const type = mode & S_IFMT;
  if (type === S_IFCHR || type === S_IFBLK) return devices;
  return specials && type !== S_IFDIR;
}
