import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { cleanPath } from '../../protocol/filter/parse.js';
import type { ByteString } from '../../protocol/options.js';
import type { CommandOptions } from '../cli/options.js';
import { planJob } from '../client/target.js';
import { errnoText } from '../report/errno.js';
import type { ClientLog } from '../report/log.js';
import { Change, type TreeWatcher } from '../watch/changes.js';
import { watchTree } from '../watch/watch.js';
import { TREE } from './dirty-set.js';
import { HardLinks } from './hard-links.js';
import { isLasting } from './health.js';
import { OpenFiles } from './open-files.js';
import type { TargetSource } from './pending.js';
import { RuleChanges } from './rule-changes.js';
import { below, locateSource, SourceNames, type SourcePlace } from './source-tree.js';
import { Target } from './target.js';
import { checkMirrored, TargetOptions } from './target-options.js';
import type {
  CreateMirror,
  Mirror,
  MirrorEvents,
  MirrorSpec,
  MirrorStatus,
  SessionSlots,
  StartResult,
} from './types.js';

/** Makes a mirror of the sources at every target; `start` sets it going. */
export const createMirror: CreateMirror = (spec, events, slots = null, output = null) =>
  new RunningMirror(spec, events, slots, output);

class RunningMirror implements Mirror {
  private readonly places: SourcePlace[];
  private readonly targets: Target[];
  /** By target, then by source. */
  private readonly sources: TargetSource[][] = [];
  private readonly watchers: (TreeWatcher | null)[] = [];
  private readonly openFiles: OpenFiles[];
  private readonly ruleChanges: RuleChanges[];
  private readonly started = Date.now();
  private stopped = false;

  constructor(
    private readonly spec: MirrorSpec,
    private readonly events: MirrorEvents,
    slots: SessionSlots | null,
    output: ClientLog | null,
  ) {
    const cwd = Buffer.from(process.cwd()).toString('latin1');
    const all = spec.targets.map((target) => new TargetOptions(target, spec.sources));
    for (const options of all) checkMirrored(options.full());
    this.places = spec.sources.map((arg) => located(arg, cwd));
    this.targets = spec.targets.map((target, i) => {
      const options = all[i];
      const o = options.full();
      checkOutside(o, this.places, cwd);
      const sources = this.places.map((place) => targetSource(place, o, cwd));
      this.sources.push(sources);
      const obstacle = () => this.obstacle();
      return new Target(target, { mirror: spec, options, sources, events, slots, output, obstacle });
    });
    this.openFiles = this.places.map(
      (_, source) => new OpenFiles((path, since) => this.markAll(source, path, Change.MODIFIED, since)),
    );
    this.ruleChanges = this.places.map((_, source) => {
      const due = (dir: ByteString, target: number) =>
        this.targets[target].changed(source, dir, TREE | Change.DIRECTORY, Date.now(), true);
      return new RuleChanges(() => this.watchers[source], due);
    });
  }

  async start(): Promise<readonly StartResult[]> {
    this.places.forEach((place, source) => {
      this.watch(source);
      const { via, watches } = this.watchers[source]!;
      this.events.log(
        'info',
        `watching ${toText(place.arg)} (${via}, ${watches} ${watches === 1 ? 'watch' : 'watches'})`,
      );
    });
    return Promise.all(
      this.targets.map(async (target) => {
        const error = await target.start();
        return { target: target.spec.name, error, lasting: error !== null && isLasting(error) };
      }),
    );
  }

  // --- what changes --------------------------------------------------------------------------------------------------

  private watch(source: number): void {
    const place = this.places[source];
    this.ruleChanges[source].flush();
    this.watchers[source]?.close();
    const names = this.sources.map((sources) => sources[source].names);
    this.watchers[source] = watchTree(
      {
        root: place.root,
        isExcluded: (path) => place.only !== null || names.every((n) => n.excludesDirectory(path)),
        wanted: this.spec.wanted,
        via: this.spec.watchVia,
        pollMs: this.spec.pollMs,
        report: (kind, text) => this.events.log(kind, text),
      },
      {
        changed: (path, what) => this.changed(source, path, what),
        moved: (from, to, isDir) => this.moved(source, from, to, isDir),
        stale: (path, why) => this.stale(source, path, why),
      },
    );
  }

  private changed(source: number, path: ByteString, what: Change): void {
    const { only } = this.places[source];
    if (only !== null) {
      if (path !== only) return;
      path = '';
    }
    const files = this.openFiles[source];
    if (what === Change.MODIFIED) {
      files.written(path, Date.now());
      return;
    }
    files.forget(path);
    this.markAll(source, path, what, Date.now());
  }

  private markAll(source: number, path: ByteString, what: number, since: number): void {
    for (let target = 0; target < this.targets.length; target++) this.mark(target, source, path, what, since);
  }

  private mark(target: number, source: number, path: ByteString, what: number, since: number): void {
    const isDir = (what & Change.DIRECTORY) !== 0;
    const { names } = this.sources[target][source];
    const ruled = isDir ? null : names.ruledBy(path);
    if (ruled === null) {
      this.targets[target].changed(source, path, what, since, isDir);
      return;
    }
    // The file of rules is sent with what is compared because of it: a run of rsync deletes by the rules that are there.
    names.forgetRules();
    this.ruleChanges[source].add(ruled, target);
  }

  private moved(source: number, from: ByteString, to: ByteString, isDir: boolean): void {
    const kind = isDir ? Change.DIRECTORY : 0;
    if (this.places[source].only !== null) {
      this.changed(source, from, Change.REMOVED | kind);
      this.changed(source, to, Change.MADE | kind);
      return;
    }
    this.openFiles[source].forget(from);
    const since = Date.now();
    this.targets.forEach((target, i) => {
      const { names } = this.sources[i][source];
      if (isDir || [from, to].every((path) => names.ruledBy(path) === null)) {
        target.moved({ source, from, to, isDir }, since);
        return;
      }
      this.mark(i, source, from, Change.REMOVED, since);
      this.mark(i, source, to, Change.MADE | Change.WRITTEN, since);
    });
  }

  private stale(source: number, path: ByteString, why: string): void {
    if (this.stopped) return;
    if (path === '') this.events.log('info', `${toText(this.places[source].arg)}: everything is compared: ${why}`);
    this.markAll(source, this.places[source].only === null ? path : '', TREE | Change.DIRECTORY, Date.now());
  }

  /** Why nothing may be sent: a source whose root is gone or replaced looks like one whose content was deleted. */
  private obstacle(): string | null {
    const lost = this.places.find((_, i) => this.watchers[i]?.rootIsSame() === false);
    return lost === undefined
      ? null
      : `${toText(lost.path)} is not the directory that it was: nothing of it is mirrored`;
  }

  // --- control -------------------------------------------------------------------------------------------------------

  async stop(drain: boolean): Promise<number> {
    if (drain) for (const files of this.openFiles) files.flush();
    for (const changes of this.ruleChanges) changes.flush();
    const left = await Promise.all(this.targets.map((target) => target.stop(drain)));
    this.close();
    return left.reduce((sum, n) => sum + n, 0);
  }

  /** Ends running sessions at once. */
  abort(): void {
    for (const target of this.targets) target.abort();
  }

  private close(): void {
    this.stopped = true;
    for (const changes of this.ruleChanges) changes.flush();
    for (const watcher of this.watchers) watcher?.close();
    for (const files of this.openFiles) files.close();
  }

  private named(name: string | undefined): Target[] {
    const found = this.targets.filter((target) => name === undefined || target.spec.name === name);
    if (found.length === 0) throw new RangeError(`there is no target ${name}`);
    return found;
  }

  resync(target?: string, extraOptions: readonly ByteString[] = []): void {
    // Whoever asks for a comparison takes the root of each source for what it is now.
    this.places.forEach((_, source) => {
      if (this.watchers[source]?.rootIsSame() === false) this.watch(source);
    });
    const found = this.named(target);
    this.reviewed(() => {
      for (const one of found) one.resync(extraOptions);
    });
  }

  /** Calls back, at once if there are no files of rules, when what counts by now is watched: some may lie above a root. */
  private reviewed(done: () => void): void {
    const ruled = this.places.map((_, source) => source).filter((source) => this.hasRuleFiles(source));
    let left = ruled.length;
    if (left === 0) done();
    for (const source of ruled) {
      this.watchers[source]?.review('', () => {
        if (--left === 0) done();
      });
    }
  }

  private hasRuleFiles(source: number): boolean {
    return this.sources.some((sources) => sources[source].names.hasRuleFiles);
  }

  pause(target?: string): void {
    for (const found of this.named(target)) found.pause();
  }

  resume(target?: string): void {
    for (const found of this.named(target)) found.resume();
  }

  status(): MirrorStatus {
    const watchers = this.watchers.filter((w) => w !== null);
    const sum = (of: (w: TreeWatcher) => number) => watchers.reduce((total, w) => total + of(w), 0);
    return {
      name: this.spec.name,
      sources: this.spec.sources.map(toText),
      started: this.started,
      via: watchers[0]?.via ?? '',
      watches: sum((w) => w.watches),
      events: sum((w) => w.events),
      overflows: sum((w) => w.overflows),
      targets: this.targets.map((target) => target.status()),
    };
  }
}

function targetSource(place: SourcePlace, o: CommandOptions, cwd: ByteString): TargetSource {
  const names = new SourceNames(place, o, cwd);
  const links = place.only === null ? new HardLinks(place.root, (dir) => names.excludesDirectory(dir)) : null;
  return { place, names, links, joinsLinks: o.hardLinks };
}

/** A copy within its own source would be copied again with each change, for ever. */
function checkOutside(o: CommandOptions, places: readonly SourcePlace[], cwd: ByteString): void {
  const { dest } = planJob(o);
  if (dest?.kind !== 'local') return;
  const path = cleanPath(dest.path.startsWith('/') ? dest.path : below(cwd, dest.path));
  for (const place of places) {
    if (place.only !== null) continue;
    const root = cleanPath(place.path);
    const prefix = root === '/' ? root : `${root}/`;
    const inside = path === root ? '' : path.startsWith(prefix) ? path.slice(prefix.length) : null;
    if (inside === null) continue;
    if (inside !== '' && new SourceNames(place, o, cwd).excludesTree(inside)) continue;
    throw new RsyncError(Exit.SYNTAX, `--watch: the destination ${dest.path} is within the source ${place.arg}`);
  }
}

/** Finds a source; one that is not there is told as rsync does (exit code 23). */
function located(arg: ByteString, cwd: ByteString): SourcePlace {
  try {
    return locateSource(arg, cwd);
  } catch (error) {
    throw new RsyncError(Exit.PARTIAL, `rsync: [sender] link_stat "${arg}" failed: ${errnoText(error)}`);
  }
}

function toText(name: ByteString): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}
