import { lstatSync, readdirSync, type Stats } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';

/** What was seen of one entry: equal numbers mean that nothing changed. */
export interface Seen {
  isDir: boolean;
  ino: number;
  /** Size and time of change of a file's content. */
  size: number;
  mtimeMs: number;
  /** Changes with everything, attributes and number of links included. */
  ctimeMs: number;
  mode: number;
}

/** The entries of one directory by name. */
export type SeenDirectory = Map<ByteString, Seen>;

const QUIET = { throwIfNoEntry: false } as const;

/** Looks at all entries of a directory (absolute); null when it cannot be read. */
export function seeDirectory(path: ByteString): SeenDirectory | null {
  let names: string[];
  try {
    names = readdirSync(Buffer.from(path, 'latin1'), { encoding: 'latin1' });
  } catch {
    return null;
  }
  const entries: SeenDirectory = new Map();
  for (const name of names) {
    const seen = see(`${path}/${name}`);
    if (seen !== null) entries.set(name, seen);
  }
  return entries;
}

/** Looks at an entry itself; null when there is none. */
export function see(path: ByteString): Seen | null {
  let st: Stats | undefined;
  try {
    st = lstatSync(Buffer.from(path, 'latin1'), QUIET);
  } catch {
    return null;
  }
  if (st === undefined) return null;
  const { ino, size, mtimeMs, ctimeMs, mode } = st;
  const isDir = st.isDirectory();
  // Entries that come and go change a directory's own size and times; they are told of by themselves.
  if (isDir) return { isDir, ino, size: 0, mtimeMs: 0, ctimeMs: 0, mode: mode + (st.uid + st.gid * 0x10000) * 0x10000 };
  return { isDir, ino, size, mtimeMs, ctimeMs, mode };
}
