import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { MARK, newMark, noneLeft } from '../lib/processes.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { normalize, PAIRS, type Route, referenceOf, routeName, World } from '../lib/routes.js';
import type { RunOptions, RunResult } from '../lib/run.js';
import { waitFor } from '../lib/wait.js';

const OLD = Buffer.from('the old content\n');
const SIZE = 12 << 20;

/** A world with a large file to send (bytes that do not compress) and an older one of the same name to replace. */
function prepare(world: World, target: string): void {
  const src = world.makeDir('src');
  writeFileSync(join(src, 'large'), new Random(77).bytes(SIZE));
  const dst = world.makeDir(target);
  writeFileSync(join(dst, 'large'), OLD);
  utimesSync(join(dst, 'large'), 1000, 1000);
}

/** Names of files on their way: `.large.XXXXXX`. */
function inFlight(dir: string): string[] {
  return readdirSync(dir).filter((name) => /^\.large\.\w{6}$/.test(name));
}

function isOldOrNew(t: Test, world: World, target: string): void {
  const now = readFileSync(join(world.path(target), 'large'));
  const fresh = readFileSync(join(world.path('src'), 'large'));
  t.ok(now.equals(OLD) || now.equals(fresh), 'the file is the old one or the new one');
}

/** Starts a slow copy and sends its client a signal when some of the data has arrived. */
async function interrupt(world: World, route: Route, args: string[], target: string, signal: NodeJS.Signals) {
  const mark = newMark();
  let stop: () => void = () => {};
  const options: RunOptions = {
    env: { [MARK]: mark },
    timeout: 60_000,
    started: (child) => {
      stop = () => child.kill(signal);
    },
  };
  const running = world.copy(route, ['-a', '-W', '--bwlimit=2M', ...args], 'src/', `${target}/`, options);
  const dir = world.path(target);
  const arrived = (): boolean => inFlight(dir).some((name) => statSync(join(dir, name)).size > 500_000);
  await waitFor(arrived, 30_000, 'data to arrive');
  stop();
  const result = await running;
  await noneLeft(mark);
  return result;
}

const WAYS: readonly Omit<Route, 'client' | 'server'>[] = [
  { way: 'daemon', direction: 'push', protocol: null },
  { way: 'daemon', direction: 'pull', protocol: null },
  { way: 'shell', direction: 'push', protocol: null },
  { way: 'shell', direction: 'pull', protocol: null },
];

function routes(): Route[] {
  const remote = WAYS.flatMap((way, index) => ({ ...way, ...PAIRS[index % 2] }));
  const own = WAYS.map((way) => ({ ...way, client: TSRSYNC, server: TSRSYNC }));
  return [...remote, ...own, { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null }];
}

t.test('kill -9 of the client leaves the old file or the new one, and no process', { timeout: 200_000 }, async (t) => {
  const world = new World(t);
  for (const [number, route] of routes().entries()) {
    await t.test(routeName(route), async (t) => {
      const target = `kill-${number}`;
      prepare(world, target);
      const result = await interrupt(world, route, [], target, 'SIGKILL');
      t.equal(result.signal, 'SIGKILL');
      isOldOrNew(t, world, target);
      if (route.direction === 'push' && route.way !== 'local') {
        await waitFor(() => inFlight(world.path(target)).length === 0, 60_000, 'the receiver to clean up');
      }
    });
  }
});

t.test('Ctrl-C takes the temporary file away, and keeps it with --partial', { timeout: 200_000 }, async (t) => {
  const world = new World(t);
  const pulls = routes().filter((route) => route.client === TSRSYNC && route.direction === 'pull');
  for (const [number, route] of pulls.entries()) {
    await t.test(routeName(route), async (t) => {
      const target = `int-${number}`;
      prepare(world, target);
      const result = await interrupt(world, route, [], target, 'SIGINT');
      t.equal(result.code, 20, 'exit code');
      t.match(result.stderr, /rsync error: received SIGINT, SIGTERM, or SIGHUP \(code 20\)/);
      t.same(inFlight(world.path(target)), [], 'nothing is left over');
      isOldOrNew(t, world, target);
      const kept = `partial-${number}`;
      prepare(world, kept);
      await interrupt(world, route, ['--partial-dir=.parts'], kept, 'SIGINT');
      isOldOrNew(t, world, kept);
      const part = readFileSync(join(world.path(kept), '.parts', 'large'));
      const whole = readFileSync(join(world.path('src'), 'large'));
      t.ok(part.length > 0 && part.equals(whole.subarray(0, part.length)), `${part.length} bytes are kept`);
      t.equal((await world.copy(route, ['-a', '--partial-dir=.parts'], 'src/', `${kept}/`)).code, 0);
      t.ok(readFileSync(join(world.path(kept), 'large')).equals(whole), 'and another run ends the work');
      t.notOk(readdirSync(world.path(kept)).includes('.parts'), 'and removes the folder of parts');
    });
  }
});

t.test('an unfinished file in the place of an old one leaves its backup', { timeout: 200_000 }, async (t) => {
  const world = new World(t);
  const pulls = routes().filter((route) => route.client === TSRSYNC && route.direction === 'pull');
  for (const [number, route] of pulls.entries()) {
    for (const program of [route, referenceOf(route)]) {
      const target = `backup-${number}-${program.client.name}`;
      prepare(world, target);
      await interrupt(world, program, ['-b', '--partial'], target, 'SIGINT');
      const names = ['large', 'large~'];
      t.same(readdirSync(world.path(target)).sort(), names, `${routeName(program)}: what is there`);
      t.ok(readFileSync(join(world.path(target), 'large~')).equals(OLD), 'and the old file among it');
    }
  }
});

/** Why small file systems cannot be mounted here, or ''. */
function whyNoMount(world: World): string {
  if (process.getuid?.() !== 0) return 'only root can mount a small file system';
  const dir = world.makeDir('probe');
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir]);
  if (done.status !== 0) return `mount failed: ${done.stderr}`;
  spawnSync('umount', [dir]);
  return '';
}

async function fill(t: Test, world: World, route: Route, program: Program, number: number): Promise<RunResult> {
  const target = `full-${program.name}-${number}`;
  const dir = world.makeDir(target);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=755', 'tmpfs', dir]);
  t.equal(mounted.status, 0, 'a file system of 4 MiB');
  try {
    writeFileSync(join(dir, 'large'), OLD);
    const result = await world.copy(route, ['-a', '-W'], 'src/', `${target}/`);
    t.ok(readFileSync(join(dir, 'large')).equals(OLD), 'the old file is there');
    t.same(inFlight(dir), [], 'nothing is left over');
    return result;
  } finally {
    spawnSync('umount', ['-l', dir]);
  }
}

/** What went wrong; the closing lines tell which process noticed it first, which is chance. */
function writeErrors(text: string): string[] {
  const lines = normalize(text)
    .replace(/full-\w+-\d+/g, 'full')
    .replace(/"([^"]*)\.\w{6}"/g, '"$1.XXXXXX"')
    .split('\n');
  return lines.filter((line) => line.includes('failed'));
}

t.test('a full disk', { timeout: 200_000 }, async (t) => {
  const world = new World(t);
  const reason = whyNoMount(world);
  if (reason !== '') {
    t.plan(0, reason);
    return;
  }
  prepare(world, 'unused');
  for (const [number, route] of routes().entries()) {
    await t.test(routeName(route), async (t) => {
      // A daemon looks into the folder from outside its own mounts: both programs use the same way.
      const actual = await fill(t, world, route, TSRSYNC, number);
      const expected = await fill(t, world, referenceOf(route), RSYNC, number);
      t.equal(actual.code, expected.code, 'exit code');
      t.same(writeErrors(actual.stderr), writeErrors(expected.stderr), 'what is said');
    });
  }
});
