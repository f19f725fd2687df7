import type { ByteString } from '../../protocol/options.js';
import { parentOf } from '../../protocol/path.js';
import type { WantedContent, WantedEntry } from '../sending/scan/wanted.js';
import { Change } from '../watch/changes.js';
import { DirtySet, LEVEL, type Mark, TREE } from './dirty-set.js';
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

/** Marks by source. */
export type Marks = readonly Mark[][];

/** What one session is bringing to the other side. */
export class Flight {
  private sets: readonly DirtySet[] | null = null;

  constructor(
    /** Null: everything. */
    private all: Marks | null,
    /** Time of the oldest change in it, in milliseconds since 1970. */
    readonly since: number,
  ) {}

  get marks(): Marks | null {
    return this.all;
  }

  /** Marks are found to belong to it. */
  extend(marks: Marks): void {
    this.all = marks;
    this.sets = null;
  }

  /** Number of marks. */
  get count(): number {
    return this.all === null ? 0 : this.all.reduce((sum, marks) => sum + marks.length, 0);
  }

  /** The marks of one source, for looking up what they concern. */
  of(source: number): DirtySet {
    this.sets ??= (this.all ?? []).map((marks) => {
      const set = new DirtySet(NEVER);
      set.restore(marks);
      return set;
    });
    return this.sets[source];
  }
}

/** Everything that one target does not have yet, and what of it sessions are bringing there. */
export class Pending {
  private readonly sets: DirtySet[];
  /** A comparison of everything is owed, with options of its own. */
  fullOwed = true;
  fullOptions: readonly ByteString[] = [];
  private fullSince = Date.now();
  private readonly flights = new Set<Flight>();
  readonly moves = new Moves();
  /** Time of the last change, in milliseconds since 1970. */
  newest = 0;
  /** Names have come or gone among what waits. */
  hasNewNames = false;

  constructor(
    private readonly sources: readonly TargetSource[],
    limit: number,
    /** What moved is remembered, not only marked at both ends. */
    private readonly keepsMove: (move: Move) => boolean,
  ) {
    this.sets = sources.map(() => new DirtySet(limit));
  }

  mark(source: number, path: ByteString, what: number, since: number): void {
    this.sets[source].mark(path, what, since);
    this.newest = since;
    if ((what & NAMES) !== 0) this.hasNewNames = true;
  }

  /** Notes a move within a source: what was to be told of the old place, and below it, holds for the new one. */
  move(move: Move, since: number): void {
    const { source, from, to, isDir } = move;
    const set = this.sets[source];
    const kind = isDir ? Change.DIRECTORY : 0;
    // A file that is still to be sent is nowhere over there, but one that only moved has its old name there.
    const isThere = isDir || !set.concerns(from) || this.moves.leadTo(source, from);
    set.move(from, to);
    this.newest = since;
    this.hasNewNames = true;
    set.mark(from, Change.REMOVED | kind, since);
    set.mark(to, Change.MADE | kind, since);
    if (isThere && this.keepsMove(move)) this.moves.add(move);
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
    let count = this.sets.reduce((sum, set) => sum + set.count, 0);
    for (const flight of this.flights) count += flight.count;
    return count;
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
    let oldest = this.oldestWaiting;
    for (const { since } of this.flights) oldest = Math.min(oldest, since);
    return oldest;
  }

  /** Takes all that a comparison of everything brings over. */
  takeAll(): Flight {
    const flight = new Flight(null, this.oldestWaiting);
    this.flights.add(flight);
    // From here on changes count again: the scan may have passed them already.
    for (const set of this.sets) set.take();
    this.moves.take();
    this.hasNewNames = false;
    this.fullOwed = false;
    return flight;
  }

  /** All marks that wait, without taking them. */
  peek(): Marks {
    return this.sets.map((set) => set.list());
  }

  /** True when something waits that no session is busy with. */
  get hasFree(): boolean {
    return this.sets.some((set, source) => {
      const busy = this.busyWith(source);
      return set.hasPath((path) => !busy.some((other) => other.concerns(path)));
    });
  }

  private busyWith(source: number): DirtySet[] {
    return [...this.flights].map((flight) => flight.of(source));
  }

  /**
   * Takes the marks for a session of single entries, with the other names of files that have several. What concerns the
   * same entries as a session that is still on its way waits for that.
   */
  async take(): Promise<Flight> {
    const since = this.oldestWaiting;
    const marks = this.sets.map((set, source) => set.take(this.busyWith(source)));
    // Directories that moved a moment ago are sent whole: this session removes their old places.
    this.moves.take();
    this.hasNewNames = false;
    const flight = new Flight(marks, since);
    this.flights.add(flight);
    flight.extend(await Promise.all(marks.map((some, source) => this.withOtherNames(some, source))));
    return flight;
  }

  private withOtherNames(marks: Mark[], source: number): Mark[] | Promise<Mark[]> {
    const { links, joinsLinks } = this.sources[source];
    if (links === null || marks.length === 0) return marks;
    return joinsLinks ? withLinks(marks, links) : withWritten(marks, links);
  }

  /** A session has brought it over. */
  landed(flight: Flight): void {
    this.flights.delete(flight);
  }

  /** A session failed: all of it waits again. */
  giveBack(flight: Flight): void {
    this.flights.delete(flight);
    if (flight.marks === null) {
      this.fullOwed = true;
      this.fullSince = Math.min(flight.since, Date.now());
    }
    flight.marks?.forEach((marks, source) => {
      this.sets[source].restore(marks);
    });
  }

  /**
   * The other side may have died while it wrote what a session brought: the directories of that are compared, so that a
   * temporary file that nobody removed does not stay there.
   */
  doubtDirectories({ marks: all }: Flight): void {
    all?.forEach((marks, source) => {
      for (const { path } of marks) if (path !== '') this.sets[source].mark(parentOf(path), LEVEL, Date.now());
    });
  }

  wanted({ marks: all }: Flight): WantedEntry[] {
    return (all ?? []).flatMap((marks, source) =>
      marks.map(({ path, what }) => this.sources[source].names.wanted(path, contentOf(what))),
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

function contentOf(what: number): WantedContent {
  if ((what & TREE) !== 0) return 'tree';
  return (what & LEVEL) !== 0 ? 'level' : 'none';
}

async function withLinks(marks: Mark[], links: HardLinks): Promise<Mark[]> {
  const isTree = ({ what }: Mark) => (what & TREE) !== 0;
  const paths = (which: Mark[]) => which.map((mark) => mark.path);
  const beside = await links.namesBeside(paths(marks), paths(marks.filter(isTree)));
  return withNames(marks, beside, Change.ATTRIBUTES);
}

/** Adds the other names of files that were written to: no event tells that their content changed. */
function withWritten(marks: Mark[], links: HardLinks): Mark[] | Promise<Mark[]> {
  const isWritten = ({ what }: Mark) => (what & CONTENT) !== 0 && (what & (Change.MADE | TREE)) === 0;
  const written = marks.filter((mark) => isWritten(mark) && !links.isAlone(mark.path));
  return written.length === 0 ? marks : withNamesOf(written, marks, links);
}

async function withNamesOf(written: readonly Mark[], marks: Mark[], links: HardLinks): Promise<Mark[]> {
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
