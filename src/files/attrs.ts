import { fchownSync, lchownSync } from 'node:fs';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT } from '../../protocol/constants.js';
import type { Rows } from '../../protocol/flist/rows.js';
import type { Options } from '../../protocol/options.js';
import { changeMode } from '../libc/files.js';
import { type ChmodRule, PERMISSION_BITS, tweakMode } from './chmod.js';
import { storeFakeStat } from './fake-super.js';
import type { IdMap } from './ids.js';
import { needsOwnerAccess, OWNER_RWX } from './modes.js';
import type { Reporter } from './report.js';
import { chmodNoFollow, setFileTimes } from './set.js';
import { FileStat, fstatInto, lstatInto } from './stat.js';
import { sameTime } from './times.js';

const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o010;
const NO_DEVICE = { major: 0, minor: 0 };
/** The numbers that chown() takes for "leave it alone"; no file can have them. */
const NO_ID = 0xffff_ffff;

/** A path with a slash behind it means the directory itself, never a link to it. */
function inside(path: Buffer): Buffer {
  return Buffer.concat([path, Buffer.of(0x2f)]);
}

/** What the caller knows about the item whose attributes are set. */
export interface AttributeKind {
  /** Created in this run (a directory created without -p keeps an inherited set-group-id bit). */
  isNew: boolean;
  /** The content was just written or verified: times are set even when they are within the modify window. */
  exactTimes?: boolean;
  /** Times are not to be set: the content did not verify, or directories' times come later. */
  skipTimes?: boolean;
  /** An open descriptor of the file: everything is done through it. -1 or absent: by path. */
  fd?: number;
  /** With -X, extended attributes are set as well; else that is done when the sender has answered (12.4). */
  withXattrs?: boolean;
  /** They were set before in this run: what fails was told then. */
  isAgain?: boolean;
  /** Keeps a directory open to its owner for now (see `needsOwnerAccess`); the caller sets the mode again later. */
  keepAccess?: boolean;
}

/** Sets what of a file's attributes stands in no column of its row. */
export interface FurtherAttributes {
  /** Gives a row's file, whose state is `st`, its extended attributes (-X). */
  setXattrs(path: Buffer, row: number, st: FileStat): void;
  /**
   * Gives a row's file, which is no link and has the mode `from`, its access control lists (-A), as they are to be under the mode
   * `to`. Returns the mode that it has then, and whether anything had to be set.
   */
  setAcls(path: Buffer, list: Rows, row: number, from: number, to: number): { mode: number; hasChanged: boolean };
}

/** What `apply` changed, as bits in `AttributeSetter.changed`. */
export const Changed = { OWNER: 1, GROUP: 2, MTIME: 4, ATIME: 8, MODE: 16, ACL: 32 } as const;

/** What stands around the name of a file whose attribute could not be set. */
const FAILED = {
  owner: ['chown', ' failed'],
  group: ['chgrp', ' failed'],
  times: ['failed to set times on', ''],
  mode: ['failed to set permissions on', ''],
} as const;

/** Where an `AttributeSetter` works. */
export interface SetterSettings {
  isRoot: boolean;
  /** A daemon's "incoming chmod". */
  moduleChmod?: readonly ChmodRule[];
  /** A link that stands for a directory (-K) passes permissions on; only in a tree whose links may be followed. */
  followsDirlinks?: boolean;
  /** Null or absent: there are none. */
  further?: FurtherAttributes | null;
}

/** Gives files owner, group, permissions and times of their rows in the list, as far as the options say. */
export class AttributeSetter {
  /** `Changed` bits of the last `apply`. */
  changed = 0;
  private readonly isRoot: boolean;
  private readonly moduleChmod: readonly ChmodRule[];
  private readonly followsDirlinks: boolean;
  private readonly further: FurtherAttributes | null;
  private readonly now = new FileStat();
  private readonly given = new FileStat();
  private isQuiet = false;
  /** Mode of the file as far as known; chown may change it. */
  private presentMode = 0;

  constructor(
    private readonly o: Options,
    private readonly ids: IdMap,
    private readonly reporter: Reporter,
    how: SetterSettings,
  ) {
    this.isRoot = how.isRoot;
    this.moduleChmod = how.moduleChmod ?? [];
    this.followsDirlinks = how.followsDirlinks ?? false;
    this.further = how.further ?? null;
  }

  /** True when files do not get the permissions that the list says. */
  get tweaksModes(): boolean {
    return this.moduleChmod.length > 0;
  }

  /**
   * Makes the attributes of `path` equal to row `row`; `st` is its present state. Links are never followed. Order as
   * rsync: owner, times, permissions (chown takes away set-id bits, so permissions come last). Without -p the caller
   * has put `destMode` into the list, or gives it as `mode`. Returns true when something was changed. What fails is
   * reported and ends the work on this file. With --dry-run it returns what it would, and changes nothing.
   */
  apply(
    path: Buffer,
    list: Rows,
    row: number,
    st: FileStat,
    kind: AttributeKind,
    mode: number = list.mode(row),
  ): boolean {
    this.changed = 0;
    this.isQuiet = kind.isAgain === true;
    const fd = kind.fd ?? -1;
    const wanted = this.wantedMode(mode, st, kind);
    if (this.o.fakeSuper) return this.applyFake(path, fd, list, row, st, kind, wanted);
    if (!this.setOwner(path, fd, list, row, st)) return false;
    if (kind.withXattrs === true) this.further?.setXattrs(path, row, st);
    if (!this.setTimes(path, fd, list, row, st, kind)) return this.changed !== 0;
    this.presentMode = this.setAcls(path, list, row, this.presentMode, wanted);
    this.setMode(path, fd, list, row, wanted);
    return this.changed !== 0;
  }

  /** The mode that the file has afterwards. */
  private setAcls(path: Buffer, list: Rows, row: number, from: number, to: number): number {
    if (!this.o.acls || this.further === null || (to & S_IFMT) === S_IFLNK) return from;
    const { mode, hasChanged } = this.further.setAcls(path, list, row, from, to);
    if (hasChanged) this.changed |= Changed.ACL;
    return mode;
  }

  /** --fake-super: owner, type and mode are kept beside the file; `st` is what it pretends to be now. */
  private applyFake(
    path: Buffer,
    fd: number,
    list: Rows,
    row: number,
    st: FileStat,
    kind: AttributeKind,
    mode: number,
  ): boolean {
    const { o, ids } = this;
    const type = mode & S_IFMT;
    const isDevice = type === S_IFCHR || type === S_IFBLK;
    const device = isDevice ? { major: list.major(row), minor: list.minor(row) } : NO_DEVICE;
    const uid = o.owner ? ids.uid(list.uid(row)) : st.uid;
    const gid = o.group ? ids.gid(list.gid(row)) : st.gid;
    try {
      if (!o.dryRun) storeFakeStat(path, { mode, major: device.major, minor: device.minor, uid, gid });
    } catch (error) {
      this.reporter.problem(`failed to write xattr user.rsync.%stat for ${this.name(list, row)}`, error);
      return false;
    }
    if (kind.withXattrs === true) this.further?.setXattrs(path, row, st);
    if (uid !== st.uid) this.changed |= Changed.OWNER;
    if (gid !== st.gid) this.changed |= Changed.GROUP;
    if (((mode ^ st.mode) & PERMISSION_BITS) !== 0) this.changed |= Changed.MODE;
    this.setTimes(path, fd, list, row, st, kind);
    this.setAcls(path, list, row, st.mode, mode);
    return this.changed !== 0;
  }

  /** False when a row's file is to belong to the one number that nobody can have. */
  hasPossibleOwner(list: Rows, row: number): boolean {
    const { o, ids } = this;
    if (o.owner && this.isRoot && ids.uid(list.uid(row)) === NO_ID) return false;
    return !(o.group && ids.maySetGroup(list.gid(row)) && ids.gid(list.gid(row)) === NO_ID);
  }

  /** The user that a file of this row is to belong to; -1 when it stays as it is. */
  wantedUid(list: Rows, row: number): number {
    return this.o.owner && this.isRoot ? this.ids.uid(list.uid(row)) | 0 : -1;
  }

  wantedGid(list: Rows, row: number): number {
    return this.o.group && this.ids.maySetGroup(list.gid(row)) ? this.ids.gid(list.gid(row)) | 0 : -1;
  }

  /** True when `apply` is going to change the owner or the group of a row's file, whose state is `st`. */
  changesOwner(list: Rows, row: number, st: FileStat): boolean {
    const uid = this.wantedUid(list, row);
    const gid = this.wantedGid(list, row);
    return (uid !== -1 && uid !== (st.uid | 0)) || (gid !== -1 && gid !== (st.gid | 0));
  }

  /**
   * A file's state when its owner alone was set, where that changes its bits: `st` with the new owner and without set-id
   * bits. rsync looks again at such a file before it says what changes; of others it tells what they were.
   */
  afterOwner(list: Rows, row: number, st: FileStat): FileStat {
    if ((st.mode & (S_ISUID | S_ISGID)) === 0 || st.isDir || this.o.fakeSuper) return st;
    const uid = this.wantedUid(list, row);
    const gid = this.wantedGid(list, row);
    if ((uid === -1 || uid === st.uid) && (gid === -1 || gid === st.gid)) return st;
    const { given } = this;
    given.copyFrom(st);
    if (uid !== -1) given.uid = uid;
    if (gid !== -1) given.gid = gid;
    // Without execution by the group, the set-group-id bit means something else and stays.
    given.mode &= (st.mode & S_IXGRP) !== 0 ? ~(S_ISUID | S_ISGID) : ~S_ISUID;
    return given;
  }

  private wantedMode(mode: number, st: FileStat, kind: AttributeKind): number {
    let wanted = mode;
    if (kind.isNew && !this.o.perms && (mode & S_IFMT) === S_IFDIR && (st.mode & S_ISGID) !== 0) wanted |= S_ISGID;
    if (this.moduleChmod.length > 0 && (wanted & S_IFMT) !== S_IFLNK) wanted = tweakMode(wanted, this.moduleChmod);
    if (kind.keepAccess === true && needsOwnerAccess(wanted, this.isRoot)) wanted |= OWNER_RWX;
    this.presentMode = st.mode;
    return wanted;
  }

  /** False when it failed. */
  private setOwner(path: Buffer, fd: number, list: Rows, row: number, st: FileStat): boolean {
    const { o, ids } = this;
    const uid = o.owner && this.isRoot ? ids.uid(list.uid(row)) : st.uid;
    const gid = o.group && ids.maySetGroup(list.gid(row)) ? ids.gid(list.gid(row)) : st.gid;
    const changeUid = uid !== st.uid;
    const changeGid = gid !== st.gid;
    if (!changeUid && !changeGid) return true;
    try {
      if (!o.dryRun) {
        if (fd >= 0) fchownSync(fd, uid, gid);
        else lchownSync(path, uid, gid);
      }
    } catch (error) {
      this.failed(changeUid ? 'owner' : 'group', list, row, error);
      return false;
    }
    if (changeUid && uid === NO_ID) this.impossible('uid', list, row);
    if (changeGid && gid === NO_ID) this.impossible('gid', list, row);
    if ((st.mode & (S_ISUID | S_ISGID)) !== 0) {
      const errno = fd >= 0 ? fstatInto(fd, this.now) : lstatInto(path, this.now);
      if (errno === 0) this.presentMode = this.now.mode;
    }
    this.changed |= (changeUid ? Changed.OWNER : 0) | (changeGid ? Changed.GROUP : 0);
    return true;
  }

  private impossible(what: string, list: Rows, row: number): void {
    this.reporter.failure(`${what} 4294967295 (-1) is impossible to set on ${this.name(list, row)}`);
  }

  /** False when it failed. */
  private setTimes(path: Buffer, fd: number, list: Rows, row: number, st: FileStat, kind: AttributeKind): boolean {
    const { o } = this;
    const type = st.mode & S_IFMT;
    if (kind.skipTimes === true) return true;
    if (type === S_IFDIR ? o.omitDirTimes : type === S_IFLNK && o.omitLinkTimes) return true;
    const exact = kind.exactTimes === true;
    const window = exact ? -1 : o.modifyWindow;
    const setM = o.times && !sameTime(list.mtime(row), list.nsec(row), st.mtime, st.nsec, window);
    const wantA = o.atimes > 0 && type !== S_IFDIR;
    const setA = wantA && (exact || !sameTime(st.atime, 0, list.atime(row), 0, window));
    if (!setM && !setA) return true;
    try {
      if (!o.dryRun)
        setFileTimes(path, fd, st, setA ? list.atime(row) : null, setM ? list.mtime(row) : null, list.nsec(row));
    } catch (error) {
      this.failed('times', list, row, error);
      return false;
    }
    this.changed |= (setM ? Changed.MTIME : 0) | (setA ? Changed.ATIME : 0);
    return true;
  }

  private setMode(path: Buffer, fd: number, list: Rows, row: number, wanted: number): void {
    // Linux has no permissions of links.
    if (((this.presentMode ^ wanted) & PERMISSION_BITS) === 0 || (wanted & S_IFMT) === S_IFLNK) return;
    try {
      if (!this.o.dryRun) {
        if (fd >= 0) changeMode(fd, wanted & PERMISSION_BITS);
        else if (this.followsDirlinks && (wanted & S_IFMT) === S_IFDIR)
          chmodNoFollow(inside(path), wanted & PERMISSION_BITS);
        else chmodNoFollow(path, wanted & PERMISSION_BITS);
      }
      this.changed |= Changed.MODE;
    } catch (error) {
      this.failed('mode', list, row, error);
    }
  }

  private failed(what: keyof typeof FAILED, list: Rows, row: number, error: unknown): void {
    if (!this.isQuiet) this.tellFailed(what, list, row, error);
  }

  /** Tells what could not be set on a row's file. */
  tellFailed(what: keyof typeof FAILED, list: Rows, row: number, error: unknown): void {
    const [before, after] = FAILED[what];
    this.reporter.problem(`${before} ${this.name(list, row)}${after}`, error);
  }

  private name(list: Rows, row: number): string {
    return this.reporter.fullName(list.path(row));
  }
}
