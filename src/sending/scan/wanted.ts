import type { FilterScope } from '../../../protocol/filter/rules.js';
import { EntryFlag } from '../../../protocol/flist/list.js';
import type { ByteString } from '../../../protocol/options.js';
import { Errno } from '../../libc/errno.js';
import type { SourceBase } from './base.js';
import type { SourceBases } from './bases.js';
import type { Finder } from './find.js';

/** What of a directory's content comes along, if the options recurse: nothing, what lies directly in it, or all. */
export type WantedContent = 'none' | 'level' | 'tree';

/** A single name that a sender is to list, whatever else is around it. */
export interface WantedEntry {
  /** Directory that the name is relative to, absolute. */
  base: ByteString;
  /** Name in the transfer; '' is the base itself. */
  name: ByteString;
  content: WantedContent;
  /** The base is a part of the transfer, as with an argument like `dir/`: it comes along, and its filter files hold. */
  withBase: boolean;
}

/** What is known of a directory on the way to a name. */
interface Way {
  /** Rules for what it holds; null: it is not there, or the rules exclude it, and nothing below it is sent. */
  scope: FilterScope | null;
  /** Device with -x, else 0. */
  device: number;
}

const CLOSED: Way = { scope: null, device: 0 };

/**
 * Lists single names, each with the directories that lead to it, as if a scan of everything had found them: what the
 * rules exclude, or what lies below something that they exclude, is not sent. A name that is not there becomes a row for
 * --delete-missing-args, and so does only the topmost of several. Names must come sorted, parents first.
 */
export class WantedEntries {
  private readonly ways = new Map<ByteString, Way>();

  constructor(
    private readonly finder: Finder,
    private readonly bases: SourceBases,
  ) {}

  /** Appends what belongs to one name. Returns the row of a directory whose content is to be listed, else -1. */
  add(wanted: WantedEntry): number {
    const base = this.bases.find(wanted.base);
    if (base === null) return -1;
    const { name } = wanted;
    const top = this.top(base, wanted);
    if (name === '') return wanted.content === 'none' ? -1 : this.addBaseDir(base);
    let way = top;
    for (let at = name.indexOf('/'); at >= 0 && way.scope !== null; at = name.indexOf('/', at + 1)) {
      way = this.enter(name.slice(0, at), base, way);
    }
    return way.scope === null ? -1 : this.addLeaf(wanted, base, way);
  }

  /** The base of a transfer, sent once if it is a part of it. */
  private top(base: SourceBase, wanted: WantedEntry): Way {
    const key = `${base.number}:`;
    let way = this.ways.get(key);
    if (way !== undefined) return way;
    const { finder } = this;
    const errno = finder.lookAt('.', base, true);
    if (errno !== 0) {
      finder.reportLost(errno, '.', base);
      way = CLOSED;
    } else {
      const scope = wanted.withBase ? base.scope.into('.') : base.scope;
      way = { scope, device: finder.looker.stat.dev };
      if (wanted.withBase && !(wanted.name === '' && wanted.content !== 'none'))
        finder.addPath('.', base, EntryFlag.IMPLIED_DIR);
    }
    this.ways.set(key, way);
    return way;
  }

  private addBaseDir(base: SourceBase): number {
    const { finder } = this;
    if (finder.lookAt('.', base, true) !== 0) return -1;
    return finder.addPath('.', base, EntryFlag.TOP_DIR | EntryFlag.CONTENT_DIR);
  }

  /** Sends a directory on the way, once, and finds out what holds in it. */
  private enter(dir: ByteString, base: SourceBase, above: Way): Way {
    const key = `${base.number}:${dir}`;
    const known = this.ways.get(key);
    if (known !== undefined) return known;
    const { finder } = this;
    const { looker, ctx } = finder;
    const errno = finder.lookAt(dir, base, ctx.options.copyDirlinks);
    let way = CLOSED;
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) {
      this.addGone(dir, base, above);
    } else if (errno !== 0) {
      finder.reportLost(errno, dir, base);
    } else if (above.scope!.verdict(dir, looker.stat.isDir) >= 0 && this.isOnDevice(above)) {
      // What has taken the place of a directory is sent instead of what was in it.
      const { isDir, dev } = looker.stat;
      finder.addPath(dir, base, isDir ? EntryFlag.IMPLIED_DIR : 0);
      if (isDir) way = { scope: above.scope!.into(dir), device: dev };
    }
    this.ways.set(key, way);
    return way;
  }

  private isOnDevice(above: Way): boolean {
    const { looker, ctx } = this.finder;
    return ctx.options.oneFileSystem === 0 || !looker.stat.isDir || looker.stat.dev === above.device;
  }

  private addLeaf(wanted: WantedEntry, base: SourceBase, above: Way): number {
    const { finder } = this;
    const { looker, ctx } = finder;
    const { options: o } = ctx;
    const { name } = wanted;
    // A directory that was on the way to a name of another source has been sent already.
    const key = `${base.number}:${name}`;
    if (this.ways.has(key) && wanted.content === 'none') return -1;
    const errno = finder.lookAt(name, base, o.copyDirlinks);
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) {
      this.addGone(name, base, above);
      this.ways.set(key, CLOSED);
      return -1;
    }
    if (errno !== 0) {
      finder.reportLost(errno, name, base);
      return -1;
    }
    const { isDir, dev } = looker.stat;
    if (above.scope!.verdict(name, isDir) < 0) return -1;
    if (isDir && !o.recurse && o.dirs === 0) return -1;
    const isListed = wanted.content !== 'none' && isDir && o.recurse && this.isOnDevice(above);
    const row = finder.addPath(name, base, isListed ? EntryFlag.TOP_DIR | EntryFlag.CONTENT_DIR : 0);
    if (!isDir) return -1;
    const isOpen = this.isOnDevice(above);
    this.ways.set(key, isOpen ? { scope: above.scope!.into(name), device: dev } : CLOSED);
    return isListed ? row : -1;
  }

  /** A name that is not there, so that nobody knows what kind of thing it was. */
  private addGone(name: ByteString, base: SourceBase, above: Way): void {
    const { finder } = this;
    if (!finder.ctx.options.deleteMissingArgs) return;
    if (!finder.isExcludedEitherWay(name, base, above.scope!)) finder.addMissing(name, base, EntryFlag.TOP_DIR);
  }
}
