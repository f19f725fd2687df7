import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { diffDirs } from '../lib/compare.js';
import { TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { PAIRS, type Route, referenceOf, routeName, World } from '../lib/routes.js';

/*
 * Files that are built from older states of themselves, of others and of what earlier runs left, under options that meet by
 * chance. DELTA_SEED repeats a run, DELTA_COUNT says how many copies it has.
 */

const SEED = Number(process.env.DELTA_SEED ?? Date.now() % 1_000_000);
const COUNT = Number(process.env.DELTA_COUNT ?? 150);

const NAMES = ['a.log', 'a.log.1', 'd/x', 'd/y.txt', 'd/y2.txt', 'z'];
/** Where states of a file may lie, with the chance in percent. */
const PLACES: readonly (readonly [string, number])[] = [
  ['dst', 60],
  ['ref', 60],
  ['ref2', 40],
];
const TIMES = [1_000_000_000, 1_500_000_000, 1_500_000_001];

/** TEMP is a directory on another file system. --append and --fuzzy do not meet: then rsync leaves files out. */
const CHOICES: readonly string[][] = [
  ['--inplace'],
  ['--append-verify'],
  ['-S'],
  ['-b'],
  ['-b', '--suffix=.old'],
  ['--partial-dir=.part'],
  ['--delay-updates'],
  ['--link-dest=../ref'],
  ['--copy-dest=../ref'],
  ['--compare-dest=../ref'],
  ['--copy-dest=../ref', '--copy-dest=../ref2'],
  ['-y'],
  ['-yy'],
  ['-z'],
  ['-z', '--zc=lz4'],
  ['-z', '--zc=zlib'],
  ['-B', '700'],
  ['--cc=md5'],
  ['-c'],
  ['-I'],
  ['--size-only'],
  ['--temp-dir=TEMP'],
  ['--protocol=29'],
  ['--protocol=30'],
  ['--existing'],
  ['-u'],
  ['--delete'],
  ['--no-i-r'],
  ['--no-p'],
  ['--preallocate'],
  ['-W'],
];

function content(random: Random): Buffer {
  const size = random.pick([0, 3, 700, 5000, 70_000, 200_000, 400_000]);
  const data = random.bytes(size);
  return random.int(5) === 0 ? Buffer.concat([Buffer.alloc(size), data, Buffer.alloc(size >> 1)]) : data;
}

/** An older state: as it is, cut, grown, with other bytes here and there, moved, or nothing of it. */
function otherState(random: Random, data: Buffer): Buffer {
  const at = random.int(data.length + 1);
  const changed = Buffer.from(data);
  switch (random.int(8)) {
    case 0:
      return data;
    case 1:
      return data.subarray(0, at);
    case 2:
      return Buffer.concat([data, random.bytes(random.pick([1, 900, 30_000]))]);
    case 3:
      return Buffer.concat([data.subarray(0, at), random.bytes(random.pick([1, 5000])), data.subarray(at)]);
    case 4:
      return Buffer.concat([data.subarray(at), data.subarray(0, at)]);
    case 5:
      return random.bytes(data.length);
    default:
      for (let edits = 1 + random.int(5); edits > 0; edits--)
        random.bytes(5).copy(changed, random.int(data.length + 1));
      return changed;
  }
}

function put(random: Random, path: string, data: Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, data);
  chmodSync(path, random.pick([0o644, 0o600, 0o444]));
  const time = random.pick(TIMES);
  utimesSync(path, time, time);
}

function prepare(random: Random, root: string): void {
  for (const dir of ['src', 'dst', 'ref', 'ref2']) mkdirSync(join(root, dir, 'd'), { recursive: true });
  for (const name of NAMES) {
    const data = content(random);
    if (random.int(10) > 0) put(random, join(root, 'src', name), data);
    for (const [place, percent] of PLACES) {
      if (random.chance(percent)) put(random, join(root, place, name), otherState(random, data));
    }
    if (random.chance(20)) put(random, join(root, 'dst', `${name}.old`), otherState(random, data));
    if (random.chance(15)) put(random, join(root, 'dst/.part', name.slice(-1)), otherState(random, data));
  }
  for (const dir of ['src/d', 'src', 'dst/d', 'dst']) utimesSync(join(root, dir), TIMES[0], TIMES[0]);
}

function routeFor(random: Random): Route {
  const pair = random.pick(PAIRS);
  if (random.int(3) === 0) return { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null };
  return { way: 'shell', ...pair, direction: random.pick(['push', 'pull']), protocol: null };
}

t.test(`deltas that meet by chance, DELTA_SEED=${SEED}`, { timeout: 1_200_000 }, async (t) => {
  const random = new Random(SEED);
  const world = new World(t);
  const temp = world.makeDir('temp');
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', temp]).status === 0;
  if (mounted) t.teardown(() => spawnSync('umount', ['-l', temp]));
  for (let count = 0; count < COUNT; count++) {
    const route = routeFor(random);
    const args = [random.int(4) > 0 ? '-a' : '-rt', '--no-W'];
    for (let options = 1 + random.int(4); options > 0; options--) args.push(...random.pick(CHOICES));
    for (const dir of ['src', 'dst', 'ref', 'ref2', 'start', 'wanted'])
      rmSync(world.path(dir), { recursive: true, force: true });
    prepare(random, world.dir);
    spawnSync('cp', ['-a', world.path('dst'), world.path('start')]);
    const appends = args.includes('--append-verify');
    const words = args.filter((word) => !(appends && /^-y/.test(word))).map((word) => word.replace('TEMP', temp));
    const expected = await world.copy(referenceOf(route), words, 'src/', 'dst/');
    spawnSync('mv', [world.path('dst'), world.path('wanted')]);
    spawnSync('mv', [world.path('start'), world.path('dst')]);
    const actual = await world.copy(route, words, 'src/', 'dst/');
    const name = `${count}: ${routeName(route)} ${args.join(' ')}`;
    t.equal(actual.code, expected.code, `${name}: exit code ${actual.stderr}`);
    t.same(diffDirs(world.path('wanted'), world.path('dst'), { dirTimes: false }), [], name);
  }
});
