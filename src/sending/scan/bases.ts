import { Exit, IoError } from '../../../protocol/constants.js';
import { RsyncError } from '../../../protocol/errors.js';
import { cleanPath } from '../../../protocol/filter/parse.js';
import type { ByteString } from '../../../protocol/options.js';
import { Errno } from '../../libc/errno.js';
import { errnoText } from '../../report/errno.js';
import { foreignLink } from '../../report/messages.js';
import { type SourceTree, SourceTrees } from '../sources/source-trees.js';
import { SourceBase } from './base.js';
import type { Finder } from './find.js';

/** A row names its base with 16 bits. */
const MAX_BASES = 0xffff;

/** The directories that source names are relative to, by number and by path. */
export class SourceBases {
  private readonly bases: SourceBase[] = [];
  private readonly byPath = new Map<ByteString, SourceBase>();
  /** --files-from: what relative directories start from. */
  private start: ByteString = '';
  private readonly refuse = () => this.finder.ctx.report('warning', foreignLink());
  private readonly trees = new SourceTrees(this.refuse);

  constructor(private readonly finder: Finder) {}

  /** --files-from: names are relative to `dir`. Exit 3, after a message, when it is not there. */
  startIn(dir: ByteString): void {
    this.start = dir === '.' ? '' : dir;
    if (this.start !== '' && this.find(null) === null) throw new RsyncError(Exit.FILESELECT, '', true);
  }

  ofRow(row: number): SourceBase {
    return this.bases[this.finder.ctx.list.base(row)];
  }

  /** The base for arguments in `dir` (null: where the run starts); null, after a message, when it cannot be entered. */
  find(dir: ByteString | null): SourceBase | null {
    const { ctx } = this.finder;
    const isModule = ctx.root !== null;
    let path = isModule ? '/' : ctx.cwd;
    for (const step of [this.start, dir ?? '']) {
      if (step !== '') path = !isModule && step.startsWith('/') ? step : `${path === '/' ? '' : path}/${step}`;
    }
    if (isModule) path = cleanPath(path);
    const known = this.byPath.get(path);
    if (known !== undefined) return known;
    if (this.bases.length > MAX_BASES) throw new RsyncError(Exit.MALLOC, 'too many different source directories');
    const { filters, daemonFilters, root, options } = ctx;
    const refuse = options.insecureLinks ? null : this.refuse;
    const base = new SourceBase(this.bases.length, path, filters, daemonFilters, root, this.treeAt(path, dir), refuse);
    if ((dir !== null || this.start !== '') && !this.canEnter(base)) return null;
    base.written = dir ?? '';
    this.byPath.set(path, base);
    this.bases.push(base);
    return base;
  }

  /** What names below `path` do not lead out of, unless options say that they may. */
  private treeAt(path: ByteString, dir: ByteString | null): SourceTree | null {
    const { finder, start } = this;
    const { root, options: o } = finder.ctx;
    if (root !== null || o.insecureLinks || finder.looker.mayFollow || o.copyDirlinks) return null;
    // Such a name may begin anywhere, and all of it is the user's own.
    if (o.relative && dir === null && start === '') return null;
    return this.trees.at(path, o.relative);
  }

  /** Nothing is looked at any more. */
  close(): void {
    this.trees.close();
  }

  private canEnter(base: SourceBase): boolean {
    const { finder } = this;
    const { looker } = finder;
    let errno = base.path !== '' && base.isHiddenWithParents(base.path, true) ? Errno.ENOENT : looker.follow('.', base);
    if (errno === 0 && !looker.stat.isDir) errno = Errno.ENOTDIR;
    if (errno === 0) return true;
    finder.ioError |= IoError.GENERAL;
    // In a module that is no root of its own the directory is told as the client gave it.
    const path = finder.ctx.root === null ? base.path : base.path.slice(1);
    const shown = finder.quote(path === '' ? '/' : path);
    finder.ctx.report('error', `rsync: [sender] change_dir ${shown} failed: ${errnoText(errno)}\n`);
    return false;
  }
}
