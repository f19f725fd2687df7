import fs from 'node:fs';
import { Item, S_IFMT } from '../../../protocol/constants.js';
import type { ByteString } from '../../../protocol/options.js';
import { pathBelow } from '../../../protocol/path.js';
import { lstatFake, readFakeLink } from '../../files/fake-super.js';
import { makeHardLink } from '../../files/special.js';
import { FileStat, lstatInto } from '../../files/stat.js';
import { copyFileTo } from '../../files/temp.js';
import { errnoText } from '../../report/errno.js';
import type { EntryMaker } from '../entries.js';
import { type Itemizer, timesDiffer } from '../itemize.js';
import type { Receiving } from '../receiving.js';
import type { QuickCheck } from '../right-files/quick-check.js';
import { alternativePath } from './path.js';

/** What the basis directories had for a file. */
export type BasisVerdict = { kind: 'none' } | { kind: 'done' } | { kind: 'basis'; type: number; path: Buffer };

/** What a look into the basis directories came to, the better the higher. */
const Level = { NONE: 0, TYPE: 1, CONTENT: 2, ALL: 3 } as const;

/** What was found for a directory, a link or a special: nothing, something alike, the same, or what could not be linked. */
export type OtherVerdict = 'none' | 'alike' | 'same' | 'refused';

/** Looks for entries in the --compare-dest, --copy-dest and --link-dest directories (9.5). */
export class BasisDirs {
  private readonly found = new FileStat();
  private readonly best = new FileStat();
  private bestDir = -1;
  /** Where the last search for something that is no file, or for a member of a group, found what it took. */
  bestPath: Buffer | null = null;

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
      if (this.isHidden(row, pathBelow(basisDirs[i], name))) continue;
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
    const { list, options: o } = this.receiving.session;
    const errno = o.fakeSuper ? lstatFake(path, found) : lstatInto(path, found);
    if (errno !== 0 || !found.exists) return Level.NONE;
    if ((found.mode & S_IFMT) !== (list.mode(row) & S_IFMT)) return Level.NONE;
    if (!this.sameContent(row, path)) return Level.TYPE;
    return this.sameAttributes(row, found, path) ? Level.ALL : Level.CONTENT;
  }

  private sameContent(row: number, path: Buffer): boolean {
    const { list, options: o } = this.receiving.session;
    const { found } = this;
    if (found.isRegular) return this.check.same(row, path, found);
    if (found.isLink) {
      if (list.extra(row) < 0) return false;
      const target = o.fakeSuper ? readFakeLink(path, true) : fs.readlinkSync(path, { encoding: 'buffer' });
      return target.equals(list.target(row));
    }
    if (!found.isDevice) return true;
    return found.rdevMajor === list.major(row) && found.rdevMinor === list.minor(row);
  }

  /** Here times count for every type that has any, whatever -O says. */
  private sameAttributes(row: number, st: FileStat, path: Buffer): boolean {
    const { list, options: o } = this.receiving.session;
    if (this.itemizer.differences(row, st, 0, null, path) & ~(Item.REPORT_TIME | Item.REPORT_ATIME)) return false;
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
        this.itemizer.announce(ndx, row, this.best, 0, 0, null, path);
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
        const flags = Item.LOCAL_CHANGE | Item.XNAME_FOLLOWS;
        this.itemizer.announce(ndx, row, this.best, flags, 0, Buffer.alloc(0), path);
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
          parts.xattrs?.copy(path, temp, row, st);
          parts.attrs.apply(temp, session.list, row, st, { isNew: true });
        });
      } catch (error) {
        session.log.xferError(`rsync: [generator] copy_file ${receiving.fullName(name)} failed: ${errnoText(error)}\n`);
        return false;
      }
    }
    this.itemizer.announce(ndx, row, this.best, Item.LOCAL_CHANGE, 0, null, path);
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
    const path = alternativePath(receiving, o.basisDirs[this.bestDir], receiving.relativePath(row));
    this.bestPath = path;
    if (level < Level.ALL) {
      st.copyFrom(best);
      return 'alike';
    }
    const wantsLink = o.basisKind === 'link' && !best.isDir;
    const linked = wantsLink && this.hardLink(row, path);
    if (linked) this.entries.finished(ndx, row);
    if (receiving.printsItems && ((o.info.name ?? 0) >= 2 || this.itemizer.itemizesAll)) {
      const change =
        o.basisKind === 'compare' && !best.isDir ? 0 : Item.LOCAL_CHANGE | (linked ? Item.XNAME_FOLLOWS : 0);
      this.itemizer.announce(ndx, row, best, change | Item.MATCHED, 0, linked ? Buffer.alloc(0) : null, path);
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
        this.bestPath = path;
        return true;
      }
      if (!found.isRegular || !this.check.same(row, path, found)) continue;
      has = true;
      st.copyFrom(found);
      this.bestPath = path;
      if (this.sameAttributes(row, found, path)) break;
    }
    return has;
  }
}
