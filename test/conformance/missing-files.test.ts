import { chmodSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { diffDirs } from '../lib/compare.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { type Route, routeName, World } from '../lib/routes.js';

/*
 * Files that are missing are asked for in runs (src/receiving/new-files/missing-files.ts): directories that a run makes, and others where
 * stretches of files are missing, among those that are right or changed.
 */
const FILES = 400;
const LONG_AGO = 1_000_000_000;
const LATER = 1_100_000_000;

function fill(dir: string): void {
  mkdirSync(dir);
  for (let i = 0; i < FILES; i++) {
    const path = join(dir, `f${`${i}`.padStart(5, '0')}`);
    writeFileSync(path, `content ${i}`, { mode: 0o644 });
    utimesSync(path, LONG_AGO + i, LONG_AGO + i);
  }
  utimesSync(dir, LONG_AGO, LONG_AGO);
}

function prepare(world: World): void {
  const src = world.makeDir('src');
  for (const name of ['part', 'whole']) fill(join(src, name));
  utimesSync(src, LONG_AGO, LONG_AGO);
}

/** Takes away stretches of what is there, changes some files, and puts other things in the place of others. */
function damage(dir: string): void {
  const random = new Random(3);
  for (let i = 0; i < FILES; ) {
    const isMissing = random.chance(50);
    for (const end = i + random.int(60); i < end && i < FILES; i++) {
      const path = join(dir, `f${`${i}`.padStart(5, '0')}`);
      if (isMissing) rmSync(path);
      if (isMissing ? random.chance(2) : random.chance(4)) {
        writeFileSync(path, 'another one');
        utimesSync(path, LATER, LATER);
      } else if (!isMissing && random.chance(4)) {
        chmodSync(path, 0o600);
      }
    }
    i++;
  }
  rmSync(join(dir, 'f00170'), { force: true });
  mkdirSync(join(dir, 'f00170'));
  utimesSync(dir, LONG_AGO, LONG_AGO);
}

const ROUTES: readonly Route[] = [
  { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'daemon', client: TSRSYNC, server: RSYNC, direction: 'pull', protocol: null },
  { way: 'daemon', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null },
];

const OPTIONS: readonly string[][] = [
  ['-a'],
  ['-ac', '--delete'],
  ['-a', '--ignore-existing'],
  ['-aub', '--suffix=.old'],
  ['-a', '--max-size=11'],
  ['-rt'],
];

function items(text: string): string[] {
  const lines = text.replace(/^</gm, '>').split('\n');
  return lines.filter((line) => /^[>.c*][fdLS]|^\*/.test(line)).sort();
}

t.test('stretches of missing files are made as rsync makes them', { timeout: 240_000 }, async (t) => {
  const world = new World(t);
  prepare(world);
  const local: Route = { ...ROUTES[0], client: RSYNC };
  for (const [number, args] of OPTIONS.entries()) {
    const begin = async (name: string): Promise<string> => {
      await world.copy(local, ['-a', '--exclude=/whole'], 'src/', `${name}/`);
      damage(join(world.path(name), 'part'));
      return name;
    };
    const reference = await begin(`reference-${number}`);
    const expected = await world.copy(local, [...args, '-i'], 'src/', `${reference}/`);
    // Each variant takes another way, the first one all of them.
    for (const route of ROUTES.filter((_, i) => number === 0 || i === number % ROUTES.length)) {
      await t.test(`${routeName(route)} ${args.join(' ')}`, async (t) => {
        const target = await begin(`${route.client.name}-${route.way}-${number}`);
        const actual = await world.copy(route, [...args, '-i'], 'src/', `${target}/`);
        t.equal(actual.code, expected.code, actual.stderr);
        t.same(items(actual.stdout), items(expected.stdout), 'what is said about the files');
        t.same(diffDirs(world.path(reference), world.path(target), { dirTimes: false }), []);
      });
    }
  }
});
