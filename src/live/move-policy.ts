import type { ByteString } from '../../protocol/options.js';
import type { CommandOptions } from '../cli/options.js';
import { isWorthMoving, type Move, mayBeLarge } from './moves.js';
import type { TargetSource } from './pending.js';
import { below } from './source-tree.js';
import type { TargetOptions } from './target-options.js';

/** Decides what moved is built from its old place on the other side, by a session of its own, before that is deleted. */
export class MovePolicy {
  private readonly keepsDirs: boolean;
  private readonly keepsFiles: boolean;

  constructor(
    private readonly options: TargetOptions,
    private readonly sources: readonly TargetSource[],
  ) {
    const o = options.full();
    this.keepsDirs = allowsMoves(o);
    // A file is built from a basis of another name.
    this.keepsFiles = this.keepsDirs && !(o.wholeFile ?? options.isLocal) && o.append === 0;
  }

  /** True for a move that is to be remembered. */
  keeps({ source, to, isDir }: Move): boolean {
    return isDir ? this.keepsDirs : this.keepsFiles && mayBeLarge(below(this.sources[source].place.path, to));
  }

  /** The options of its session; null: there is nothing to be gained. */
  optionsFor(move: Move): CommandOptions | null {
    const { source, from, to, isDir } = move;
    const { place, names } = this.sources[source];
    const ends = [names.nameOf(from), names.nameOf(to)] as const;
    if (!allowsNames(...ends) || !names.accepts(to, isDir) || !isWorthMoving(place.path, move)) return null;
    const path = below(place.path, to);
    return isDir ? this.options.moved(path, ...ends) : this.options.movedFile(path, ...ends);
  }
}

/** Characters that a shell or a daemon on the other side would take for a pattern. */
const SPECIAL = /[*?[\]\\]/;

/**
 * True when the options let what moved be sent by itself, with its old place as basis: their rules must mean the same
 * when they are applied from a directory on.
 */
function allowsMoves(o: CommandOptions): boolean {
  if (!o.recurse || o.basisKind !== null || o.backup || o.cvsExclude || o.existing || o.ignoreExisting) return false;
  // The places are arguments, and these are not converted.
  if (o.iconv !== '') return false;
  return o.filters.every(({ kind, value }) => {
    if (kind.endsWith('-from')) return false;
    return /^[^/]*\/?$/.test(value) && !(kind === 'filter' && /^(?:[.:]|merge|dir-merge)/.test(value));
  });
}

/** The same for the names of one move. */
function allowsNames(from: ByteString, to: ByteString): boolean {
  return !SPECIAL.test(from) && !SPECIAL.test(to);
}
