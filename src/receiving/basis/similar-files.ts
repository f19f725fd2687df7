import fs from 'node:fs';
import { Basis } from '../../../protocol/constants.js';
import type { ByteString } from '../../../protocol/options.js';
import { lastName, parentOf, pathBelow } from '../../../protocol/path.js';
import { FileStat, lstatInto } from '../../files/stat.js';
import { similarSelected, similarState } from '../../report/messages.js';
import { EDIT, nameDistance, suffixOf } from '../name-distance.js';
import type { Receiving } from '../receiving.js';
import { similarDir, similarPath } from './path.js';

/** Names that are further apart have nothing to do with each other. */
const MOST = 25 * EDIT;
/** A file that may serve as basis for one of another name. */
interface Candidate {
  name: ByteString;
  suffix: ByteString;
  size: number;
  mtime: number;
  mode: number;
}

/** The basis that was found: what its type byte is (9.5), and the name that travels with it. */
export interface SimilarFile {
  type: number;
  name: ByteString;
  path: Buffer;
  size: number;
  mode: number;
}

/** --fuzzy: finds a basis for a file that is not there among the files beside it, and given twice, in the basis directories. */
export class SimilarFiles {
  /** The directory that was looked at last; null: none. */
  private dir: ByteString | null = null;
  /** What it has in the destination, then in each basis directory. */
  private candidates: Candidate[][] = [];
  private readonly stat = new FileStat();
  private readonly levels: readonly number[];

  constructor(private readonly receiving: Receiving) {
    this.levels = Array.from({ length: receiving.session.options.fuzzy }, (_, level) => level);
  }

  /** Looks for a file with the size and time of a row's file, else for one with a name that is like its own. */
  find(row: number): SimilarFile | null {
    const { list } = this.receiving.session;
    const path = this.receiving.relativePath(row);
    const dir = parentOf(path);
    if (dir !== this.dir) this.candidates = this.levels.map((level) => this.read(dir, level));
    this.dir = dir;
    const same = this.sameState(list.size(row), list.mtime(row));
    const found = same ?? this.likeName(lastName(path));
    if (found === null) return null;
    const [level, candidate] = found;
    const { name, size, mode } = candidate;
    this.tell(path, this.shown(dir, name, level), same !== null);
    return { type: Basis.FUZZY + level, name, path: similarPath(this.receiving, dir, name, level), size, mode };
  }

  /** A row's file is about to change, so it is no basis for those that follow; what was found before stays. */
  changing(row: number): void {
    const path = this.receiving.relativePath(row);
    if (parentOf(path) !== this.dir) return;
    const name = lastName(path);
    this.candidates[0] = this.candidates[0].filter((candidate) => candidate.name !== name);
  }

  /** --debug=fuzzy */
  private tell(path: ByteString, basis: ByteString, isSameState: boolean): void {
    const { log, options: o } = this.receiving.session;
    const debug = o.debug.fuzzy ?? 0;
    if (debug >= 2 && isSameState) log.info(similarState(basis));
    if (debug >= 1) log.info(similarSelected(path, basis));
  }

  /** A candidate's name for messages: whole in a basis directory. */
  private shown(dir: ByteString, name: ByteString, level: number): ByteString {
    const path = pathBelow(similarDir(this.receiving, dir, level), name);
    return level === 0 || path.startsWith('/') ? path : `${this.receiving.shownRoot}/${path}`;
  }

  private read(dir: ByteString, level: number): Candidate[] {
    const { receiving, stat } = this;
    const found: Candidate[] = [];
    const place = similarDir(receiving, dir, level);
    for (const name of namesIn(similarPath(receiving, dir, '.', level))) {
      if (receiving.parts.moduleHides?.(pathBelow(place, name), false)) continue;
      if (lstatInto(similarPath(receiving, dir, name, level), stat) !== 0 || !stat.isRegular || stat.size === 0)
        continue;
      found.push({ name, suffix: suffixOf(name), size: stat.size, mtime: stat.mtime, mode: stat.mode });
    }
    return found;
  }

  private sameState(size: number, mtime: number): [number, Candidate] | null {
    for (const [level, candidates] of this.candidates.entries()) {
      for (const candidate of candidates) {
        if (candidate.size === size && candidate.mtime === mtime) return [level, candidate];
      }
    }
    return null;
  }

  private likeName(name: ByteString): [number, Candidate] | null {
    const suffix = suffixOf(name);
    let least = MOST;
    let best: [number, Candidate] | null = null;
    for (const [level, candidates] of this.candidates.entries()) {
      for (const candidate of candidates) {
        const apart = nameDistance(candidate.name, candidate.suffix, name, suffix, least);
        // Of several that are equally near the last one counts, as with rsync.
        if (apart > least) continue;
        least = apart;
        best = [level, candidate];
      }
    }
    return best;
  }
}

function namesIn(dir: Buffer): ByteString[] {
  try {
    return fs.readdirSync(dir, { encoding: 'latin1' }).sort();
  } catch {
    return [];
  }
}
