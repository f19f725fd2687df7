import fs from 'node:fs';
import { IoError, Item, Msg, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import { EntryFlag } from '../../protocol/flist/list.js';
import type { ByteString } from '../../protocol/options.js';
import { needsOwnerAccess } from '../files/attrs.js';
import { makeHardLink, makeSpecial, makeSymlink } from '../files/special.js';
import { FileStat, lstatInto, statInto } from '../files/stat.js';
import { isUnsafeLink } from '../files/unsafe-link.js';
import { errnoText } from '../report/errno.js';
import { ignoringUnsafeLink, isUptodate, skippingContents } from '../report/messages.js';
import type { Deleter } from './delete.js';
import type { HardLinks, WaitingMember } from './hard-links.js';
import type { Itemizer } from './itemize.js';
import type { Receiving } from './receiving.js';

/** Makes everything that needs no data: directories, symbolic links, devices, specials and hard links. */
export class EntryMaker {
  private readonly stat = new FileStat();
  /** Directories that could not be made: everything below them is left out. */
  private failedDir: ByteString | null = null;

  constructor(
    private readonly receiving: Receiving,
    private readonly itemizer: Itemizer,
    private readonly deleter: Deleter,
    private readonly links: HardLinks,
  ) {}

  /** True when a row lies below a directory that could not be made. */
  isBelowFailed(path: ByteString): boolean {
    return this.failedDir !== null && path.startsWith(this.failedDir);
  }

  /** --existing: nothing is made below a directory that is not there. */
  leaveOutBelow(row: number): void {
    this.failedDir = `${this.receiving.relativePath(row)}/`;
  }

  /** Reads the state of the destination of a row; errors other than "not there" are reported and give false. */
  look(row: number, st: FileStat): boolean {
    const { session } = this.receiving;
    const follow = session.options.keepDirlinks && session.list.isDir(row);
    let errno: number;
    try {
      const path = this.receiving.destPath(row);
      errno = lstatInto(path, st);
      if (errno === 0 && follow && st.isLink) {
        statInto(path, this.stat);
        if (this.stat.exists && this.stat.isDir) st.copyFrom(this.stat);
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
      st.exists = false;
      return true;
    }
    if (errno === 0 || !st.exists) return true;
    return true;
  }

  /** Takes away what is in the way of a row. False when it cannot go. */
  makeRoom(row: number, st: FileStat): boolean {
    if (!st.exists) return true;
    const { session } = this.receiving;
    const path = this.receiving.relativePath(row);
    if (this.deleter.makeRoom(path) !== 'gone') {
      session.log.xferError(
        `could not make way for new ${kindName(session.list.mode[row])}: ${this.receiving.shownName(row)}\n`,
      );
      return false;
    }
    st.exists = false;
    return true;
  }

  // --- directories -------------------------------------------------------------------------------------------------

  /** Makes a missing directory early, with no rights for others; `directory` sets the rest when its list is reached. */
  directoryEarly(row: number, st: FileStat): void {
    const { session } = this.receiving;
    if (st.exists && (st.isDir || !this.makeRoom(row, st))) return;
    if (session.options.dryRun) return;
    try {
      fs.mkdirSync(this.receiving.destPath(row), (session.list.mode[row] & 0o700) | 0o700);
      session.list.flags[row] |= EntryFlag.DIR_CREATED;
    } catch {
      // `directory` tries again and reports it.
    }
  }

  directory(ndx: number, row: number, st: FileStat): void {
    const { receiving, itemizer } = this;
    const { session, parts } = receiving;
    const { list, options: o } = session;
    if (st.exists && !st.isDir && !this.makeRoom(row, st)) {
      this.fail(row);
      return;
    }
    const created = (list.flags[row] & EntryFlag.DIR_CREATED) !== 0;
    const isNew = !st.exists || created;
    const ignoresAttributes = !o.impliedDirs && (list.flags[row] & EntryFlag.IMPLIED_DIR) !== 0;
    receiving.settleMode(row, isNew ? null : st);
    if (ignoresAttributes && !isNew) return;
    itemizer.announce(ndx, row, isNew ? null : st, isNew ? Item.LOCAL_CHANGE : 0, 0, null);
    if (o.dryRun) return;
    if (!st.exists && !this.mkdir(row)) return;
    const path = receiving.destPath(row);
    if (!ignoresAttributes) {
      if (isNew) lstatInto(path, st);
      parts.attrs.apply(path, list, row, st, { isNew, keepAccess: true });
      if ((o.times && !o.omitDirTimes) || needsOwnerAccess(list.mode[row], parts.isRoot)) {
        list.flags[row] |= EntryFlag.TOUCH_UP;
      }
    }
  }

  private mkdir(row: number): boolean {
    const { receiving } = this;
    const { session } = receiving;
    const mode = (session.list.mode[row] & 0o777) | 0o700;
    try {
      try {
        fs.mkdirSync(receiving.destPath(row), mode);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EEXIST') return true;
        if (code !== 'ENOENT' || !session.options.relative) throw error;
        fs.mkdirSync(receiving.parts.root.path(receiving.relativePath(row)), { recursive: true, mode });
      }
      session.list.flags[row] |= EntryFlag.DIR_CREATED;
      return true;
    } catch (error) {
      session.log.xferError(
        `rsync: [generator] recv_generator: mkdir "${receiving.shownPath(receiving.relativePath(row))}" failed: ${errnoText(error)}\n`,
      );
      this.fail(row);
      return false;
    }
  }

  private fail(row: number): void {
    const { session } = this.receiving;
    session.log.error(skippingContents());
    session.ioError |= IoError.GENERAL;
    this.failedDir = `${this.receiving.relativePath(row)}/`;
  }

  // --- links and specials ------------------------------------------------------------------------------------------

  symlink(ndx: number, row: number, st: FileStat): void {
    const { receiving } = this;
    const { session } = receiving;
    const target = session.list.targets[session.list.extra[row]];
    if (session.options.safeLinks && isUnsafeLink(target.toString('latin1'), receiving.relativePath(row))) {
      if (session.options.info.name >= 1) {
        session.log.info(ignoringUnsafeLink(receiving.shownName(row), target.toString('latin1')));
      }
      return;
    }
    let flags = Item.LOCAL_CHANGE | Item.REPORT_CHANGE;
    if (st.exists && st.isLink) {
      if (fs.readlinkSync(receiving.destPath(row), { encoding: 'buffer' }).equals(target)) {
        this.unchanged(ndx, row, st);
        return;
      }
    } else if (st.exists) {
      if (!this.makeRoom(row, st)) return;
    } else {
      flags = Item.LOCAL_CHANGE | Item.REPORT_CHANGE;
    }
    const existed = st.exists;
    this.create(ndx, row, st, flags, existed, (path) => makeSymlink(receiving.parts.root, path, target, existed));
  }

  special(ndx: number, row: number, st: FileStat): void {
    const { receiving } = this;
    const { list } = receiving.session;
    const rdev = list.extra[row] >= 0 ? list.rdevs[list.extra[row]] : { major: 0, minor: 0 };
    const mode = list.mode[row];
    if (st.exists) {
      const sameType = (st.mode & S_IFMT) === (mode & S_IFMT);
      const isDevice = st.isDevice;
      if (sameType && (!isDevice || (st.rdevMajor === rdev.major && st.rdevMinor === rdev.minor))) {
        this.unchanged(ndx, row, st);
        return;
      }
      if (!sameType && !this.makeRoom(row, st)) return;
    }
    const existed = st.exists;
    this.create(ndx, row, st, Item.LOCAL_CHANGE | Item.REPORT_CHANGE, existed, (path) =>
      makeSpecial(receiving.parts.root, path, mode, rdev.major, rdev.minor, existed),
    );
  }

  private create(
    ndx: number,
    row: number,
    st: FileStat,
    flags: number,
    existed: boolean,
    make: (path: ByteString) => void,
  ): void {
    const { receiving, itemizer } = this;
    const { session, parts } = receiving;
    const { list, options: o } = session;
    const path = receiving.relativePath(row);
    receiving.settleMode(row, existed ? st : null);
    if (!o.dryRun) {
      try {
        if (existed && parts.backup !== null) parts.backup.keep(path);
        make(path);
      } catch (error) {
        const call = list.isLink(row) ? 'symlink' : 'mknod';
        const shown = receiving.shownPath(path);
        const what = list.isLink(row)
          ? `symlink "${shown}" -> "${list.targets[list.extra[row]].toString('latin1')}"`
          : `${call} "${shown}"`;
        session.log.xferError(`rsync: [generator] ${what} failed: ${errnoText(error)}\n`);
        return;
      }
      const target = receiving.destPath(row);
      const made = this.stat;
      lstatInto(target, made);
      parts.attrs.apply(target, list, row, made, { isNew: true });
    }
    st.exists = existed;
    itemizer.announce(ndx, row, existed ? st : null, flags, 0, null);
    this.finished(ndx, row);
  }

  /** An item that is what it should be; only its attributes may have to change. */
  unchanged(ndx: number, row: number, st: FileStat): void {
    const { receiving, itemizer } = this;
    const { session, parts } = receiving;
    receiving.settleMode(row, st);
    itemizer.announce(ndx, row, st, 0, 0, null);
    const changed =
      !session.options.dryRun && parts.attrs.apply(receiving.destPath(row), session.list, row, st, { isNew: false });
    this.tellUnchanged(row, changed);
    this.finished(ndx, row);
  }

  /** -vv without -i: names of files that stay, or whose attributes alone had to change. */
  private tellUnchanged(row: number, changed: boolean): void {
    const { session } = this.receiving;
    const { options: o, log } = session;
    if ((o.info.name ?? 0) < 2 || (session.isServer ? o.serverLogFormat : o.outFormat).includes('%i')) return;
    const name = this.receiving.shownName(row);
    log.client(changed ? `${name}\n` : isUptodate(name));
  }

  /** An item is in place: members of its hard-link group follow, and the sender may remove it. */
  finished(ndx: number, row: number): void {
    const { session } = this.receiving;
    if (session.list.flags[row] & EntryFlag.HLINKED && session.options.hardLinks) this.linkOthers(row);
    if (session.options.removeSourceFiles && (session.list.mode[row] & S_IFMT) !== S_IFDIR && !session.options.dryRun) {
      session.sendNumber(Msg.SUCCESS, ndx);
    }
  }

  private linkOthers(row: number): void {
    const path = this.receiving.relativePath(row);
    for (const member of this.links.finish(row, path)) {
      this.linkMember(member, path);
      this.receiving.progressOf(member.ndx).inProgress--;
    }
  }

  /** Links one member of a group to a finished one. */
  linkMember(member: WaitingMember, to: ByteString): void {
    const { receiving, itemizer } = this;
    const { session, parts } = receiving;
    const { ndx, row } = member;
    const st = new FileStat();
    this.look(row, st);
    const leader = this.stat;
    const leaderPath = parts.root.path(to);
    const path = receiving.relativePath(row);
    const xname = Buffer.from(to, 'latin1');
    if (!session.options.dryRun || st.exists) lstatInto(leaderPath, leader);
    if (st.exists && leader.exists && st.ino === leader.ino && st.dev === leader.dev) {
      itemizer.announce(ndx, row, st, 0, 0, null);
      this.reportSuccess(ndx);
      return;
    }
    const existed = st.exists;
    if (existed && st.isDir && !this.makeRoom(row, st)) return;
    if (!session.options.dryRun) {
      try {
        if (existed && parts.backup !== null) parts.backup.keep(path);
        makeHardLink(parts.root, to, path, st.exists);
      } catch (error) {
        const shown = `"${receiving.shownPath(path)}" => ${receiving.shownName(row) === path ? to : to}`;
        session.log.xferError(`rsync: [generator] link ${shown} failed: ${errnoText(error)}\n`);
        return;
      }
    }
    itemizer.announce(ndx, row, existed ? st : null, Item.LOCAL_CHANGE | Item.XNAME_FOLLOWS, 0, xname);
    this.reportSuccess(ndx);
  }

  private reportSuccess(ndx: number): void {
    const { session } = this.receiving;
    if (session.options.removeSourceFiles && !session.options.dryRun) session.sendNumber(Msg.SUCCESS, ndx);
  }
}

function kindName(mode: number): string {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 'regular file';
    case S_IFDIR:
      return 'directory';
    case S_IFLNK:
      return 'symlink';
    default:
      return 'special file';
  }
}
