import t from 'tap';
import { diffDirs } from '../lib/compare.js';
import { RSYNC, SELF_CHECK, TSRSYNC } from '../lib/project.js';
import { normalize, PAIRS, type Route, referenceOf, routeName, type Way, World } from '../lib/routes.js';
import { type RunResult, run } from '../lib/run.js';
import { buildTree, cutTree, editTree, type MadeTree, settleDirs } from '../lib/tree.js';

const TREE = { seed: 41, files: 90, dirs: 25, hardLinks: true, fifos: true, oddNames: true, owners: true };

/** One run of the life of a copy: a new tree, edits, deletions with excludes, and nothing to do. */
interface Step {
  name: string;
  source: string;
  args: string[];
  /** The copy is then the same as the source. */
  equal: boolean;
}

const REPORT = ['-aHvi', '--no-whole-file', '--stats'];
const PRUNE = ['--delete', '--exclude=*.o', '--filter=P *.txt', '--exclude=/dir1/**'];
const STEPS: readonly Step[] = [
  { name: 'a new tree', source: 'src1/', args: [], equal: true },
  { name: 'edits', source: 'src2/', args: [], equal: true },
  { name: 'deletions with excludes', source: 'src3/', args: PRUNE, equal: false },
  { name: 'nothing to do', source: 'src3/', args: PRUNE, equal: false },
];

/** Three states of one tree, so that every route sees the same history. */
async function makeSources(world: World): Promise<void> {
  const tree = buildTree(world.path('src1'), TREE);
  const next = async (name: string): Promise<MadeTree> => {
    const copied = await run(RSYNC.command, ['-aH', `${tree.root}/`, `${world.path(name)}/`]);
    if (copied.code !== 0) throw new Error(copied.stderr);
    tree.root = world.path(name);
    return tree;
  };
  editTree(await next('src2'), 42, 25);
  cutTree(await next('src3'), 43, 12);
  settleDirs(tree, 44);
}

function routes(way: Way): Route[] {
  if (way === 'local') {
    return [null, 30, 31].map((protocol) => ({ way, client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol }));
  }
  const all: Route[] = [];
  for (const pair of PAIRS) {
    for (const protocol of [null, way === 'daemon' ? 29 : 27, 30, 31]) {
      // Two of ours talk the newest version; the older ones are for other peers.
      if (protocol !== null && pair.client === pair.server) continue;
      for (const direction of ['push', 'pull'] as const) all.push({ way, ...pair, direction, protocol });
    }
  }
  return all;
}

/** What the real rsync does for a kind of route, step by step; run once for all pairs. */
class References {
  private readonly results = new Map<string, Promise<RunResult[]>>();

  constructor(private readonly world: World) {}

  folder(route: Route): string {
    return `reference-${route.way}-${route.direction}-${route.protocol}`;
  }

  get(route: Route): Promise<RunResult[]> {
    const key = this.folder(route);
    let found = this.results.get(key);
    if (found === undefined) {
      found = this.runAll(referenceOf(route), key);
      this.results.set(key, found);
    }
    return found;
  }

  private async runAll(route: Route, folder: string): Promise<RunResult[]> {
    const results: RunResult[] = [];
    for (const [index, step] of STEPS.entries()) results.push(await runStep(this.world, route, step, folder, index));
    return results;
  }
}

/** Each step works on a copy of the folder before it, so that a failing step does not spoil the next ones. */
async function runStep(world: World, route: Route, step: Step, folder: string, index: number): Promise<RunResult> {
  const to = `${folder}-${index}`;
  world.makeDir(to);
  if (index > 0) {
    // From the reference's own history: every program begins a step from the same state.
    const before = world.path(`reference-${route.way}-${route.direction}-${route.protocol}-${index - 1}`);
    await run(RSYNC.command, ['-aH', `${before}/`, `${world.path(to)}/`]);
  }
  return world.copy(route, [...REPORT, ...step.args], step.source, `${to}/`);
}

/** Deletions and what could not be deleted are told by another role, at any place between the items. */
const DELETION = /^(\*deleting|cannot delete) /;
/** An item line of a member of a hard-link group: its name and, where it was linked, that of the leading member. */
const HARD_LINK = /^hf\S+ (.*) => (.*)$/;

interface Printed {
  told: string[];
  deleted: string[];
  hardLinks: number;
}

/** Names in the order they were told; below protocol 29 two processes of rsync tell them, in any order. */
function lines(text: string, protocol: number | null): Printed {
  const all = normalize(text).split('\n');
  // Which member of a group brings the data depends on how many lists have arrived: members are only counted.
  const members = new Set(all.flatMap((line) => HARD_LINK.exec(line)?.slice(1) ?? []));
  const isMember = (line: string) => HARD_LINK.test(line) || (/^[<>]f/.test(line) && members.has(line.slice(12)));
  const told = all.filter((line) => !DELETION.test(line) && !isMember(line));
  return {
    told: protocol !== null && protocol < 29 ? told.sort() : told,
    deleted: all.filter((line) => DELETION.test(line)).sort(),
    hardLinks: all.filter(isMember).length,
  };
}

/** Runs the life of a copy over every route of one way and holds all that it does against the real rsync. */
export function transferSuite(way: Way): void {
  t.test(`transfers, ${way}`, async (t) => {
    const since = Date.now();
    const world = new World(t);
    await makeSources(world);
    const references = new References(world);
    for (const [number, route] of routes(way).entries()) {
      await t.test(routeName(route), async (t) => {
        const expected = await references.get(route);
        for (const [index, step] of STEPS.entries()) {
          const actual = await runStep(world, route, step, `run${number}`, index);
          const copy = world.path(`run${number}-${index}`);
          t.equal(
            normalize(actual.stderr),
            normalize(expected[index].stderr),
            `${step.name}: what is written to stderr`,
          );
          t.equal(actual.code, expected[index].code, `${step.name}: exit code`);
          const reference = world.path(`${references.folder(route)}-${index}`);
          t.same(diffDirs(reference, copy, { since }), [], `${step.name}: the tree`);
          // Up to protocol 30 there are whole seconds only.
          const times = route.protocol === null || route.protocol > 30;
          if (step.equal) t.same(diffDirs(world.path(step.source), copy, { times }), [], `${step.name}: as the source`);
          const printed = [actual, expected[index]].map(({ stdout }) => lines(stdout, route.protocol));
          t.same(printed[0], printed[1], `${step.name}: what is printed`);
        }
      });
    }
  });
  if (SELF_CHECK) t.comment('the real rsync ran on both sides');
}
