import { lstatSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';

/** Milliseconds for which whoever was told of a change may still be about to look at it. */
const RECENT_MS = 60_000;
/** A directory's time says nothing about changes that came within a tick of the clock behind it. */
const TICK_MS = 20;
/** Directories that are remembered at most. */
const MOST = 100_000;

interface Recent {
  until: number;
  /** Time of the directory when it was looked at; NaN when a later change may have the same. */
  mtimeMs: number;
  /** It was made itself. */
  isNew: boolean;
  removed: Set<ByteString>;
}

/**
 * Directories whose changes were told of a short while ago. Whoever is told looks later, and may find there what comes after
 * one look at everything and goes again before the next: only the directory's time tells of that.
 */
export class RecentChanges {
  /** By the path that is told; the other one, `path`, is absolute. */
  readonly #dirs = new Map<ByteString, Recent>();

  /** A directory was found that was not there before. */
  made(dir: ByteString, path: ByteString): void {
    this.#of(dir, path).isNew = true;
  }

  /** An entry of a directory has gone. */
  removed(dir: ByteString, path: ByteString, name: ByteString): void {
    this.#of(dir, path).removed.add(name);
  }

  /** Of a directory that was told of a short while ago: what was told, if something has happened in it since it was asked for. */
  touched(dir: ByteString, path: ByteString): Recent | null {
    const recent = this.#dirs.get(dir);
    if (recent === undefined) return null;
    const now = Date.now();
    if (now > recent.until) {
      this.#dirs.delete(dir);
      return null;
    }
    const before = recent.mtimeMs;
    recent.mtimeMs = timeOf(path);
    return recent.mtimeMs === before ? null : recent;
  }

  #of(dir: ByteString, path: ByteString): Recent {
    let recent = this.#dirs.get(dir);
    if (recent === undefined) {
      if (this.#dirs.size >= MOST) this.#dirs.clear();
      recent = { until: 0, mtimeMs: timeOf(path), isNew: false, removed: new Set() };
      this.#dirs.set(dir, recent);
    }
    recent.until = Date.now() + RECENT_MS;
    return recent;
  }
}

function timeOf(path: ByteString): number {
  try {
    const { mtimeMs } = lstatSync(Buffer.from(path, 'latin1'));
    return Date.now() - mtimeMs < TICK_MS ? Number.NaN : mtimeMs;
  } catch {
    return Number.NaN;
  }
}
