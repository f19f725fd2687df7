import { closeSync, constants, openSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { Exit, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { Errno, errnoOf, systemError } from '../libc/errno.js';
import { getXattr, removeXattr, setXattr } from '../libc/xattrs.js';
import type { Root } from './root.js';
import { chmodNoFollow } from './set.js';
import { FileStat, lstatInto } from './stat.js';
import { createAtomically } from './temp.js';

/*
 * --fake-super (protocol description, 12.5): owner, type and mode that this process may not give to a file are kept in
 * an extended attribute, as text "MODE MAJOR,MINOR UID:GID", the mode octal and the rest decimal. Devices, specials
 * and symlinks are regular files; a symlink's target is its content.
 */
const STAT_ATTRIBUTE = 'user.rsync.%stat';
const FORM = /^([0-7]+) (\d+),(\d+) (\d+):(\d+)$/;
const PERMISSION_BITS = 0o7777;
const MAX_TARGET = 4096;

/** What a file pretends to be. */
export interface FakeStat {
  mode: number;
  major: number;
  minor: number;
  uid: number;
  gid: number;
}

/** The text of the attribute; null when it cannot be read as such. */
export function parseFakeStat(text: string): FakeStat | null {
  const found = FORM.exec(text);
  if (found === null) return null;
  const [mode, major, minor, uid, gid] = [Number.parseInt(found[1], 8), ...found.slice(2).map(Number)];
  return mode > 0o177777 || Math.max(major, minor, uid, gid) > 0xffff_ffff ? null : { mode, major, minor, uid, gid };
}

function readAttribute(path: Buffer): FakeStat | null {
  let value: Buffer | null;
  try {
    value = getXattr(path, STAT_ATTRIBUTE);
  } catch (error) {
    const errno = errnoOf(error);
    // A file system without attributes, or a real link: nothing is pretended there.
    if (errno === Errno.EOPNOTSUPP || errno === Errno.EPERM) return null;
    throw error;
  }
  if (value === null) return null;
  const text = value.toString('latin1');
  const fake = parseFakeStat(text);
  if (fake !== null) return fake;
  const name = path.toString('latin1');
  throw new RsyncError(Exit.FILEIO, `Corrupt ${STAT_ATTRIBUTE} xattr attached to ${name}: "${text}"`);
}

/** Like `lstatInto`, but says what the file pretends to be. */
export function lstatFake(path: Buffer, st: FileStat): number {
  const errno = lstatInto(path, st);
  if (errno !== 0 || !(st.isRegular || st.isDir)) return errno;
  const fake = readAttribute(path);
  if (fake === null) return 0;
  st.mode = fake.mode;
  st.rdevMajor = fake.major;
  st.rdevMinor = fake.minor;
  st.uid = fake.uid;
  st.gid = fake.gid;
  return 0;
}

const real = new FileStat();

/**
 * Makes a file pretend: its real mode gets the ordinary permissions, always with the owner's; the attribute says the
 * rest, and goes away when there is no rest. Throws errno errors.
 */
export function storeFakeStat(path: Buffer, fake: FakeStat): void {
  const errno = lstatInto(path, real);
  if (errno !== 0) throw systemError(errno, 'lstat');
  const type = real.mode & S_IFMT;
  const mode = type | (fake.mode & 0o777) | (type === S_IFDIR ? 0o700 : 0o600);
  if (type !== S_IFLNK && (real.mode & PERMISSION_BITS) !== (mode & PERMISSION_BITS)) {
    chmodNoFollow(path, mode & PERMISSION_BITS);
  }
  const isDevice = (fake.mode & S_IFMT) === S_IFCHR || (fake.mode & S_IFMT) === S_IFBLK;
  const [major, minor] = isDevice ? [fake.major, fake.minor] : [0, 0];
  try {
    if (mode === fake.mode && !isDevice && real.uid === fake.uid && real.gid === fake.gid) {
      forgetFakeStat(path, type);
      return;
    }
    const text = `${fake.mode.toString(8)} ${major},${minor} ${fake.uid}:${fake.gid}`;
    setXattr(path, STAT_ATTRIBUTE, Buffer.from(text, 'latin1'));
  } catch (error) {
    // Linux keeps no user attributes on a real link.
    if (type === S_IFLNK && errnoOf(error) === Errno.EPERM) return;
    throw error;
  }
}

function forgetFakeStat(path: Buffer, type: number): void {
  try {
    removeXattr(path, STAT_ATTRIBUTE);
  } catch (error) {
    // What is no file or directory cannot have had one.
    if (type === S_IFREG || type === S_IFDIR || errnoOf(error) !== Errno.EPERM) throw error;
  }
}

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** A regular file that is to stand for a device, special or, with its target as content, a symlink. */
export function makeFake(root: Root, path: ByteString, content: Uint8Array, exists: boolean): void {
  createAtomically(root, path, exists, (at) => {
    const fd = openSync(at, CREATE, 0o600);
    try {
      if (content.length > 0) writeSync(fd, content);
    } finally {
      closeSync(fd);
    }
  });
}

/**
 * The target of a symlink, or of a regular file that stands for one; too long a one is an error (ENAMETOOLONG). A receiver
 * replaces real links: there they have no target.
 */
export function readFakeLink(path: Buffer, isReceiver = false): Buffer {
  if (lstatInto(path, real) === 0 && real.isLink) {
    return isReceiver ? Buffer.alloc(0) : readlinkSync(path, 'buffer');
  }
  if ((real.mode & S_IFMT) !== S_IFREG || real.size >= MAX_TARGET) throw systemError(36, 'readlink');
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
