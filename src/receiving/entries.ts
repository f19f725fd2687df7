import fs from 'node:fs';
import {
  Item,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  SIGNIFICANT_ITEM_FLAGS,
} from '../../protocol/constants.js';
import { EntryFlag } from '../../protocol/flist/list.js';
import type { ByteString } from '../../protocol/options.js';
import { takeForFile } from '../files/device.js';
import { makeDirectories } from '../files/directories.js';
import { lstatFake } from '../files/fake-super.js';
import { needsOwnerAccess } from '../files/modes.js';
import { FileStat, lstatInto, statInto } from '../files/stat.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { errnoText } from '../report/errno.js';
import { isUptodate, skippingContents } from '../report/messages.js';
import type { BasisDirs } from './basis/basis.js';
import type { Deleter } from './deleting/delete.js';
import type { HardLinks } from './hard-links/hard-links.js';
import { LinkMaker } from './hard-links/link-maker.js';
import type { Itemizer } from './itemize.js';
import { NodeMaker } from './node-maker.js';
import type { Receiving } from './receiving.js';

/** Looks at what is there, makes directories, and ends what every entry has in common. */
export class EntryMaker {
  private readonly stat = new FileStat();
  private readonly basis = new FileStat();
  /** Directories that could not be made: everything below them is left out. */
  private failedDir: ByteString | null = null;
  /** A dry run would have made this directory: nothing is below it. */
  private missingInDryRun: ByteString | null = null;
  /** Links members of hard-link groups to those that are there. */
  readonly linked: LinkMaker;
  /** Makes symbolic links, devices and special files. */
  readonly nodes: NodeMaker;
  /** Set when there are --compare-dest directories or the like. */
  basisDirs: BasisDirs | null = null;

  constructor(
    private readonly receiving: Receiving,
    private readonly itemizer: Itemizer,
    private readonly deleter: Deleter,
    links: HardLinks,
  ) {
    this.linked = new LinkMaker(receiving, itemizer, this, links);
    this.nodes = new NodeMaker(receiving, itemizer, this);
  }

  /** True when a row lies below a directory that could not be made. */
  isBelowFailed(path: ByteString): boolean {
    return this.failedDir !== null && path.startsWith(this.failedDir);
  }

  /** True when there are directories that nothing is made below. */
  get leavesOut(): boolean {
    return this.failedDir !== null || this.missingInDryRun !== null;
  }

  /** Nothing is made below a directory that is not there (--existing) or that must not be made. */
  leaveOutBelow(row: number): void {
    this.failedDir = `${this.receiving.relativePath(row)}/`;
  }

  /** Reads the state of the destination of a row. Returns 0 or the errno of what is not there. */
  look(row: number, st: FileStat): number {
    const { session } = this.receiving;
    st.exists = false;
    if (this.missingInDryRun !== null && this.receiving.relativePath(row).startsWith(this.missingInDryRun)) {
      return Errno.ENOENT;
    }
    const follow = session.options.keepDirlinks && session.list.isDir(row);
    try {
      const path = this.receiving.destPath(row);
      const errno = session.options.fakeSuper ? lstatFake(path, st) : lstatInto(path, st);
      if (errno === 0 && follow && st.isLink) {
        this.lookThrough(this.receiving.relativePath(row), st);
      }
      if (errno === 0 && st.isDevice && session.options.writeDevices && session.list.isRegular(row))
        takeForFile(st, path);
      return errno;
    } catch (error) {
      return cannotLook(error, st);
    }
  }

  /** The same for the directory at `path`, whose row may be forgotten. */
  lookAtDirectory(path: ByteString, st: FileStat): number {
    const { session, parts } = this.receiving;
    try {
      const errno = lstatInto(parts.root.path(path), st);
      if (errno === 0 && session.options.keepDirlinks && st.isLink) this.lookThrough(path, st);
      return errno;
    } catch (error) {
      return cannotLook(error, st);
    }
  }

  /**
   * -K: a link to a directory stands for that, unless it leads out of a module. One that leads out of a user's own
   * destination is left alone too, but nothing below it can be reached.
   */
  private lookThrough(path: ByteString, st: FileStat): void {
    const { stat } = this;
    const { root } = this.receiving.parts;
    try {
      statInto(root.options === root ? root.resolve(path) : root.path(path), stat);
    } catch {
      return;
    }
    if (stat.exists && stat.isDir) st.copyFrom(stat);
  }

  /** A file whose place cannot even be looked at is not asked for. */
  statFailed(row: number, errno: number): void {
    const { session } = this.receiving;
    const shown = this.receiving.fullName(this.receiving.relativePath(row));
    session.log.xferError(`rsync: [generator] recv_generator: failed to stat ${shown}: ${errnoText(errno)}\n`);
  }

  /** Takes away what is in the way of a row. False when it cannot go. */
  makeRoom(row: number, st: FileStat): boolean {
    if (!st.exists) return true;
    const { session } = this.receiving;
    const path = this.receiving.relativePath(row);
    if (this.deleter.makeRoom(path) !== 'gone') {
      session.log.xferError(
        `could not make way for new ${kindName(session.list.mode(row))}: ${this.receiving.shownName(row)}\n`,
      );
      return false;
    }
    st.exists = false;
    return true;
  }

  // --- directories -------------------------------------------------------------------------------------------------

  /**
   * Makes a missing directory before its own list is worked on, so that the time of its parent can be set soon; only
   * where times are kept. `directory` does the rest, and tells what cannot be done.
   */
  directoryEarly(row: number, st: FileStat): void {
    const { list, options: o } = this.receiving.session;
    if (o.dryRun || !o.times || o.omitDirTimes || this.isImplied(row)) return;
    if (st.exists && (st.isDir || !this.makeRoom(row, st))) return;
    try {
      fs.mkdirSync(this.receiving.destPath(row), list.mode(row) & 0o700);
      list.addFlags(row, EntryFlag.DIR_CREATED);
      this.receiving.onMade?.();
    } catch {
      // `directory` tries again and reports it.
    }
  }

  /** --no-implied-dirs: parents that -R brought along are made as they are needed, and keep what they have. */
  private isImplied(row: number): boolean {
    const { list, options: o } = this.receiving.session;
    return !o.impliedDirs && (list.flags(row) & EntryFlag.IMPLIED_DIR) !== 0;
  }

  private lastParent: ByteString | null = null;

  /** --no-implied-dirs: makes the parents of an entry where they are missing. */
  makeParents(row: number): void {
    const { receiving } = this;
    const { list } = receiving.session;
    const dir = list.dirPath(row);
    if (dir === this.lastParent || dir === '') return;
    this.lastParent = dir;
    if (receiving.session.options.dryRun) return;
    try {
      makeDirectories(receiving.parts.root, dir);
    } catch (error) {
      // A link that is not followed: the look at the entry itself says so.
      if (errnoOf(error) === Errno.ELOOP) return;
      receiving.session.log.xferError(
        `rsync: [generator] recv_generator: mkdir ${receiving.fullName(dir)} failed: ${errnoText(error)}\n`,
      );
    }
  }

  directory(ndx: number, row: number, st: FileStat): void {
    const { receiving, itemizer } = this;
    const { session, parts } = receiving;
    const { list, options: o } = session;
    if (this.isImplied(row)) return;
    if (st.exists && !st.isDir && !this.makeRoom(row, st)) {
      this.fail(row);
      return;
    }
    if (o.dryRun && !st.exists) this.missInDryRun(row);
    const isNew = !st.exists || (list.flags(row) & EntryFlag.DIR_CREATED) !== 0;
    receiving.settleMode(row, isNew ? null : st);
    const verdict = isNew && this.basisDirs !== null ? this.basisDirs.other(ndx, row, this.basis) : 'none';
    const compared = verdict === 'none' ? (isNew ? null : st) : this.basis;
    const flags = isNew ? Item.LOCAL_CHANGE : 0;
    const like = verdict === 'none' ? null : (this.basisDirs?.bestPath ?? null);
    let iflags = flags;
    if (verdict === 'none' || verdict === 'alike') iflags = itemizer.announce(ndx, row, compared, flags, 0, null, like);
    if (o.dryRun) {
      if (iflags & SIGNIFICANT_ITEM_FLAGS) itemizer.made(row);
      return;
    }
    if (!st.exists && !this.mkdir(row)) return;
    const path = receiving.destPath(row);
    if (isNew) lstatInto(path, st);
    if (like !== null) parts.xattrs?.copy(like, path, row, st);
    if (parts.attrs.apply(path, list, row, st, { isNew, keepAccess: true })) itemizer.made(row);
    if ((o.times && !o.omitDirTimes) || needsOwnerAccess(list.mode(row), parts.isRoot)) {
      list.addFlags(row, EntryFlag.TOUCH_UP);
    }
  }

  private missInDryRun(row: number): void {
    const path = `${this.receiving.relativePath(row)}/`;
    if (path === './') this.missingInDryRun = '';
    else if (this.missingInDryRun === null || !path.startsWith(this.missingInDryRun)) this.missingInDryRun = path;
  }

  private mkdir(row: number): boolean {
    const { receiving } = this;
    const { session } = receiving;
    const mode = (session.list.mode(row) & 0o777) | 0o700;
    try {
      try {
        fs.mkdirSync(receiving.destPath(row), mode);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EEXIST') return true;
        if (code !== 'ENOENT' || !session.options.relative) throw error;
        this.makeParents(row);
        fs.mkdirSync(receiving.destPath(row), mode);
      }
      session.list.addFlags(row, EntryFlag.DIR_CREATED);
      return true;
    } catch (error) {
      session.log.xferError(
        `rsync: [generator] recv_generator: mkdir ${receiving.fullName(receiving.relativePath(row))} failed: ${errnoText(error)}\n`,
      );
      this.fail(row);
      return false;
    }
  }

  private fail(row: number): void {
    const { session } = this.receiving;
    session.log.error(skippingContents());
    this.failedDir = `${this.receiving.relativePath(row)}/`;
  }

  // --- any entry ---------------------------------------------------------------------------------------------------

  /** An item that is what it should be; only its attributes may have to change. */
  unchanged(ndx: number, row: number, st: FileStat): void {
    const { receiving, itemizer } = this;
    const { session, parts } = receiving;
    receiving.settleMode(row, st);
    const told = session.options.dryRun ? st : this.afterwards(row, st);
    itemizer.announce(ndx, row, told, this.losesCapability(row, st) ? Item.REPORT_XATTR : 0, 0, null);
    // What was compared by its sum gets its whole time, whatever counts as the same time otherwise.
    const exactTimes = session.options.checksum && session.list.isRegular(row);
    const changed = parts.attrs.apply(receiving.destPath(row), session.list, row, st, { isNew: false, exactTimes });
    this.tellUnchanged(row, changed);
    this.finished(ndx, row);
  }

  /** True when a file has what it should, and will not have it any more when its owner has been set. */
  private losesCapability(row: number, st: FileStat): boolean {
    const { session, parts } = this.receiving;
    if (parts.xattrs === null || session.options.dryRun || !parts.xattrs.hasCapability(row)) return false;
    return parts.attrs.changesOwner(session.list, row, st);
  }

  /** The state of a file when owner and access list were set: lines tell what differs then. */
  private afterwards(row: number, st: FileStat): FileStat {
    const { session, parts } = this.receiving;
    const owned = parts.attrs.afterOwner(session.list, row, st);
    return parts.acls?.afterwards(session.list, row, this.receiving.destPath(row), owned) ?? owned;
  }

  /** -vv without -i: names of files that stay, or whose attributes alone had to change. */
  private tellUnchanged(row: number, changed: boolean): void {
    const { options: o, log } = this.receiving.session;
    if ((o.info.name ?? 0) < 2 || this.receiving.printsItems) return;
    const name = this.receiving.shownName(row);
    log.client(changed ? `${name}\n` : isUptodate(name));
  }

  /** -vv without -i: an item that a basis directory has, or that is linked already. */
  tellUptodate(row: number): void {
    const { options: o, log } = this.receiving.session;
    if ((o.info.name ?? 0) < 2 || this.receiving.printsItems) return;
    const name = this.receiving.shownName(row);
    log.client(isUptodate(this.receiving.session.list.isDir(row) ? `${name}/` : name));
  }

  /** An item is in place: members of its hard-link group follow, and the sender may remove it. */
  finished(ndx: number, row: number): void {
    const { session } = this.receiving;
    if (session.list.flags(row) & EntryFlag.HLINKED && session.options.hardLinks) this.linked.others(row);
    if (!this.receiving.parts.xattrs?.isWaiting(row)) this.receiving.tellSuccess(ndx, row);
  }
}

/** Nothing is at a path whose directory cannot be entered. Throws when it is a path that no peer may name. */
function cannotLook(error: unknown, st: FileStat): number {
  const errno = errnoOf(error);
  if (errno === 0 || errno === Errno.EXDEV || errno === Errno.EINVAL) throw error;
  st.exists = false;
  return errno;
}

function kindName(mode: number): string {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 'regular file';
    case S_IFDIR:
      return 'directory';
    case S_IFLNK:
      return 'symlink';
    case S_IFCHR:
    case S_IFBLK:
      return 'device file';
    default:
      return 'special file';
  }
}
