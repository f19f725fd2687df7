import fs from 'node:fs';
import { FileStat, lstatInto } from '../files/stat.js';
import { Change } from '../watch/changes.js';
import { TREE } from './dirty-set.js';
import type { Marks, TargetSource } from './pending.js';
import { below } from './source-tree.js';
import type { DeleteGuard } from './types.js';

/**
 * Holds back deletions that look like an accident: of more than a part of what the target holds at once, or all of it
 * because a source is empty. A user who means it resumes the target.
 */
export class DeletionGuard {
  /** Entries that the target held after the last comparison of everything; null: there was none yet. */
  private known: number | null = null;
  private isLifted = false;
  private readonly stat = new FileStat();

  constructor(
    private readonly setting: DeleteGuard,
    private readonly sources: readonly TargetSource[],
    /** Nothing is ever deleted at this target. */
    private readonly deletes: boolean,
  ) {}

  private get isOn(): boolean {
    return this.deletes && this.setting.maxPercent < 100 && !this.isLifted;
  }

  /** The user wants the next session to delete whatever it finds. */
  lift(): void {
    this.isLifted = true;
  }

  /** A session went well: after a comparison of everything, `entries` is what the target holds now. */
  done(entries: number | null): void {
    this.isLifted = false;
    if (entries !== null) this.known = entries;
  }

  private get limit(): number {
    return Math.max(this.setting.fromEntries, Math.ceil(((this.known ?? 0) * this.setting.maxPercent) / 100));
  }

  /** Most entries that a comparison of everything may delete; null: any number. */
  get maxDelete(): number | null {
    return this.isOn && this.known !== null ? this.limit : null;
  }

  /** Why a comparison of everything must not run, or null. */
  checkSources(): string | null {
    if (!this.isOn) return null;
    for (const { place } of this.sources) {
      if (place.only === null && isEmpty(place.path))
        return `${text(place.arg)} is empty: nothing is deleted because of it`;
    }
    return null;
  }

  /** Why single entries must not be sent, or null. */
  check(waiting: () => Marks): string | null {
    if (!this.isOn || this.known === null) return null;
    let gone = 0;
    waiting().forEach((marks, source) => {
      const { path: root } = this.sources[source].place;
      for (const { path, what } of marks) {
        if ((what & (Change.REMOVED | TREE)) === 0) continue;
        if (lstatInto(Buffer.from(below(root, path), 'latin1'), this.stat) !== 0) gone++;
      }
    });
    return gone >= this.setting.fromEntries && gone > this.limit ? this.refusal(gone) : null;
  }

  /** In words. */
  refusal(count: number | null): string {
    const what = count === null ? `more than ${this.limit}` : `${count}`;
    return `${what} of about ${this.known} entries would be deleted, more than ${this.setting.maxPercent} %: held back`;
  }
}

function isEmpty(dir: string): boolean {
  try {
    return fs.readdirSync(Buffer.from(dir, 'latin1')).length === 0;
  } catch {
    return true;
  }
}

function text(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}
