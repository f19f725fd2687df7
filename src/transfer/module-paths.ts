import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString, Options } from '../../protocol/options.js';

/**
 * A client's path as one from its module's root, with a slash in front. Relative paths start from `from`; `..` is
 * resolved by the text and climbs to the root at most.
 */
export function modulePath(path: ByteString, from: ByteString = ''): ByteString {
  const out: ByteString[] = [];
  const whole = path.startsWith('/') ? path : `${from}/${path}`;
  for (const part of whole.split('/')) {
    if (part === '..') out.pop();
    else if (part !== '' && part !== '.') out.push(part);
  }
  return `/${out.join('/')}`;
}

/**
 * Makes a client's path relative to the module: leading slashes go, `..` is resolved by the text and never climbs above
 * the module, `.` components and a trailing slash stay (they have a meaning for -R and for the contents of a directory).
 */
export function sanitizePath(path: ByteString): ByteString {
  const out: ByteString[] = [];
  const parts = path.split('/');
  const last = parts.length - 1;
  let depth = 0;
  for (const [i, part] of parts.entries()) {
    if (part === '' && i < last) continue;
    if (part === '..') {
      while (out.length > 0 && out[out.length - 1] === '.') out.pop();
      if (depth > 0) {
        out.pop();
        depth--;
      }
      if (i === last && out.length > 0) out.push('');
    } else {
      if (part !== '' || out.length > 0) out.push(part);
      if (part !== '' && part !== '.') depth++;
    }
  }
  const text = out.join('/');
  return text === '' ? '.' : text;
}

/** The same for options whose `..` never leaves the destination: what they name lies below it. */
function belowDestination(path: ByteString, dest: ByteString): ByteString {
  return path.startsWith('/') ? modulePath(path) : modulePath(modulePath(path).slice(1), dest);
}

/**
 * Makes the directories that a daemon's client names in options paths from its module's root, and refuses those that
 * the module's filters hide (exit code 1). A relative --partial-dir stays one: it lies beside each file.
 */
export function settleOptionDirs(
  o: Options,
  dest: ByteString,
  hides: ((path: ByteString, isDir: boolean) => boolean) | null,
): void {
  o.basisDirs = o.basisDirs.map((dir) => modulePath(dir, dest));
  if (o.tempDir !== '') o.tempDir = belowDestination(o.tempDir, dest);
  if (o.backupDir !== '') o.backupDir = belowDestination(o.backupDir, dest);
  if (o.partialDir.startsWith('/')) o.partialDir = modulePath(o.partialDir);
  else if (o.partialDir !== '') o.partialDir = modulePath(o.partialDir).slice(1) || '.';
  if (hides === null) return;
  const named = [...o.basisDirs, o.tempDir, o.backupDir, o.partialDir].filter((dir) => dir.startsWith('/'));
  if (named.some((dir) => hides(dir.slice(1), true))) throw rejectedOptions();
}

/** What a client is told whose options name something that the module hides. */
export function rejectedOptions(): RsyncError {
  return new RsyncError(Exit.SYNTAX, 'Your options have been rejected by the server.');
}
