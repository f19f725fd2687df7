import { lstatSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

/** What a name must look like to count as copied: type and mode, size of what is no directory, second of its time. */
export interface Look {
  path: string;
  mode: number;
  size: number;
  /** Whole: rsync leaves a time alone that is right to the second. */
  mtime: number;
}

/** The tree below `dir` as it looks now, without the root itself. */
export function lookAt(dir: string): Look[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true }).map((entry) => {
    const full = join(entry.parentPath, entry.name);
    const { mode, size, mtimeMs } = lstatSync(full);
    return { path: relative(dir, full), mode, size: entry.isDirectory() ? 0 : size, mtime: Math.floor(mtimeMs / 1000) };
  });
}

/** When anything in the tree at `dir` was changed last, in milliseconds since 1970, by the clock of its file system (some 4 ms coarse). */
export function lastChange(dir: string): number {
  const below = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  return below.reduce((last, path) => Math.max(last, lstatSync(join(dir, path)).ctimeMs), lstatSync(dir).ctimeMs);
}

/** True when the name is below `dir` and looks so. */
export function looksSo(dir: string, look: Look): boolean {
  const stat = lstatSync(join(dir, look.path), { throwIfNoEntry: false });
  if (stat === undefined || stat.mode !== look.mode || Math.floor(stat.mtimeMs / 1000) !== look.mtime) return false;
  return stat.isDirectory() || stat.size === look.size;
}

/** Those of `looks` that are not so below `dir`. */
export function missing(dir: string, looks: readonly Look[]): string[] {
  return looks.filter((look) => !looksSo(dir, look)).map((look) => look.path);
}

const STEP_MS = 4;

/**
 * Waits until all of `looks` are so below `dir`. Looks at each name about once: it stays with the first that is not
 * there yet, and goes on behind it later. Returns false when `ms` pass.
 */
export async function allLookSo(dir: string, looks: readonly Look[], ms: number): Promise<boolean> {
  const deadline = Date.now() + ms;
  for (;;) {
    let at = 0;
    while (at < looks.length) {
      if (looksSo(dir, looks[at])) at++;
      else if (Date.now() > deadline) return false;
      else await pause(STEP_MS);
    }
    // A second round: what was right may have been touched again, such as the time of a directory.
    if (looks.every((look) => looksSo(dir, look))) return true;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
