import { lstatSync, readdirSync } from 'node:fs';
import { Change, type ChangeSink } from '../../src/watch/changes.js';

/**
 * A mirror that knows only what a watcher tells: it looks at the paths that it was told of and at nothing else. When it
 * equals the tree in the end, nothing was left out.
 */
export class ModelMirror implements ChangeSink {
  readonly entries: Map<string, string>;
  readonly #dirty = new Set<string>();
  readonly #stale = new Set<string>();
  /** New directories: what the mirror has in them and the tree has not goes away. */
  readonly #fresh = new Set<string>();
  readonly told: string[] = [];

  constructor(private readonly root: string) {
    this.entries = snapshot(root, '');
  }

  changed(path: string, what: Change): void {
    this.told.push(`changed ${path} ${changeNames(what)}`);
    this.#dirty.add(path);
    if ((what & Change.DIRECTORY) !== 0 && (what & Change.MADE) !== 0) this.#fresh.add(path);
  }

  moved(from: string, to: string, isDir: boolean): void {
    this.told.push(`moved ${from} ${to}${isDir ? ' dir' : ''}`);
    if (isDir) this.#stale.add(from).add(to);
    else this.#dirty.add(from).add(to);
  }

  stale(path: string, why: string): void {
    this.told.push(`stale ${path} (${why})`);
    this.#stale.add(path);
  }

  /** Looks at all that it was told of since the last time. */
  sync(): void {
    for (const path of this.#dirty) {
      const entry = look(this.root, path);
      if (entry === null) removeBelow(this.entries, path);
      else this.#put(path, entry);
    }
    for (const path of this.#stale) {
      removeBelow(this.entries, path);
      for (const [at, entry] of snapshot(this.root, path)) this.#put(at, entry);
    }
    for (const path of this.#fresh) this.#removeMissing(path);
    this.#fresh.clear();
    this.#dirty.clear();
    this.#stale.clear();
  }

  /** What differs from the tree as it is now; empty when nothing does. */
  differences(): string[] {
    const now = snapshot(this.root, '');
    const lines: string[] = [];
    for (const [path, entry] of now) {
      const have = this.entries.get(path);
      if (have !== entry) lines.push(`${path}: is ${entry}, the mirror has ${have}`);
    }
    for (const path of this.entries.keys()) if (!now.has(path)) lines.push(`${path}: not there, but in the mirror`);
    return lines;
  }

  #removeMissing(dir: string): void {
    const start = dir === '' ? '' : `${dir}/`;
    for (const path of [...this.entries.keys()]) {
      const isIn = path !== '' && path.startsWith(start) && !path.includes('/', start.length);
      if (isIn && look(this.root, path) === null) removeBelow(this.entries, path);
    }
  }

  /** Nothing can be put into a directory that the mirror does not have; a file in place of a directory has no content. */
  #put(path: string, entry: string): void {
    if (!entry.startsWith('d')) removeBelow(this.entries, path);
    this.entries.set(path, entry);
  }
}

/** 'made directory' for the bits of a change. */
export function changeNames(what: Change): string {
  const names = Object.entries(Change).filter(([, bit]) => (what & bit) !== 0);
  return names.map(([name]) => name.toLowerCase()).join(' ');
}

function isWithin(path: string, dir: string): boolean {
  return dir === '' || path === dir || path.startsWith(`${dir}/`);
}

function removeBelow(entries: Map<string, string>, dir: string): void {
  for (const path of [...entries.keys()]) if (isWithin(path, dir)) entries.delete(path);
}

/** Type and mode, and of files the inode, size and time; null when there is nothing. */
function look(root: string, path: string): string | null {
  try {
    const st = lstatSync(Buffer.from(path === '' ? root : `${root}/${path}`, 'latin1'), { bigint: true });
    if (st.isDirectory()) return `d ${st.mode.toString(8)}`;
    return `f ${st.mode.toString(8)} ${st.ino} ${st.size} ${st.mtimeNs}`;
  } catch {
    return null;
  }
}

function snapshot(root: string, path: string): Map<string, string> {
  const entries = new Map<string, string>();
  const visit = (at: string): void => {
    const entry = look(root, at);
    if (entry === null) return;
    entries.set(at, entry);
    if (!entry.startsWith('d')) return;
    for (const name of namesIn(at === '' ? root : `${root}/${at}`)) visit(at === '' ? name : `${at}/${name}`);
  };
  visit(path);
  return entries;
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(Buffer.from(dir, 'latin1'), { encoding: 'latin1' });
  } catch {
    return [];
  }
}
