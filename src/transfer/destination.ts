import fs from 'node:fs';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { EntryFlag, rowAt } from '../../protocol/flist/list.js';
import type { ByteString } from '../../protocol/options.js';
import { Root } from '../files/root.js';
import { FileStat, lstatInto, statInto } from '../files/stat.js';
import { Errno, errnoOf, systemError } from '../libc/errno.js';
import { errnoText } from '../report/errno.js';
import { createdDirectory, createdPath, foreignLink, fullName } from '../report/messages.js';
import type { Session } from '../session/session.js';

const HERE = Buffer.from('/.');

/** Where received files go. */
export interface Destination {
  root: Root;
  /** Absolute path of the root, for messages. */
  shown: ByteString;
  /** Name for a single file whose destination is not a directory. */
  localName: ByteString | null;
  /** The destination is made only in thought: a dry run into a directory that does not exist. */
  missing: boolean;
  /** Path of the root below a module's, without slashes at its ends; '' for the module's root and without a module. */
  below: ByteString;
}

/** A destination that was there before the list had come. */
export interface FoundDestination extends Destination {
  /** What is at its place now is the same directory. If not, this one is closed. */
  confirm(): boolean;
}

/** A module's tree, in which the destination of a daemon lies. */
export interface DestinationBase {
  /** Absolute directory that relative destinations start from. */
  cwd: ByteString;
  confined: Root | null;
  /** This is a daemon's module: `cwd` is its root. */
  isModule?: boolean;
  /** Name of a daemon's module, for messages. */
  module?: ByteString | null;
  /**
   * Path of a module that is no root of its own, for directories that options name from there; other messages tell what lies
   * in it as from its root. Null or absent for a root.
   */
  innerRoot?: ByteString | null;
  /** Tells which names of a module its own filters hide; null or absent when there are none. */
  hides?: ((path: ByteString, isDir: boolean) => boolean) | null;
}

/**
 * Finds or makes the destination (it depends on the file list: a single file may be given another name).
 * Errors: exit code 3 when it is no directory but should be, 11 when it cannot be made.
 */
export function openDestination(session: Session, dest: ByteString, base: DestinationBase): Destination {
  const { options: o, log } = session;
  const { path, whole, relative } = placeOf(dest, base);
  const trailing = /(^|\/)\.?$/.test(path);
  const total = countEntries(session);
  const st = new FileStat();
  const name = base.isModule === true ? `/${tidy(relative)}` : path.replace(/(.)\/+$/, '$1');
  const shownName = (where: ByteString) => nameIn(base, where);
  let errno = look(base, whole, relative, st);
  if (errno === Errno.ENOENT && o.mkpath && (total > 1 || path.includes('/'))) {
    if (makePath(session, base, relative, name, total > 1 || trailing)) errno = look(base, whole, relative, st);
  }
  if (errno === 0 && st.exists && st.isDir) return inside(session, base, whole, relative, null, false);
  if (errno === 0 && st.exists) {
    if (total > 1)
      throw new RsyncError(Exit.FILESELECT, 'ERROR: destination must be a directory when copying more than 1 file');
    if (firstIsDirectory(session))
      throw new RsyncError(Exit.FILESELECT, 'ERROR: cannot overwrite non-directory with a directory');
  } else if (errno !== Errno.ENOENT) {
    const text = `ERROR: cannot stat destination ${shownName(whole)}: ${errnoText(errno)}`;
    throw new RsyncError(Exit.FILESELECT, `rsync: [Receiver] ${text}`);
  }
  if (total > 1 || trailing) {
    if (!o.dryRun) makeDirectory(base, whole, relative, shownName(whole.replace(/(.)\/+$/, '$1')));
    markCreated(session);
    if (tellsCreation(session)) log.info(createdDirectory(base.confined === null ? name : tidy(relative)));
    return inside(session, base, whole.replace(/(.)\/+$/, '$1'), relative, null, o.dryRun, '#2');
  }
  const slash = whole.replace(/\/+$/, '').lastIndexOf('/');
  const parent = slash <= 0 ? '/' : whole.slice(0, slash);
  const relativeSlash = relative.lastIndexOf('/');
  const relativeParent = relativeSlash < 0 ? '' : relative.slice(0, relativeSlash);
  const localName = whole.slice(slash + 1);
  const errnoParent = look(base, parent, relativeParent, st, '#3');
  if (errnoParent === 0 && st.exists) return inside(session, base, parent, relativeParent, localName, false);
  if (o.dryRun && o.mkpath) return inside(session, base, parent, relativeParent, localName, true);
  const why = errnoText(errnoParent);
  throw new RsyncError(Exit.FILESELECT, `rsync: [Receiver] change_dir#3 ${shownName(parent)} failed: ${why}`);
}

/** The destination as it was named, from the root of the system, and from the module. Exit code 3 for one that is excluded. */
function placeOf(dest: ByteString, base: DestinationBase) {
  const path = dest === '' ? '.' : dest;
  const whole = path.startsWith('/') && base.confined === null ? path : joinPath(base.cwd, path);
  const relative = path.replace(/^\/+/, '').replace(/\/+$/, '');
  const plainName = relative.replace(/(^|\/)\.$/, '');
  if (base.hides?.(plainName, false) || base.hides?.(plainName, true)) {
    throw new RsyncError(Exit.FILESELECT, `ERROR: daemon has excluded destination "${path}"`);
  }
  return { path, whole, relative };
}

/**
 * The destination in a module, when it is a directory already: what the list says makes no difference to it then. Null for
 * whatever else there is; `openDestination` says what is wrong with it, once the list has come.
 */
export function openExisting(session: Session, dest: ByteString, base: DestinationBase): FoundDestination | null {
  if (base.isModule !== true) return null;
  const [found, now] = [new FileStat(), new FileStat()];
  try {
    const { whole, relative } = placeOf(dest, base);
    if (look(base, whole, relative, found) !== 0 || !found.exists || !found.isDir) return null;
    const opened = inside(session, base, whole, relative, null, false);
    const place = Buffer.from(whole, 'latin1');
    const confirm = (): boolean => {
      if (found.exists && statInto(place, now) === 0 && now.ino === found.ino && now.dev === found.dev) return true;
      opened.root.close();
      // Directories on the way to it may be others, too.
      base.confined?.forget(components(relative)[0] ?? '');
      return false;
    };
    statInto(opened.root.path('.'), found);
    return confirm() ? { ...opened, confirm } : null;
  } catch {
    return null;
  }
}

/** The lines about directories that are made for the destination are wanted. */
function tellsCreation({ options: o, isServer }: Session): boolean {
  return (o.info.name ?? 0) >= 1 || (isServer ? o.serverLogFormat : (o.outFormat ?? '')).includes('%i');
}

/**
 * --mkpath: makes the directories that lead to the destination, and with `whole` that itself. True when any of them was
 * missing; a dry run only counts them.
 */
function makePath(
  session: Session,
  base: DestinationBase,
  relative: ByteString,
  name: ByteString,
  whole: boolean,
): boolean {
  const { options: o, log } = session;
  const isAbsolute = name.startsWith('/') && base.confined === null;
  const parts = tidy(relative).split('/');
  if (!whole) parts.pop();
  const st = new FileStat();
  let made = 0;
  for (let count = 1; count <= parts.length; count++) {
    const part = parts.slice(0, count).join('/');
    const path = isAbsolute ? `/${part}` : joinPath(base.cwd, part);
    if (look(base, path, part, st) === 0) continue;
    if (!o.dryRun) makeDirectory(base, path, part, nameIn(base, path));
    made++;
  }
  if (made === 0) return false;
  const written = base.confined === null ? name : tidy(relative);
  if (tellsCreation(session)) log.info(createdPath(made, whole ? written : written.replace(/\/+[^/]*$/, '')));
  return true;
}

/** What is at a path of the destination; links are followed, but never out of a module. 0 or an error number. */
function look(base: DestinationBase, whole: ByteString, relative: ByteString, st: FileStat, step?: string): number {
  const { confined } = base;
  if (confined === null) return statInto(Buffer.from(whole, 'latin1'), st);
  try {
    const errno = lstatInto(confined.resolve(relative === '' ? '.' : relative), st);
    return errno === 0 && st.exists && !st.isDir && whole.endsWith('/') ? Errno.ENOTDIR : errno;
  } catch (error) {
    st.exists = false;
    const errno = errnoOf(error);
    if (errno !== Errno.EXDEV && errno !== Errno.ELOOP) return errno;
    if (whole.endsWith('/')) throw cannotEnter(base, whole, error, step);
    return lookAtLink(base, confined, whole, relative, st, step);
  }
}

/** A link that leads out of the module is not a directory to go to; whatever else it leads to, it is in the way itself. */
function lookAtLink(
  base: DestinationBase,
  confined: Root,
  whole: ByteString,
  relative: ByteString,
  st: FileStat,
  step?: string,
): number {
  let place: Buffer;
  try {
    place = confined.path(relative);
  } catch (error) {
    // One in front of the last name: nothing is there, and there is no way to where it would be.
    if (errnoOf(error) === Errno.ELOOP || errnoOf(error) === Errno.EXDEV) return Errno.ENOENT;
    throw cannotEnter(base, whole, error, step);
  }
  if (statInto(place, st) === 0 && st.isDir) throw cannotEnter(base, whole, Errno.ELOOP, step);
  return lstatInto(place, st);
}

/** A path of the system in messages. */
function nameIn({ cwd, module = null, innerRoot = null }: DestinationBase, whole: ByteString): string {
  return fullName(innerRoot === null ? whole : whole.slice(cwd.length).replace(/^\/+/, ''), '', module);
}

function cannotEnter(base: DestinationBase, whole: ByteString, error: unknown, step = '#1'): RsyncError {
  const why = errnoText(error);
  return new RsyncError(Exit.FILESELECT, `rsync: [Receiver] change_dir${step} ${nameIn(base, whole)} failed: ${why}`);
}

/**
 * The destination of a command line: a held tree that links of others do not lead out of, unless --insecure-links is given. A
 * daemon's module that is a root of its own needs none.
 */
function openTree({ options: o, log }: Session, base: DestinationBase, path: ByteString, missing: boolean): Root {
  if (base.isModule === true || o.insecureLinks) return Root.plain(path);
  // A dry run has nothing to enter yet.
  return missing ? Root.nowhere() : Root.guarded(path, () => log.error(foreignLink()));
}

function inside(
  session: Session,
  base: DestinationBase,
  whole: ByteString,
  relative: ByteString,
  localName: ByteString | null,
  missing: boolean,
  /** Which one of rsync's steps into the destination it is. */
  step: string = localName === null ? '#1' : '#3',
): Destination {
  const shown = whole.length > 1 ? whole.replace(/\/+$/, '').replace(/\/\.$/, '') || '/' : whole;
  const below = base.isModule === true ? tidy(relative) : '';
  const { confined } = base;
  let root: Root | null = null;
  try {
    if (confined === null) root = openTree(session, base, shown, missing);
    // Links in it are followed only if -K asks for that.
    else root = missing ? Root.nowhere(confined) : confined.within(tidy(relative), session.options.keepDirlinks);
    // What may not be searched is nothing to go to.
    const errno = missing ? 0 : statInto(Buffer.concat([root.path('.'), HERE]), new FileStat());
    if (errno !== 0) throw systemError(errno, 'chdir');
    return { root, shown, localName, missing, below };
  } catch (error) {
    root?.close();
    throw cannotEnter(base, whole, error, step);
  }
}

function components(relative: ByteString): ByteString[] {
  return relative.split('/').filter((part) => part !== '' && part !== '.');
}

function tidy(relative: ByteString): ByteString {
  return components(relative).join('/');
}

/** `shown`: the name for an error message. */
function makeDirectory(base: DestinationBase, whole: ByteString, relative: ByteString, shown: string): void {
  const { confined } = base;
  try {
    if (confined === null) fs.mkdirSync(Buffer.from(whole, 'latin1'));
    else fs.mkdirSync(confined.path(tidy(relative) || '.'));
  } catch (error) {
    throw new RsyncError(Exit.FILEIO, `rsync: [Receiver] mkdir ${shown} failed: ${errnoText(error)}`);
  }
}

function countEntries(session: Session): number {
  return session.list.segments.nextRow;
}

function firstIsDirectory(session: Session): boolean {
  const first = session.list.segments.oldest;
  if (first === null || first.count === 0) return false;
  return session.list.isDir(rowAt(first, 0));
}

/** A destination that was just made shows as new in the lines about it, when the list has an entry for it. */
function markCreated(session: Session): void {
  const { list } = session;
  const first = list.segments.oldest;
  if (first === null || first.count === 0) return;
  const row = rowAt(first, 0);
  if (list.path(row) === '.') list.addFlags(row, EntryFlag.DIR_CREATED);
}

export function joinPath(dir: ByteString, name: ByteString): ByteString {
  if (name === '' || name === '.') return dir === '' ? '/' : dir;
  return dir.endsWith('/') ? `${dir}${name}` : `${dir}/${name}`;
}
