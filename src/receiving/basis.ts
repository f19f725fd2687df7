import { Basis, Item } from '../../protocol/constants.js';
import type { ByteString } from '../../protocol/options.js';
import { makeHardLink } from '../files/special.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { copyFileTo } from '../files/temp.js';
import { errnoText } from '../report/errno.js';
import { join } from './delete.js';
import type { EntryMaker } from './entries.js';
import type { Itemizer } from './itemize.js';
import type { Receiving } from './receiving.js';
import type { QuickCheck } from './unchanged.js';

/** What the basis directories had for a file. */
export type BasisVerdict = { kind: 'none' } | { kind: 'done' } | { kind: 'basis'; type: number; path: Buffer };

/** Where the basis of a transfer is, from the type byte that the sender echoes (9.5). */
export function basisPath(receiving: Receiving, row: number, type: number): Buffer {
  const { parts, session } = receiving;
  const name = receiving.relativePath(row);
  if (type <= Basis.DEST_DIR_HIGH) return alternativePath(receiving, session.options.basisDirs[type], name);
  if (type === Basis.PARTIAL_DIR) return partialPath(receiving, name) ?? receiving.destPath(row);
  if (type === Basis.BACKUP && parts.backup !== null) return parts.backup.pathFor(name);
  return receiving.destPath(row);
}

/** A file below a basis directory; relative directories lie below the destination. */
export function alternativePath(receiving: Receiving, dir: ByteString, name: ByteString): Buffer {
  if (dir.startsWith('/')) return receiving.parts.outside(`${dir}/${name}`);
  return receiving.parts.root.path(join(dir, name));
}

/** Where the unfinished content of a file is kept with --partial-dir; null when there is no such place. */
export function partialPath(receiving: Receiving, name: ByteString): Buffer | null {
  const relative = partialName(receiving, name);
  if (relative === null) return null;
  return relative.startsWith('/') ? receiving.parts.outside(relative) : receiving.parts.root.path(relative);
}

/** The same as a name: below the file's own directory, or in an absolute one. */
export function partialName(receiving: Receiving, name: ByteString): ByteString | null {
  const { partialDir } = receiving.session.options;
  if (partialDir === '') return null;
  const slash = name.lastIndexOf('/');
  const base = name.slice(slash + 1);
  if (partialDir.startsWith('/')) return `${partialDir}/${base}`;
  return join(slash < 0 ? '' : name.slice(0, slash), `${partialDir}/${base}`);
}

/** Looks for a file in the --compare-dest, --copy-dest and --link-dest directories. */
export class BasisDirs {
  private readonly found = new FileStat();
  private readonly best = new FileStat();

  constructor(
    private readonly receiving: Receiving,
    private readonly itemizer: Itemizer,
    private readonly entries: EntryMaker,
    private readonly check: QuickCheck,
  ) {}

  /** `st` is the destination's state; it is replaced by the basis' state when that serves as basis. */
  find(ndx: number, row: number, st: FileStat): BasisVerdict {
    const { receiving } = this;
    const { session } = receiving;
    const { options: o } = session;
    const name = receiving.relativePath(row);
    let bestLevel = 0;
    let bestDir = -1;
    for (let i = 0; i < o.basisDirs.length && bestLevel < 3; i++) {
      const level = this.level(row, alternativePath(receiving, o.basisDirs[i], name));
      if (level <= bestLevel) continue;
      bestLevel = level;
      bestDir = i;
      this.best.copyFrom(this.found);
    }
    if (bestLevel === 0) return { kind: 'none' };
    const path = alternativePath(receiving, o.basisDirs[bestDir], name);
    if (bestLevel === 3 && o.basisKind !== 'copy') {
      if (o.basisKind === 'compare') {
        this.itemizer.announce(ndx, row, this.best, 0, 0, null);
        this.entries.finished(ndx, row);
        return { kind: 'done' };
      }
      if (this.link(ndx, row, path, o.basisDirs[bestDir], st)) return { kind: 'done' };
    }
    if (bestLevel >= 2 && this.copy(ndx, row, path)) return { kind: 'done' };
    st.copyFrom(this.best);
    return { kind: 'basis', type: bestDir, path };
  }

  /** 0 no such file, 1 a file, 2 of the same content, 3 with the same attributes as well. */
  private level(row: number, path: Buffer): number {
    const { found } = this;
    if (lstatInto(path, found) !== 0 || !found.exists || !found.isRegular) return 0;
    if (!this.check.same(row, path, found)) return 1;
    const flags = this.itemizer.differences(row, found, 0, null);
    return flags === 0 ? 3 : 2;
  }

  private link(ndx: number, row: number, path: Buffer, dir: ByteString, st: FileStat): boolean {
    const { receiving } = this;
    const { session, parts } = receiving;
    const name = receiving.relativePath(row);
    if (!session.options.dryRun) {
      try {
        if (dir.startsWith('/')) makeHardLink(parts.root, path, name, st.exists);
        else makeHardLink(parts.root, join(dir, name), name, st.exists);
      } catch {
        return false;
      }
    }
    this.itemizer.announce(ndx, row, this.best, Item.LOCAL_CHANGE | Item.XNAME_FOLLOWS, 0, Buffer.alloc(0));
    this.entries.finished(ndx, row);
    return true;
  }

  private copy(ndx: number, row: number, path: Buffer): boolean {
    const { receiving } = this;
    const { session, parts } = receiving;
    const name = receiving.relativePath(row);
    if (!session.options.dryRun) {
      try {
        receiving.settleMode(row, null);
        copyFileTo(parts.root, path, name, (temp) => {
          const st = new FileStat();
          lstatInto(temp, st);
          parts.attrs.apply(temp, session.list, row, st, { isNew: true });
        });
      } catch (error) {
        session.log.xferError(
          `rsync: [generator] copy_file "${receiving.shownPath(name)}" failed: ${errnoText(error)}\n`,
        );
        return false;
      }
    }
    this.itemizer.announce(ndx, row, this.best, Item.LOCAL_CHANGE, 0, null);
    this.entries.finished(ndx, row);
    return true;
  }
}
