import { utimesSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { diffDirs } from '../lib/compare.js';
import type { Params } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { PAIRS, type Route, referenceOf, routeName, World } from '../lib/routes.js';

/** Text whose packed form is several times as small. */
const TEXT = Array.from({ length: 20_000 }, (_, i) => `line ${i} of a text ${i % 13}\n`).join('');

function worldWith(t: Test, module: Params = {}): World {
  const world = new World(t, module);
  const src = world.makeDir('src');
  for (const name of ['plain.txt', 'archive.gz', '']) {
    if (name !== '') writeFileSync(`${src}/${name}`, TEXT);
    // Before protocol 31 times have no nanoseconds.
    utimesSync(`${src}/${name}`, 1_000_000_000, 1_000_000_000);
  }
  return world;
}

let copies = 0;
/** Figures of the real program on both sides, by what was asked. */
const references = new Map<string, number>();

/** Bytes of the content as they went over the line. */
async function bytes(t: Test, world: World, route: Route, args: string[], env: Record<string, string> = {}) {
  const name = `dst${copies++}`;
  const dest = world.makeDir(name);
  const result = await world.copy(route, ['-a', '--stats', ...args], 'src/', `${name}/`, { env });
  t.equal(result.code, 0, `${routeName(route)} ${args.join(' ')}: ${result.stderr}`);
  t.same(diffDirs(world.path('src'), dest), []);
  const counts = [...result.stdout.matchAll(/^Total bytes (?:sent|received): ([\d,]+)/gm)];
  return Math.max(...counts.map((found) => Number(found[1].replaceAll(',', ''))));
}

async function compare(t: Test, world: World, route: Route, args: string[], env: Record<string, string> = {}) {
  const what = [world.dir, route.direction, ...args, JSON.stringify(env)].join(' ');
  const theirs = references.get(what) ?? (await bytes(t, world, referenceOf(route), args, env));
  references.set(what, theirs);
  const ours = await bytes(t, world, route, args, env);
  const ratio = ours / theirs;
  t.ok(ratio > 0.9 && ratio < 1.1, `${routeName(route)} ${args.join(' ')}: ${ours} bytes, rsync ${theirs}`);
}

t.test('levels at the ends of what a codec has', async (t) => {
  const world = worldWith(t);
  for (const pair of PAIRS) {
    for (const direction of ['push', 'pull'] as const) {
      const route: Route = { way: 'shell', ...pair, direction, protocol: null };
      await compare(t, world, route, ['--zl=0', '--zc=zlibx']);
      await compare(t, world, route, ['-z', '--zl=0', '--protocol=29']);
      await compare(t, world, route, ['--zl=0'], { RSYNC_COMPRESS_LIST: 'zlib' });
      await compare(t, world, route, ['--zl=-2147483648']);
      await compare(t, world, route, ['-z', '--zc=zlib', '--zl=-1']);
      await compare(t, world, route, ['-z', '--zc=zlib', '--zl=-9']);
    }
  }
});

for (const [list, codecs] of [
  ['*', ['zlib', 'zlibx', 'zstd', 'lz4']],
  ['*.foo *', ['zlib']],
  ['*.gz *.txt', ['zlibx']],
] as const) {
  t.test(`a daemon's "dont compress = ${list}"`, async (t) => {
    const world = worldWith(t, { 'dont compress': list });
    for (const codec of codecs) {
      for (const client of [RSYNC, TSRSYNC]) {
        const route = { way: 'daemon', client, server: TSRSYNC, direction: 'pull', protocol: null } as const;
        await compare(t, world, route, ['-z', `--zc=${codec}`, '--skip-compress=gz/mp[34]']);
      }
    }
    const push = { way: 'daemon', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null } as const;
    await compare(t, world, push, ['-z', '--zc=zlib']);
  });
}
