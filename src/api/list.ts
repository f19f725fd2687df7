import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import { parseTarget } from '../client/target.js';
import { parseRun, type RunOptions, runTransfer, toBytes, toText } from './run.js';

/** A module of a daemon. */
export interface ListedModule {
  name: string;
  comment: string;
}

/** A file of a listing. */
export interface ListedFile {
  /** Name below the place, as UTF-8 text and as it is. */
  path: string;
  pathBytes: Buffer;
  type: 'file' | 'directory' | 'symlink' | 'other';
  /** Unix mode with the type bits. */
  mode: number;
  /** Bytes. */
  size: number;
  /** Modification time, to the millisecond. */
  mtime: Date;
  /** Target of a symlink. */
  target?: string;
}

function typeOf(mode: number): ListedFile['type'] {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 'file';
    case S_IFDIR:
      return 'directory';
    case S_IFLNK:
      return 'symlink';
    default:
      return 'other';
  }
}

/** The modules of a daemon that it lists: `listModules('host::')`. Rejects with RsyncError, or TypeError for another place. */
export async function listModules(daemon: string, run: RunOptions = {}): Promise<ListedModule[]> {
  const target = parseTarget(toBytes(daemon));
  if (target.kind !== 'daemon' || target.module !== '') throw new TypeError(`${daemon} names no daemon`);
  const modules: ListedModule[] = [];
  const onOutput = (line: string) => {
    const tab = line.indexOf('\t');
    if (tab >= 0) modules.push({ name: line.slice(0, tab).trimEnd(), comment: line.slice(tab + 1) });
    run.onOutput?.(line);
  };
  await runTransfer(parseRun([daemon], run), { ...run, onOutput });
  return modules;
}

/**
 * The files at a place, remote or local: `list('host::module/dir/')`; with `-r` among the options those below it as well.
 * Rejects with RsyncError.
 */
export async function list(place: string, run: RunOptions = {}): Promise<ListedFile[]> {
  const o = parseRun([place], run);
  o.listOnly = true;
  if (!o.recurse) o.dirs ||= 1;
  o.links = true;
  const files: ListedFile[] = [];
  await runTransfer(o, run, {
    onSession(session) {
      const { list: rows } = session;
      session.onListed = (row) => {
        const pathBytes = Buffer.from(rows.path(row), 'latin1');
        const mode = rows.mode(row);
        const entry: ListedFile = {
          path: pathBytes.toString('utf8'),
          pathBytes,
          type: typeOf(mode),
          mode,
          size: rows.size(row),
          mtime: new Date(rows.mtime(row) * 1000 + Math.floor(rows.nsec(row) / 1e6)),
        };
        if (entry.type === 'symlink' && rows.extra(row) >= 0) {
          entry.target = toText(rows.target(row).toString('latin1'));
        }
        files.push(entry);
      };
    },
  });
  return files;
}
