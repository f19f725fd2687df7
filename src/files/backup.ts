import { lchownSync, linkSync, mkdirSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import type { ByteString, Options } from '../../protocol/options.js';
import { Errno, errnoOf, systemError } from '../libc/errno.js';
import { mknod } from '../libc/libc.js';
import { makeDirectories } from './directories.js';
import { removeTree } from './remove.js';
import type { Root } from './root.js';
import { chmodNoFollow, setFileTimes } from './set.js';
import { unmungeTarget } from './special.js';
import { FileStat, lstatInto } from './stat.js';
import { copyFileTo } from './temp.js';
import { isUnsafeLink } from './unsafe-link.js';

/** What became of the old file: its name is free now, it is still there as well, or there was nothing to keep. */
export type BackupResult = 'moved' | 'kept' | 'none';

/** What `Backup` needs of the options. */
export type BackupOptions = Pick<
  Options,
  | 'backupDir'
  | 'suffix'
  | 'owner'
  | 'group'
  | 'times'
  | 'omitDirTimes'
  | 'links'
  | 'safeLinks'
  | 'mungeLinks'
  | 'devices'
  | 'specials'
>;

/** Who is told about backups, and helps with them. */
export interface BackupOwner {
  /** A backup was made: the two names. */
  onBackup?(from: ByteString, to: ByteString): void;
  /** --safe-links: a link is not kept, with its target. */
  onUnsafe?(path: ByteString, target: ByteString): void;
  /** Gives a copy, whose state is `st`, what its original `name` has besides owner, mode and times. */
  copyFurther?(from: Buffer, to: Buffer, st: FileStat, name: ByteString): void;
}

/**
 * Keeps what a transfer replaces or deletes (--backup): under the same name with a suffix, or below --backup-dir, whose
 * directories are made as they are needed and look like those that the files come from. All names are relative to the
 * root, those of backups below --backup-dir to its `options`. Errors are thrown as errno errors: the old file is then
 * untouched.
 */
export class Backup {
  private readonly st = new FileStat();
  private readonly other = new FileStat();
  /** Directory below the backup directory that is known to be there. */
  private lastDir: ByteString | null = null;
  /** Where backups are. */
  private readonly target: Root;

  constructor(
    private readonly root: Root,
    private readonly o: BackupOptions,
    private readonly isRoot: boolean,
    private readonly owner: BackupOwner = {},
  ) {
    this.target = o.backupDir === '' ? root : root.options;
  }

  /** True for a name that is itself a backup made beside its file: such a file is deleted without another backup. */
  isBackupName(path: ByteString): boolean {
    const { backupDir, suffix } = this.o;
    return backupDir === '' && path.length > suffix.length && path.endsWith(suffix);
  }

  /** Name of the backup of a file. */
  nameFor(path: ByteString): ByteString {
    const { backupDir, suffix } = this.o;
    return backupDir === '' ? path + suffix : `${backupDir.replace(/\/+$/, '')}/${path}${suffix}`;
  }

  /** The same as a path for file calls. */
  pathFor(path: ByteString): Buffer {
    return this.target.path(this.nameFor(path));
  }

  /** Moves a file away: for one that is deleted. */
  save(path: ByteString): BackupResult {
    return this.make(path, true, false);
  }

  /** Gives a file a second name where that is possible: for one that is replaced, so that its name is never missing. */
  keep(path: ByteString): BackupResult {
    return this.make(path, false, false);
  }

  /** Copies a file: for one that is changed in place. */
  copyOf(path: ByteString): BackupResult {
    return this.make(path, false, true);
  }

  private make(path: ByteString, move: boolean, copy: boolean): BackupResult {
    const { root, st } = this;
    const errno = lstatInto(root.path(path), st);
    if (errno === Errno.ENOENT) return 'none';
    if (errno !== 0) throw systemError(errno, 'lstat');
    if (st.isLink && this.isUnsafe(path)) return 'none';
    const name = this.nameFor(path);
    if (name.length >= 4096) throw systemError(36, 'open');
    this.prepareDirectory(path);
    const result = (copy ? null : this.linkOrMove(path, name, move)) ?? this.copy(path, name);
    if (result !== 'none') this.owner.onBackup?.(path, name);
    return result;
  }

  /** --safe-links: a link that leads out of the tree is not kept, as none is made. */
  private isUnsafe(path: ByteString): boolean {
    const { o } = this;
    if (!o.links || !o.safeLinks) return false;
    const stored = readlinkSync(this.root.path(path), 'buffer');
    const target = (o.mungeLinks ? unmungeTarget(stored) : stored).toString('latin1');
    if (!isUnsafeLink(target, path)) return false;
    this.owner.onUnsafe?.(path, target);
    return true;
  }

  /** null: neither is possible, as between file systems. */
  private linkOrMove(path: ByteString, name: ByteString, move: boolean): BackupResult | null {
    const { root, target, st } = this;
    for (let tries = 0; tries < 2; tries++) {
      try {
        if (!move) {
          linkSync(root.path(path), target.path(name));
          return 'kept';
        }
        this.rename(path, name);
        return 'moved';
      } catch (error) {
        const errno = errnoOf(error);
        if (errno === Errno.EEXIST || errno === Errno.EISDIR || errno === Errno.ENOTDIR) this.clear(name);
        else if (move || errno === Errno.EXDEV || !st.isRegular) return null;
        else return this.moveInstead(path, name);
      }
    }
    return null;
  }

  /** A file system without hard links: moving is better than copying. */
  private moveInstead(path: ByteString, name: ByteString): BackupResult | null {
    try {
      this.rename(path, name);
      return 'moved';
    } catch {
      return null;
    }
  }

  private rename(path: ByteString, name: ByteString): void {
    const { root, target, st } = this;
    renameSync(root.path(path), target.path(name));
    if (st.nlink < 2 || st.isDir) return;
    // When both are names of one file, rename() does nothing.
    try {
      unlinkSync(root.path(path));
    } catch (error) {
      if (errnoOf(error) !== Errno.ENOENT) throw error;
    }
  }

  /** Makes way for a backup; what cannot go is thrown. */
  private clear(name: ByteString): void {
    const fail = (_call: string, _path: ByteString, error: unknown) => {
      throw error;
    };
    removeTree(this.target, name, {
      recurse: true,
      oneFileSystem: true,
      isRoot: this.isRoot,
      protect: null,
      onDelete: null,
      onNotEmpty: null,
      onError: fail,
    });
  }

  private copy(path: ByteString, name: ByteString): BackupResult {
    const { root, target, st, o } = this;
    const source = root.path(path);
    if (st.isRegular) {
      const kept = new FileStat();
      kept.copyFrom(st);
      copyFileTo(target, source, name, (temp) => this.copyAttributes(temp, kept, path));
      return 'kept';
    }
    if (st.isLink ? !o.links : st.isDevice ? !(o.devices && this.isRoot) : !o.specials) return 'none';
    this.clear(name);
    if (st.isLink) symlinkSync(readlinkSync(source, 'buffer'), target.path(name));
    else mknod(target.path(name), st.mode, st.rdevMajor, st.rdevMinor);
    this.copyAttributes(target.path(name), st, path);
    return 'kept';
  }

  /** Gives a copy the owner, mode and times of the original `name`, as far as the options keep those. */
  private copyAttributes(path: Buffer, from: FileStat, name: ByteString): void {
    const { o, other } = this;
    if (lstatInto(path, other) !== 0) return;
    const uid = o.owner && this.isRoot ? from.uid : other.uid;
    const gid = o.group ? from.gid : other.gid;
    if (uid !== other.uid || gid !== other.gid) lchownSync(path, uid, gid);
    this.owner.copyFurther?.(this.root.path(name), path, other, name);
    if (o.times && !(from.isDir && o.omitDirTimes)) setFileTimes(path, -1, other, null, from.mtime, from.nsec);
    if (!from.isLink) chmodNoFollow(path, from.mode & 0o7777);
  }

  /** Makes the directories of a backup below --backup-dir. Anything else in their place is removed. */
  private prepareDirectory(path: ByteString): void {
    const backupDir = this.o.backupDir.replace(/\/+$/, '');
    if (backupDir === '') return;
    const slash = path.lastIndexOf('/');
    const dir = slash < 0 ? '' : path.slice(0, slash);
    if (this.lastDir === dir) return;
    if (this.lastDir === null) makeDirectories(this.target, backupDir);
    for (let end = 0; end >= 0 && dir !== ''; ) {
      end = dir.indexOf('/', end + 1);
      const part = end < 0 ? dir : dir.slice(0, end);
      if (this.lastDir === part || this.lastDir?.startsWith(`${part}/`)) continue;
      this.makeOne(part, `${backupDir}/${part}`);
    }
    this.lastDir = dir;
  }

  private makeOne(source: ByteString, name: ByteString): void {
    const { root, target, other } = this;
    const at = target.path(name);
    if (lstatInto(at, other) === 0) {
      if (other.isDir) return;
      this.clear(name);
    }
    mkdirSync(target.path(name), 0o777);
    const from = new FileStat();
    if (lstatInto(root.path(source), from) !== 0 || !from.isDir) return;
    try {
      this.copyAttributes(target.path(name), from, source);
    } catch {
      // The backup matters more than the looks of its directory.
    }
  }
}
