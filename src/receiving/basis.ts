import fs from 'node:fs';
import { Basis, Item, S_IFMT } from '../../protocol/constants.js';
import { ProtocolError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { makeHardLink } from '../files/special.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { copyFileTo } from '../files/temp.js';
import { errnoOf } from '../libc/errno.js';
import { errnoText } from '../report/errno.js';
import { join } from './delete.js';
import type { EntryMaker } from './entries.js';
import { type Itemizer, timesDiffer } from './itemize.js';
import type { Receiving } from './receiving.js';
import type { QuickCheck } from './unchanged.js';

/** What the basis directories had for a file. */
export type BasisVerdict = { kind: 'none' } | { kind: 'done' } | { kind: 'basis'; type: number; path: Buffer };

/** Where the basis of a transfer is, from the type byte that the sender echoes (9.5). */
export function basisPath(receiving: Receiving, row: number, type: number): Buffer {
  const { parts, session } = receiving;
  const name = receiving.relativePath(row);
  if (type <= Basis.DEST_DIR_HIGH) checkDirectoryNumber(type, session.options.basisDirs.length);
  if (type <= Basis.DEST_DIR_HIGH) return alternativePath(receiving, session.options.basisDirs[type], name);
  if (type === Basis.PARTIAL_DIR) return partialPath(receiving, name) ?? receiving.destPath(row);
  if (type === Basis.BACKUP && parts.backup !== null) return parts.backup.pathFor(name);
  return receiving.destPath(row);
}

function checkDirectoryNumber(number: number, count: number): void {
  if (number >= count) throw new ProtocolError('basis directory', `${number} of ${count}`);
}

/** A file below a basis directory; relative directories lie below the destination. */
export function alternativePath(receiving: Receiving, dir: ByteString, name: ByteString): Buffer {
  return optionPath(receiving, join(dir, name));
}

/** Stands for a path that cannot be reached: nothing is there. */
const NOWHERE = Buffer.from('/proc/self/fd/-/-');

function optionPath(receiving: Receiving, path: ByteString): Buffer {
  try {
    return receiving.parts.root.path(path);
  } catch (error) {
    if (errnoOf(error) === 0) throw error;
    return NOWHERE;
  }
}

/** Where the unfinished content of a file is kept with --partial-dir; null when there is no such place. */
export function partialPath(receiving: Receiving, name: ByteString): Buffer | null {
  const relative = partialName(receiving, name);
  if (relative === null || isLinked(receiving, relative)) return null;
  return optionPath(receiving, relative);
}

const dirStat = new FileStat();

/** A relative --partial-dir lies where a sender has names, too: a link that has its name is not followed. */
function isLinked(receiving: Receiving, relative: ByteString): boolean {
  if (relative.startsWith('/')) return false;
  return (
    lstatInto(optionPath(receiving, relative.slice(0, relative.lastIndexOf('/'))), dirStat) === 0 && dirStat.isLink
  );
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

/** What a look into the basis directories came to, the better the higher. */
const Level = { NONE: 0, TYPE: 1, CONTENT: 2, ALL: 3 } as const;

/** What was found for a directory, a link or a special: nothing, something alike, the same, or what could not be linked. */
export type OtherVerdict = 'none' | 'alike' | 'same' | 'refused';

/** Looks for entries in the --compare-dest, --copy-dest and --link-dest directories (9.5). */
export class BasisDirs {
  private readonly found = new FileStat();
  private readonly best = new FileStat();
  private bestDir = -1;

  constructor(
    private readonly receiving: Receiving,
    private readonly itemizer: Itemizer,
    private readonly entries: EntryMaker,
    private readonly check: QuickCheck,
  ) {}

  private search(row: number, name: ByteString): number {
    const { basisDirs } = this.receiving.session.options;
    let bestLevel: number = Level.NONE;
    for (let i = 0; i < basisDirs.length && bestLevel < Level.ALL; i++) {
      if (this.isHidden(row, join(basisDirs[i], name))) continue;
      const level = this.level(row, alternativePath(this.receiving, basisDirs[i], name));
      if (level <= bestLevel) continue;
      bestLevel = level;
      this.bestDir = i;
      this.best.copyFrom(this.found);
    }
    return bestLevel;
  }

  /** What a module hides cannot be a basis either. */
  private isHidden(row: number, path: ByteString): boolean {
    const { parts, session } = this.receiving;
    return parts.moduleHides?.(path, session.list.isDir(row)) ?? false;
  }

  private level(row: number, path: Buffer): number {
    const { found } = this;
    const { list } = this.receiving.session;
    if (lstatInto(path, found) !== 0 || !found.exists) return Level.NONE;
    if ((found.mode & S_IFMT) !== (list.mode(row) & S_IFMT)) return Level.NONE;
    if (!this.sameContent(row, path)) return Level.TYPE;
    return this.sameAttributes(row, found) ? Level.ALL : Level.CONTENT;
  }

  private sameContent(row: number, path: Buffer): boolean {
    const { list } = this.receiving.session;
    const { found } = this;
    if (found.isRegular) return this.check.same(row, path, found);
    if (found.isLink) {
      return list.extra(row) >= 0 && fs.readlinkSync(path, { encoding: 'buffer' }).equals(list.target(row));
    }
    if (!found.isDevice) return true;
    return found.rdevMajor === list.major(row) && found.rdevMinor === list.minor(row);
  }

  /** Here times count for every type that has any, whatever -O says. */
  private sameAttributes(row: number, st: FileStat): boolean {
    const { list, options: o } = this.receiving.session;
    if (this.itemizer.differences(row, st, 0, null) & ~(Item.REPORT_TIME | Item.REPORT_ATIME)) return false;
    if (!o.times || (st.isLink && o.omitLinkTimes)) return true;
    return !timesDiffer(o, list.mtime(row), list.nsec(row), st.mtime, st.nsec);
  }

  /**
   * A regular file. `st` is the destination's state; it is replaced by the basis' state when that serves as basis. For
   * a file that exists only one that is the same in everything will do.
   */
  find(ndx: number, row: number, st: FileStat): BasisVerdict {
    const { receiving } = this;
    const { options: o } = receiving.session;
    const name = receiving.relativePath(row);
    const level = this.search(row, name);
    if (level === Level.NONE || (st.exists && level < Level.ALL)) return { kind: 'none' };
    const path = alternativePath(receiving, o.basisDirs[this.bestDir], name);
    if (level === Level.ALL && o.basisKind !== 'copy') {
      if (st.exists && !this.makeRoom(row, st)) return { kind: 'none' };
      if (o.basisKind === 'compare') {
        this.itemizer.announce(ndx, row, this.best, 0, 0, null);
        this.entries.tellUptodate(row);
        this.entries.finished(ndx, row);
        return { kind: 'done' };
      }
      if (this.link(ndx, row, path)) return { kind: 'done' };
    }
    if (st.exists) return { kind: 'none' };
    if (level >= Level.CONTENT && this.copy(ndx, row, path)) {
      if (level === Level.ALL) this.entries.tellUptodate(row);
      return { kind: 'done' };
    }
    if (level >= Level.CONTENT) return { kind: 'none' };
    st.copyFrom(this.best);
    return { kind: 'basis', type: this.bestDir, path };
  }

  /** The file that is at the destination goes, as the one in the basis directory is the same; false: it has to stay. */
  private makeRoom(row: number, st: FileStat): boolean {
    const { receiving, best } = this;
    const { options: o } = receiving.session;
    if (o.basisKind === 'link' && st.dev === best.dev && st.ino === best.ino) return false;
    if (o.dryRun) return true;
    try {
      fs.unlinkSync(receiving.destPath(row));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return false;
    }
    st.exists = false;
    return true;
  }

  private hardLink(row: number, path: Buffer): boolean {
    const { receiving } = this;
    if (receiving.session.options.dryRun) return true;
    try {
      makeHardLink(receiving.parts.root, path, receiving.relativePath(row), false);
      return true;
    } catch {
      return false;
    }
  }

  private link(ndx: number, row: number, path: Buffer): boolean {
    if (!this.hardLink(row, path)) return false;
    this.entries.finished(ndx, row);
    const { options: o } = this.receiving.session;
    if (this.receiving.printsItems) {
      if ((o.info.name ?? 0) >= 2 || this.itemizer.itemizesAll) {
        this.itemizer.announce(ndx, row, this.best, Item.LOCAL_CHANGE | Item.XNAME_FOLLOWS, 0, Buffer.alloc(0));
      }
    } else {
      this.entries.tellUptodate(row);
    }
    return true;
  }

  private copy(ndx: number, row: number, path: Buffer): boolean {
    const { receiving } = this;
    const { session, parts } = receiving;
    const name = receiving.relativePath(row);
    if (!session.options.dryRun) {
      try {
        copyFileTo(parts.root, path, name, (temp) => {
          const st = new FileStat();
          lstatInto(temp, st);
          parts.attrs.apply(temp, session.list, row, st, { isNew: true });
        });
      } catch (error) {
        session.log.xferError(`rsync: [generator] copy_file ${receiving.fullName(name)} failed: ${errnoText(error)}\n`);
        return false;
      }
    }
    this.itemizer.announce(ndx, row, this.best, Item.LOCAL_CHANGE, 0, null);
    this.entries.finished(ndx, row);
    return true;
  }

  /**
   * A directory, link or special that the destination does not have. 'same': it was linked (--link-dest, not for
   * directories) or is left out (--compare-dest) or must still be made; either way it has been announced. 'alike': `st`
   * is what its line is to be compared with.
   */
  other(ndx: number, row: number, st: FileStat): OtherVerdict {
    const { receiving, best } = this;
    const { options: o } = receiving.session;
    const level = this.search(row, receiving.relativePath(row));
    if (level === Level.NONE) return 'none';
    if (level < Level.ALL) {
      st.copyFrom(best);
      return 'alike';
    }
    const wantsLink = o.basisKind === 'link' && !best.isDir;
    const path = alternativePath(receiving, o.basisDirs[this.bestDir], receiving.relativePath(row));
    const linked = wantsLink && this.hardLink(row, path);
    if (linked) this.entries.finished(ndx, row);
    if (receiving.printsItems && ((o.info.name ?? 0) >= 2 || this.itemizer.itemizesAll)) {
      const change =
        o.basisKind === 'compare' && !best.isDir ? 0 : Item.LOCAL_CHANGE | (linked ? Item.XNAME_FOLLOWS : 0);
      this.itemizer.announce(ndx, row, best, change | Item.MATCHED, 0, linked ? Buffer.alloc(0) : null);
    }
    this.entries.tellUptodate(row);
    return wantsLink && !linked ? 'refused' : 'same';
  }

  /**
   * A member of a hard-link group that a basis directory has: as a link to the same file (--link-dest), or with the same
   * content. `st` gets its state.
   */
  hasMember(row: number, leader: FileStat, st: FileStat): boolean {
    const { receiving, found } = this;
    const { options: o } = receiving.session;
    const name = receiving.relativePath(row);
    let has = false;
    for (const dir of o.basisDirs) {
      const path = alternativePath(receiving, dir, name);
      if (lstatInto(path, found) !== 0 || !found.exists) continue;
      if (o.basisKind === 'link') {
        if (found.dev !== leader.dev || found.ino !== leader.ino) continue;
        st.copyFrom(found);
        return true;
      }
      if (!found.isRegular || !this.check.same(row, path, found)) continue;
      has = true;
      st.copyFrom(found);
      if (this.sameAttributes(row, found)) break;
    }
    return has;
  }
}
