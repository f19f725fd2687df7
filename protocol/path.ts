import type { ByteString } from './options.js';

/** The directory that a path lies in: '' for a plain name, '/' for what lies in the root. */
export function parentOf(path: ByteString): ByteString {
  const slash = path.lastIndexOf('/');
  return slash > 0 ? path.slice(0, slash) : slash === 0 ? '/' : '';
}

/** What is behind a path's last slash; all of it where there is none. */
export function lastName(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The path of an entry in a directory; '' and '.' are where paths begin. */
export function pathBelow(dir: ByteString, name: ByteString): ByteString {
  return dir === '' || dir === '.' ? name : dir === '/' ? `/${name}` : `${dir}/${name}`;
}
