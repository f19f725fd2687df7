import { type ChildProcess, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { diffDirs } from '../lib/compare.js';
import { RSYNC, SELF_CHECK, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { type Route, routeName, World } from '../lib/routes.js';
import { buildTree } from '../lib/tree.js';
import { waitFor } from '../lib/wait.js';

/*
 * Runs of so many files that a thread takes a part of the work (src/receiving/new-files/aside.ts). Node has seven threads by itself:
 * an eighth is that one.
 */
const NODES_THREADS = 7;
const DIRS = 20;
const FILES = 1100;

const ROUTES: readonly Route[] = [
  { way: 'daemon', client: TSRSYNC, server: RSYNC, direction: 'pull', protocol: null },
  { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'daemon', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null },
];

/** Files of 0 to 8 KB, some larger than what the thread is given, in twenty directories. */
function prepare(world: World): string {
  const dir = world.makeDir('src');
  const random = new Random(5);
  const bytes = random.bytes(200_000);
  for (let i = 0; i < FILES; i++) {
    const folder = join(dir, `d${i % DIRS}`);
    if (i < DIRS) mkdirSync(folder);
    const size = i % 97 === 0 ? 64 * 1024 + (i % 5) - 2 : i % 211 === 0 ? 150_000 : random.int(8192);
    bytes.writeUInt32LE(i, 0);
    writeFileSync(join(folder, `file${i}`), bytes.subarray(0, size), { mode: i % 3 === 0 ? 0o640 : 0o755 });
  }
  // Long ago: a directory that was made in the second of its source's time counts as right.
  for (let i = 0; i < DIRS; i++) utimesSync(join(dir, `d${i}`), 1_000_000_000, 1_000_000_000 + i);
  utimesSync(dir, 1_000_000_000, 1_000_000_000);
  return dir;
}

function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1));
}

/** What has its real name is whole; nothing else is there. */
function areWhole(t: Test, src: string, dst: string): void {
  const names = filesIn(dst);
  const wrong = names.filter((name) => {
    try {
      return !readFileSync(join(src, name)).equals(readFileSync(join(dst, name)));
    } catch {
      return true;
    }
  });
  t.same(wrong, [], `${names.length} files are whole, and nothing is left over`);
}

function threads(child: ChildProcess): number {
  try {
    return readdirSync(`/proc/${child.pid}/task`).length;
  } catch {
    return 0;
  }
}

/** Options, and the ways that they take. */
const VARIANTS: readonly [string[], Route[]][] = [
  [
    ['-aH', '-i'],
    [ROUTES[0], ROUTES[2]],
  ],
  [
    ['-rt', '-i', '--chmod=F600', '--no-inc-recursive'],
    [ROUTES[1], ROUTES[3]],
  ],
  // Without a line for each, compressed files are taken in runs.
  [['-az'], [ROUTES[0], ROUTES[2], ROUTES[3]]],
];

function items(text: string): string[] {
  const lines = text.replace(/^</gm, '>').split('\n');
  return lines.filter((line) => /^[>.c][fdLS]/.test(line)).sort();
}

t.test('many files arrive as they are, with a thread at work', { timeout: 300_000 }, async (t) => {
  const world = new World(t);
  const src = prepare(world);
  buildTree(join(src, 'odd'), { seed: 8, files: 300, dirs: 20, hardLinks: true, owners: true, oddNames: true });
  utimesSync(src, 1_000_000_000, 1_000_000_000);
  for (const [variant, [args, routes]] of VARIANTS.entries()) {
    const local: Route = { ...ROUTES[2], client: RSYNC };
    const expected = await world.copy(local, args, 'src/', `reference-${variant}/`);
    for (const route of routes) {
      await t.test(`${routeName(route)} ${args.join(' ')}`, async (t) => {
        const target = `${route.client.name}-${route.way}-${variant}`;
        const actual = await world.copy(route, args, 'src/', `${target}/`);
        t.equal(actual.code, 0, actual.stderr);
        // Which of several links is sent is not the same on every route.
        if (variant === 1) t.same(items(actual.stdout), items(expected.stdout), 'what is said about the files');
        t.same(diffDirs(world.path(`reference-${variant}`), world.path(target)), []);
      });
    }
  }
});

/** Numbers of threads of the processes that a daemon has started. */
function workerThreads(child: ChildProcess): number[] {
  const pids = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').split(' ').filter(Boolean);
  return pids.map((pid) => readdirSync(`/proc/${pid}/task`).length);
}

t.test("a daemon's worker keeps its thread for the next run", { skip: SELF_CHECK, timeout: 300_000 }, async (t) => {
  const world = new World(t);
  const src = prepare(world);
  const daemon = await world.daemon(TSRSYNC);
  const counts: number[] = [];
  for (const target of ['one', 'two', 'three']) {
    const result = await world.copy(ROUTES[3], ['-a'], 'src/', `${target}/`);
    t.equal(result.code, 0, result.stderr);
    t.same(diffDirs(src, world.path(target)), []);
    counts.push(Math.max(...workerThreads(daemon.child)));
  }
  t.same(counts, Array(3).fill(NODES_THREADS + 1), 'threads');
});

t.test('a source goes away only when its file is in its place', { timeout: 300_000 }, async (t) => {
  const world = new World(t);
  const src = prepare(world);
  const kept = world.path('kept');
  spawnSync('cp', ['-a', src, kept]);
  const result = await world.copy(ROUTES[2], ['-a', '--remove-source-files'], 'src/', 'dst/');
  t.equal(result.code, 0, result.stderr);
  t.same(filesIn(src), []);
  t.same(diffDirs(kept, world.path('dst')), []);
});

t.test('a file that grows after it was listed', { timeout: 300_000 }, async (t) => {
  const world = new World(t);
  const src = prepare(world);
  const last = join(src, 'd9', 'zz');
  writeFileSync(last, 'short');
  // Everything is listed before the first file is sent, and the last file is sent seconds later.
  const route: Route = { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null };
  const args = ['-a', '--no-inc-recursive', '--bwlimit=4M'];
  const running = world.copy(route, args, 'src/', 'dst/');
  await waitFor(() => countIn(world.path('dst/d0')) > 5, 60_000, 'the first files');
  appendFileSync(last, 'x'.repeat(100_000));
  const result = await running;
  t.equal(result.code, 0, result.stderr);
  t.equal(readFileSync(world.path('dst/d9/zz'), 'latin1'), `short${'x'.repeat(100_000)}`);
  areWhole(t, src, world.path('dst'));
});

function countIn(dir: string): number {
  try {
    return readdirSync(dir).length;
  } catch {
    return 0;
  }
}

/** Starts a copy and calls `act` when the thread is at work and files come into d13, after those of five directories. */
async function during(world: World, route: Route, args: string[], act: (child: ChildProcess) => void) {
  let child: ChildProcess | undefined;
  const running = world.copy(route, args, 'src/', 'dst/', {
    started: (started) => {
      child = started;
    },
  });
  // In the order of names d9 is the last.
  const isAtWork = (): boolean =>
    threads(child!) > NODES_THREADS &&
    countIn(world.path('dst/d13')) > 3 &&
    (!args.includes('--no-inc-recursive') || existsSync(world.path('dst/d9')));
  await waitFor(isAtWork, 60_000, 'the thread to be at work');
  act(child!);
  return running;
}

t.test('signals in the middle', { timeout: 300_000 }, async (t) => {
  const pull = ROUTES[0];
  const world = new World(t);
  const src = prepare(world);
  const dst = world.path('dst');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    await t.test(signal, async (t) => {
      const interrupted = async (limit: string) => {
        rmSync(dst, { recursive: true, force: true });
        world.makeDir('dst');
        return during(world, pull, ['-a', `--bwlimit=${limit}`], (child) => child.kill(signal));
      };
      let result = await interrupted('1M');
      // On a busy machine this process sees the first files when the last ones are there already.
      if (filesIn(dst).length === FILES) result = await interrupted('100K');
      if (signal === 'SIGKILL') {
        for (const name of filesIn(dst)) if (/\/\.[^/]*\.\w{6}$/.test(name)) rmSync(join(dst, name));
      } else {
        t.equal(result.code, 20, 'exit code');
        t.match(result.stderr, /rsync error: received SIGINT, SIGTERM, or SIGHUP \(code 20\)/);
      }
      t.ok(filesIn(dst).length < FILES, 'it was in the middle');
      areWhole(t, src, dst);
      t.equal((await world.copy(pull, ['-a'], 'src/', 'dst/')).code, 0);
      t.same(diffDirs(src, dst), [], 'another run ends the work');
    });
  }
});

t.test('a directory is removed while files come into it', { timeout: 300_000 }, async (t) => {
  const world = new World(t);
  const src = prepare(world);
  const dst = world.makeDir('dst');
  // All directories are made first.
  const args = ['-a', '--no-inc-recursive', '--bwlimit=1M'];
  const gone = `d${DIRS - 1}`;
  const lost = readdirSync(join(src, 'd9')).length;
  const result = await during(world, ROUTES[0], args, () => {
    rmSync(join(dst, 'd9'), { recursive: true });
  });
  t.equal(result.code, 23, 'exit code');
  const lines = result.stderr.split('\n').filter((line) => line.startsWith('rsync: [receiver] mkstemp'));
  t.ok(lines.length > 0 && lines.length <= lost, `${lines.length} lines`);
  t.match(
    lines[0],
    /^rsync: \[receiver\] mkstemp ".*\/dst\/d9\/\.file\d+\.XXXXXX" failed: No such file or directory \(2\)$/,
  );
  t.same(diffDirs(join(src, gone), join(dst, gone)), [], 'other directories are complete');
});

/** Mounts a small file system; a daemon would not see it, so only clients write there. */
function mount(t: Test, dir: string, options: string): void {
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', dir]);
  t.equal(done.status, 0, String(done.stderr));
  t.teardown(() => spawnSync('umount', ['-l', dir]));
}

const noMount = process.getuid?.() === 0 ? false : 'only root can mount a small file system';

t.test('a read-only directory', { skip: noMount, timeout: 300_000 }, async (t) => {
  const world = new World(t);
  const src = prepare(world);
  const args = ['-rt', '--omit-dir-times'];
  const said: string[][] = [];
  for (const client of [TSRSYNC, RSYNC]) {
    const dst = world.makeDir(client.name);
    mkdirSync(join(dst, 'd7'));
    mount(t, join(dst, 'd7'), 'size=64k,ro');
    const result = await world.copy({ ...ROUTES[2], client }, args, 'src/', `${client.name}/`);
    t.equal(result.code, 23, 'exit code');
    said.push(
      result.stderr
        .replaceAll(dst, 'DST')
        .replace(/\.\w{6}"/g, '.XXXXXX"')
        .replace(/ at \S+ \[/g, ' [')
        .split('\n')
        .sort(),
    );
    for (const name of ['d6', 'd8'])
      t.same(diffDirs(join(src, name), join(dst, name), { perms: false, dirTimes: false }), []);
  }
  const [own, reference] = said.map((lines) => lines.filter((line) => line.includes('mkstemp')));
  t.equal(own.length, readdirSync(join(src, 'd7')).length);
  t.same(own, reference, 'what is said');
});

t.test('a full disk', { skip: noMount, timeout: 300_000 }, async (t) => {
  const world = new World(t);
  const src = prepare(world);
  for (const route of [ROUTES[0], ROUTES[2]]) {
    await t.test(routeName(route), async (t) => {
      const dst = world.makeDir(`full-${route.way}`);
      mount(t, dst, 'size=4m');
      const result = await world.copy(route, ['-a'], 'src/', `full-${route.way}/`);
      t.equal(result.code, 11, 'exit code');
      t.match(result.stderr, /rsync: \[receiver\] write failed on ".*": No space left on device \(28\)/);
      t.ok(statSync(dst).isDirectory());
      areWhole(t, src, dst);
    });
  }
});
