import { lstatSync, readlinkSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';

/** Links that one path may lead through; beyond, the kernel says so itself. */
const MAX_LINKS = 40;

function components(path: ByteString): ByteString[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** `done` is a way without links: '' or ending in a slash. */
function above(done: ByteString): ByteString {
  if (done === '/') return done;
  if (done === '' || done.endsWith('../')) return `${done}../`;
  return done.replace(/[^/]*\/$/, '');
}

/**
 * True when a path leads through a symbolic link that belongs neither to root nor to the user of this process: somebody
 * may have planted it to turn a privileged run elsewhere. rsync 3.5 refuses such paths where whoever starts a run names
 * them (destination, directories of options, files of rules and names), unless --insecure-links is given. What comes
 * after a missing component cannot be told and is left to whoever opens it.
 */
export function leadsThroughForeignLink(path: ByteString): boolean {
  const own = process.geteuid?.() ?? 0;
  const todo = components(path).reverse();
  let done = path.startsWith('/') ? '/' : '';
  let links = 0;
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    if (name === '..') {
      done = above(done);
      continue;
    }
    const at = Buffer.from(done + name, 'latin1');
    try {
      const st = lstatSync(at);
      if (!st.isSymbolicLink()) {
        done += `${name}/`;
        continue;
      }
      if (st.uid !== 0 && st.uid !== own) return true;
      if (++links > MAX_LINKS) return false;
      const target = readlinkSync(at, 'latin1');
      if (target.startsWith('/')) done = '/';
      todo.push(...components(target).reverse());
    } catch {
      return false;
    }
  }
  return false;
}
