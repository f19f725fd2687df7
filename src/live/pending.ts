import type { ByteString } from '../../protocol/options.js';
import type { WantedEntry } from '../sending/scan-wanted.js';
import { Change } from '../watch/changes.js';
import { DirtySet, type Mark, TREE } from './dirty-set.js';
import type { HardLinks } from './hard-links.js';
import { type Move, Moves } from './moves.js';
import type { SourceNames, SourcePlace } from './source-tree.js';

const NAMES = Change.MADE | Change.REMOVED;
const CONTENT = Change.WRITTEN | Change.MODIFIED;
const NEVER = Number.POSITIVE_INFINITY;

/** One source of a mirror, as one target sees it. */
export interface TargetSource {
  place: SourcePlace;
  names: SourceNames;
  /** Null for a source that is one file. */
  links: HardLinks | null;
  /** -H: names of one file travel together. Otherwise only content that was written through one of them matters. */
  joinsLinks: boolean;
}

/** Marks that a session has taken, by source. */
export type Taken = readonly Mark[][];

/** Everything that one target does not have yet, and what of it a session is bringing there. */
export class Pending {
  private readonly sets: DirtySet[];
  /** A comparison of everything is owed, with options of its own. */
  fullOwed = true;
  fullOptions: readonly ByteString[] = [];
  private fullSince = Date.now();
  private inFlightSince = NEVER;
  readonly moves = new Moves();
  /** Time of the last change, in milliseconds since 1970. */
  newest = 0;
  /** Names have come or gone among what waits. */
  hasNewNames = false;
  /** Number of marks that a session has taken. */
  inFlight = 0;

  constructor(
    private readonly sources: readonly TargetSource[],
    limit: number,
    /** Directories that moved are remembered, not only marked at both ends. */
    private readonly keepsMoves: boolean,
  ) {
    this.sets = sources.map(() => new DirtySet(limit));
  }

  mark(source: number, path: ByteString, what: number, since: number): void {
    this.sets[source].mark(path, what, since);
    this.newest = since;
    if ((what & NAMES) !== 0) this.hasNewNames = true;
  }

  /** Notes a move within a source: what was to be told of the old place, and below it, holds for the new one. */
  move(move: Move, isDir: boolean, since: number): void {
    const { source, from, to } = move;
    const set = this.sets[source];
    const kind = isDir ? Change.DIRECTORY : 0;
    set.move(from, to);
    this.newest = since;
    this.hasNewNames = true;
    set.mark(from, Change.REMOVED | kind, since);
    set.mark(to, Change.MADE | kind, since);
    if (isDir && this.keepsMoves) this.moves.add(move);
  }

  /** All of a directory is to be compared. */
  markTree(source: number, path: ByteString): void {
    this.sets[source].mark(path, TREE, Date.now());
  }

  oweFull(options: readonly ByteString[]): void {
    if (!this.fullOwed) this.fullSince = Date.now();
    this.fullOwed = true;
    this.fullOptions = options;
  }

  /** True when single entries will not do. */
  get needsFull(): boolean {
    return this.fullOwed || this.sets.some((set) => set.everything);
  }

  /** Number of paths that wait or are on their way. */
  get count(): number {
    return this.sets.reduce((sum, set) => sum + set.count, 0) + this.inFlight;
  }

  /** What is left to do, a comparison of everything counted as one thing. */
  get left(): number {
    return this.count + (this.fullOwed ? 1 : 0);
  }

  /** Time of the oldest change that waits for a session, in milliseconds since 1970; Infinity without one. */
  get oldestWaiting(): number {
    return this.sets.reduce((oldest, set) => Math.min(oldest, set.oldest), this.fullOwed ? this.fullSince : NEVER);
  }

  /** The same with those on their way. */
  get oldest(): number {
    return Math.min(this.oldestWaiting, this.inFlightSince);
  }

  /** Takes all that a comparison of everything brings over. */
  takeAll(): void {
    this.inFlightSince = this.oldestWaiting;
    this.inFlight = 0;
    // From here on changes count again: the scan may have passed them already.
    for (const set of this.sets) set.take();
    this.moves.take();
    this.hasNewNames = false;
    this.fullOwed = false;
  }

  /** Puts it back after a failure. */
  restoreAll(): void {
    this.fullOwed = true;
    this.fullSince = this.inFlightSince;
    this.settle();
  }

  /** All marks that wait, without taking them. */
  peek(): Taken {
    return this.sets.map((set) => set.list());
  }

  /** Takes all marks for a session of single entries, with the other names of files that have several. */
  async take(): Promise<Taken> {
    this.inFlightSince = this.oldestWaiting;
    const taken = this.sets.map((set) => set.take());
    // Directories that moved a moment ago are sent whole: this session removes their old places.
    this.moves.take();
    this.hasNewNames = false;
    for (let source = 0; source < taken.length; source++) {
      const { links, joinsLinks } = this.sources[source];
      if (links !== null && taken[source].length > 0) {
        taken[source] = await (joinsLinks ? withLinks(taken[source], links) : withWritten(taken[source], links));
      }
    }
    this.inFlight = taken.reduce((sum, marks) => sum + marks.length, 0);
    return taken;
  }

  restore(taken: Taken): void {
    for (let source = 0; source < taken.length; source++) this.sets[source].restore(taken[source]);
    this.settle();
  }

  /** Nothing is on its way any more. */
  settle(): void {
    this.inFlightSince = NEVER;
    this.inFlight = 0;
  }

  wanted(taken: Taken): WantedEntry[] {
    return taken.flatMap((marks, source) =>
      marks.map(({ path, what }) => this.sources[source].names.wanted(path, (what & TREE) !== 0)),
    );
  }

  /** Which source a whole path belongs to, and where in it. */
  placeOf(full: ByteString): { source: number; path: ByteString } | null {
    for (let source = 0; source < this.sources.length; source++) {
      const { path } = this.sources[source].place;
      if (full === path) return { source, path: '' };
      const prefix = path.endsWith('/') ? path : `${path}/`;
      if (full.startsWith(prefix)) return { source, path: full.slice(prefix.length) };
    }
    return null;
  }
}

async function withLinks(marks: Mark[], links: HardLinks): Promise<Mark[]> {
  const isTree = ({ what }: Mark) => (what & TREE) !== 0;
  const paths = (which: Mark[]) => which.map((mark) => mark.path);
  const beside = await links.namesBeside(paths(marks), paths(marks.filter(isTree)));
  return withNames(marks, beside, Change.ATTRIBUTES);
}

/** Adds the other names of files that were written to: no event tells that their content changed. */
async function withWritten(marks: Mark[], links: HardLinks): Promise<Mark[]> {
  const written = marks.filter(({ what }) => (what & CONTENT) !== 0 && (what & (Change.MADE | TREE)) === 0);
  if (written.length === 0) return marks;
  const beside = await links.namesBeside(
    written.map((mark) => mark.path),
    [],
  );
  return withNames(marks, beside, Change.WRITTEN);
}

function withNames(marks: Mark[], names: readonly ByteString[], what: Change): Mark[] {
  if (names.length === 0) return marks;
  const set = new DirtySet(NEVER);
  set.restore(marks);
  for (const path of names) set.mark(path, what, Date.now());
  return set.take();
}
