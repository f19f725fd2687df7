import fs from 'node:fs';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { EntryFlag, FileList } from '../../protocol/flist/list.js';
import type { ByteString } from '../../protocol/options.js';
import { Root } from '../files/root.js';
import { FileStat, statInto } from '../files/stat.js';
import { errnoText } from '../report/errno.js';
import { createdDirectory } from '../report/messages.js';
import type { Session } from '../session/session.js';

/** Where received files go. */
export interface Destination {
  root: Root;
  /** Absolute path of the root, for messages. */
  shown: ByteString;
  /** Name for a single file whose destination is not a directory. */
  localName: ByteString | null;
  /** The destination is made only in thought: a dry run into a directory that does not exist. */
  missing: boolean;
}

/** A module's tree, in which the destination of a daemon lies. */
export interface DestinationBase {
  /** Absolute directory that relative destinations start from. */
  cwd: ByteString;
  confined: Root | null;
}

/**
 * Finds or makes the destination (it depends on the file list: a single file may be given another name).
 * Errors: exit code 3 when it is no directory but should be, 11 when it cannot be made.
 */
export function openDestination(session: Session, dest: ByteString, base: DestinationBase): Destination {
  const { options: o, log } = session;
  const path = dest === '' ? '.' : dest;
  const whole = path.startsWith('/') && base.confined === null ? path : joinPath(base.cwd, path);
  const at = (relative: ByteString) =>
    base.confined !== null ? base.confined.path(relative === '' ? '.' : relative) : Buffer.from(whole, 'latin1');
  const relative = path.replace(/^\/+/, '').replace(/\/+$/, '');
  const trailing = /(^|\/)\.?$/.test(path);
  const total = countEntries(session);
  const st = new FileStat();
  const errno = statInto(at(relative), st);
  const name = path.replace(/(.)\/+$/, '$1');
  if (errno === 0 && st.exists && st.isDir) return inside(base, whole, relative, null, false);
  if (st.exists) {
    if (total > 1)
      throw new RsyncError(Exit.FILESELECT, 'ERROR: destination must be a directory when copying more than 1 file');
    if (firstIsDirectory(session))
      throw new RsyncError(Exit.FILESELECT, 'ERROR: cannot overwrite non-directory with a directory');
  } else if (total > 1 || trailing || firstIsDirectory(session)) {
    if (!o.dryRun) makeDirectory(base, whole, relative, o.mkpath, name);
    markCreated(session);
    if (o.info.name >= 1 || o.info.stats >= 1 || o.itemize > 0) log.info(createdDirectory(name));
    return inside(base, whole, relative, null, o.dryRun);
  }
  const slash = whole.replace(/\/+$/, '').lastIndexOf('/');
  const parent = slash <= 0 ? '/' : whole.slice(0, slash);
  const relativeSlash = relative.lastIndexOf('/');
  const relativeParent = relativeSlash < 0 ? '' : relative.slice(0, relativeSlash);
  const localName = whole.slice(slash + 1);
  if (o.mkpath && !o.dryRun) fs.mkdirSync(Buffer.from(parent, 'latin1'), { recursive: true });
  const errnoParent = statInto(
    base.confined !== null ? base.confined.path(relativeParent || '.') : Buffer.from(parent, 'latin1'),
    st,
  );
  if (errnoParent !== 0 || !st.exists) {
    const why = errnoText(errnoParent);
    throw new RsyncError(Exit.FILESELECT, `rsync: [Receiver] change_dir#3 "${parent}" failed: ${why}`);
  }
  return inside(base, parent, relativeParent, localName, false);
}

function inside(
  base: DestinationBase,
  whole: ByteString,
  relative: ByteString,
  localName: ByteString | null,
  missing: boolean,
): Destination {
  const shown = whole.length > 1 ? whole.replace(/\/+$/, '').replace(/\/\.$/, '') || '/' : whole;
  const root = base.confined !== null ? below(base.confined, relative) : Root.plain(shown);
  return { root, shown, localName, missing };
}

/** A directory of a confined tree as a tree of its own: it is opened through the descriptor that is held. */
function below(confined: Root, relative: ByteString): Root {
  if (relative === '' || relative === '.') return confined;
  return Root.confined(confined.dir(relative).self().toString('latin1'));
}

function makeDirectory(
  base: DestinationBase,
  whole: ByteString,
  relative: ByteString,
  parents: boolean,
  name: string,
): void {
  const path = base.confined !== null ? base.confined.path(relative) : Buffer.from(whole, 'latin1');
  try {
    fs.mkdirSync(path, { recursive: parents });
  } catch (error) {
    throw new RsyncError(Exit.FILEIO, `rsync: [Receiver] mkdir "${name}" failed: ${errnoText(error)}`);
  }
}

function countEntries(session: Session): number {
  return session.list.segments.reduce((sum, s) => sum + s.count, 0);
}

function firstIsDirectory(session: Session): boolean {
  const first = session.list.segments[0];
  if (first === undefined || first.count === 0) return false;
  return session.list.isDir(FileList.rowAt(first, 0));
}

/** A destination that was just made shows as new in the lines about it, when the list has an entry for it. */
function markCreated(session: Session): void {
  const { list } = session;
  const [first] = list.segments;
  if (first === undefined || first.count === 0) return;
  const row = FileList.rowAt(first, 0);
  if (list.path(row) === '.') list.flags[row] |= EntryFlag.DIR_CREATED;
}

export function joinPath(dir: ByteString, name: ByteString): ByteString {
  if (name === '' || name === '.') return dir === '' ? '/' : dir;
  return dir.endsWith('/') ? `${dir}${name}` : `${dir}/${name}`;
}
