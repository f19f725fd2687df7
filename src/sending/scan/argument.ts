import { Exit } from '../../../protocol/constants.js';
import { RsyncError } from '../../../protocol/errors.js';
import type { ByteString } from '../../../protocol/options.js';
import { lastName, parentOf } from '../../../protocol/path.js';

/** How a source argument was written, which decides whether a link is followed and what is listed of a directory. */
export const NameKind = {
  NORMAL: 0,
  /** Ends in a slash (-R). */
  SLASH: 1,
  /** `.` or ends in `/.`, or in a slash without -R: the content of the directory is meant. */
  DOT_DIR: 2,
} as const;

/** One source argument, taken apart (7.8 "Top-level naming"). */
export interface SourceArgument {
  /** Directory that the name is relative to; null: the one that the run was started in. */
  dir: ByteString | null;
  /** Name in the list: transfer-relative, or absolute with -R. Never empty. */
  name: ByteString;
  kind: number;
  /** -R with a leading `./`: the root of the transfer is sent as an implied directory. */
  impliedDot: boolean;
}

/** Joins the components of a path that mean something. Keeps a leading slash; never empty. */
function tidyPath(path: ByteString): ByteString {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (path.startsWith('/')) return `/${parts.join('/')}`;
  return parts.length === 0 ? '.' : parts.join('/');
}

/** Takes a source argument apart. Throws RsyncError (exit 1) for `..` in the active part of a -R name. */
export function parseArgument(arg: ByteString, relative: boolean): SourceArgument {
  return relative ? parseRelative(arg) : parsePlain(arg);
}

function parsePlain(arg: ByteString): SourceArgument {
  let path = arg;
  let kind: number = NameKind.DOT_DIR;
  const last = lastName(path);
  if (path === './') path = '.';
  else if (last === '') path += '.';
  else if (last === '..') path += '/.';
  else if (last !== '.') kind = NameKind.NORMAL;
  return { dir: parentOf(path) || null, name: lastName(path), kind, impliedDot: false };
}

function parseRelative(arg: ByteString): SourceArgument {
  let dir: ByteString | null = null;
  let rest = arg;
  const at = arg.indexOf('/./');
  if (at >= 0) {
    dir = at === 0 ? '/' : tidyPath(arg.slice(0, at));
    rest = arg.slice(at + 3).replace(/^\/+/, '');
  }
  const impliedDot = rest.startsWith('./') && rest.length > 2;
  const isDirectory = rest.endsWith('/') || rest === '.' || rest.endsWith('/.');
  const name = rest === '' ? '.' : tidyPath(rest);
  if (name.split('/').includes('..')) {
    throw new RsyncError(Exit.SYNTAX, `found ".." dir in relative path: ${name}`);
  }
  if (name === '/') return { dir, name: '/.', kind: NameKind.DOT_DIR, impliedDot };
  if (name === '.') return { dir, name, kind: NameKind.DOT_DIR, impliedDot };
  return { dir, name, kind: isDirectory ? NameKind.SLASH : NameKind.NORMAL, impliedDot };
}
