import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { diffDirs } from '../lib/compare.js';
import { RSYNC, SELF_CHECK, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { type Route, referenceOf, routeName, World } from '../lib/routes.js';
import { waitFor } from '../lib/wait.js';

/*
 * Runs with so much to compress that a thread does it (src/codec/thread): 12 MB and more. Node has seven threads by itself:
 * an eighth is that one.
 */
const NODES_THREADS = 7;
const DIRS = 30;
const FILES = 300;
const LARGE = 3_000_000;
const LONG_AGO = 1_000_000_000;

const ROUTES: readonly Route[] = [
  { way: 'daemon', client: TSRSYNC, server: RSYNC, direction: 'push', protocol: null },
  { way: 'daemon', client: RSYNC, server: TSRSYNC, direction: 'pull', protocol: null },
  { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'pull', protocol: 30 },
  { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
];

/** Those that each route is tried with. */
const CODECS = [['zstd', 'zlibx'], ['zstd'], ['zlib'], ['lz4']];

/** Small files in many directories, whose lists come between the answers, and large ones. */
function prepare(world: World): void {
  const src = world.makeDir('src');
  const basis = world.makeDir('basis');
  const random = new Random(4);
  const bytes = random.bytes(LARGE, true);
  const write = (dir: string, name: string, content: Uint8Array): void => {
    writeFileSync(join(dir, name), content);
    utimesSync(join(dir, name), LONG_AGO, LONG_AGO);
  };
  for (const dir of [src, basis]) {
    for (let i = 0; i < DIRS; i++) mkdirSync(join(dir, `d${i}`));
  }
  for (let i = 0; i < FILES; i++) {
    const at = random.int(bytes.length / 2);
    const content = bytes.subarray(at, at + random.int(i % 60 === 0 ? LARGE / 2 : 60_000));
    write(src, `d${i % DIRS}/file${i}`, content);
    // What the other side has in its place: every third a little different.
    if (i % 3 === 0) write(basis, `d${i % DIRS}/file${i}`, Buffer.concat([Buffer.from('new'), content.subarray(500)]));
  }
  for (const dir of [src, basis]) {
    for (let i = 0; i < DIRS; i++) utimesSync(join(dir, `d${i}`), LONG_AGO + i, LONG_AGO + i);
    utimesSync(dir, LONG_AGO, LONG_AGO);
  }
}

/** What --stats tells of the content, and about how much went over the line: frames may be cut differently. */
function figures(text: string): { content: string[]; sent: number } {
  const lines = text.split('\n');
  const sent = /^Total bytes (sent|received): ([\d,]+)/;
  const counts = lines.map((line) => Number((sent.exec(line)?.[2] ?? '0').replaceAll(',', '')));
  return { content: lines.filter((line) => /^(Literal|Matched|Number of)/.test(line)), sent: Math.max(...counts) };
}

t.test('what a thread compresses arrives as it is', { timeout: 300_000 }, async (t) => {
  const world = new World(t);
  prepare(world);
  for (const [number, route] of ROUTES.entries()) {
    for (const codec of CODECS[number]) {
      await t.test(`${routeName(route)} ${codec}`, async (t) => {
        const args = ['-a', `--compress-choice=${codec}`, '--no-whole-file', '--stats'];
        // Without a level, zstd has a longer history here than there.
        if (codec === 'zstd') args.push('--compress-level=3');
        const [ours, theirs] = [`ours-${number}-${codec}`, `theirs-${number}-${codec}`];
        for (const name of [ours, theirs]) spawnSync('cp', ['-a', world.path('basis'), world.path(name)]);
        const actual = await world.copy(route, args, 'src/', `${ours}/`);
        t.equal(actual.code, 0, actual.stderr);
        t.same(diffDirs(world.path('src'), world.path(ours)), []);
        const expected = await world.copy(referenceOf(route), args, 'src/', `${theirs}/`);
        const [mine, reference] = [figures(actual.stdout), figures(expected.stdout)];
        t.same(mine.content, reference.content);
        const ratio = mine.sent / reference.sent;
        t.ok(ratio > 0.98 && ratio < 1.02, `${mine.sent} bytes, rsync ${reference.sent}`);
      });
    }
  }
});

/** The largest number of threads of the processes that a daemon has started. */
function workerThreads(child: ChildProcess): number {
  const pids = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').split(' ').filter(Boolean);
  return Math.max(...pids.map((pid) => readdirSync(`/proc/${pid}/task`).length));
}

const why = SELF_CHECK || (availableParallelism() < 3 && 'no thread is started on so few cores');

t.test(
  "a daemon's worker starts the thread in its own root, and ends it",
  { skip: why, timeout: 120_000 },
  async (t) => {
    const world = new World(t);
    prepare(world);
    const daemon = await world.daemon(TSRSYNC);
    const running = world.copy(ROUTES[1], ['-az', '--bwlimit=3000'], 'src/', 'dst/');
    await waitFor(() => workerThreads(daemon.child) > NODES_THREADS, 60_000, 'the thread to be at work');
    const result = await running;
    t.equal(result.code, 0, result.stderr);
    t.same(diffDirs(world.path('src'), world.path('dst')), []);
    await waitFor(() => workerThreads(daemon.child) === NODES_THREADS, 60_000, 'the thread to be gone');
  },
);
