import type { FilterScope } from '../../../protocol/filter/rules.js';
import { EntryFlag } from '../../../protocol/flist/list.js';
import type { ByteString } from '../../../protocol/options.js';
import { pathBelow } from '../../../protocol/path.js';
import { NameKind, type SourceArgument } from './argument.js';
import type { SourceBase } from './base.js';
import type { Finder } from './find.js';

/** What is still to be sent below a directory that -R brought along. */
interface Rest {
  /** Path below that directory. */
  path: ByteString;
  kind: number;
  missing: boolean;
}

/** The directories that lead to a -R name: they are sent along, marked as implied (7.8). */
export class ImpliedParents {
  /** Incremental recursion: names go into the lists of their directories; what waits for each, by base and path. */
  private readonly rests = new Map<string, Rest[]>();
  /** The directories that were sent last, by base and path. */
  private last = '';

  constructor(private readonly finder: Finder) {}

  /** Sends the parents of a name. True when the name itself is to come with the list of its directory. */
  send(a: SourceArgument, missing: boolean, base: SourceBase): boolean {
    const { protocol, options: o, incremental } = this.finder.ctx;
    const { name } = a;
    if (incremental) {
      const slash = name.indexOf('/', 1);
      if (slash < 0) return false;
      this.step(name.slice(0, slash), { path: name.slice(slash + 1), kind: a.kind, missing }, base);
      return true;
    }
    const end = name.lastIndexOf('/');
    if (end <= 0 || (protocol < 30 && !o.impliedDirs)) return false;
    const sent = `${this.last}/`;
    for (let at = name.indexOf('/', 1); at > 0; at = name.indexOf('/', at + 1)) {
      const dir = name.slice(0, at);
      if (!sent.startsWith(`${base.number}:${dir}/`)) this.addImplied(dir, base);
    }
    this.last = `${base.number}:${name.slice(0, end)}`;
    return false;
  }

  /** Sends one directory of the way, unless it was the last one, and notes what is wanted below it. */
  private step(dir: ByteString, rest: Rest, base: SourceBase): void {
    const key = `${base.number}:${dir}`;
    if (key !== this.last) this.addImplied(dir, base);
    this.last = key;
    const rests = this.rests.get(key);
    if (rests === undefined) this.rests.set(key, [rest]);
    else rests.push(rest);
  }

  /** Links are followed, and the rules of the transfer do not count. */
  private addImplied(name: ByteString, base: SourceBase): void {
    const { finder } = this;
    const { looker } = finder;
    const errno = looker.follow(name, base);
    looker.target = null;
    if (base.isHidden(name, errno !== 0 || looker.stat.isDir)) return;
    if (errno !== 0) finder.reportLost(errno, name, base);
    else finder.addPath(name, base, EntryFlag.IMPLIED_DIR);
  }

  /** Incremental recursion: appends what names asked for in the directory whose list is being made. */
  sendRest(path: ByteString, base: SourceBase, scope: FilterScope): void {
    const key = `${base.number}:${path}`;
    const rests = this.rests.get(key);
    if (rests === undefined) return;
    this.rests.delete(key);
    for (const rest of rests) {
      const slash = rest.path.indexOf('/');
      if (slash < 0) this.addLeaf(pathBelow(path, rest.path), rest, base, scope);
      else this.step(pathBelow(path, rest.path.slice(0, slash)), { ...rest, path: rest.path.slice(slash + 1) }, base);
    }
  }

  private addLeaf(name: ByteString, rest: Rest, base: SourceBase, scope: FilterScope): void {
    const { finder } = this;
    const flags = EntryFlag.TOP_DIR | EntryFlag.CONTENT_DIR;
    if (rest.missing) {
      finder.addMissing(name, base, flags);
      return;
    }
    const asDirectory = rest.kind !== NameKind.NORMAL;
    const errno = finder.lookAt(name, base, asDirectory || finder.ctx.options.copyDirlinks);
    if (errno === 0) {
      if (!finder.isExcluded(name, finder.looker.stat.isDir, base, scope)) finder.addPath(name, base, flags);
    } else if (asDirectory) {
      finder.reportLostDirectory(errno, name, base);
    } else if (!finder.isExcludedEitherWay(name, base, scope)) {
      finder.reportLost(errno, name, base);
    }
  }
}
