import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { diffDirs } from '../lib/compare.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { type Route, routeName, World } from '../lib/routes.js';
import { buildTree } from '../lib/tree.js';

/* A --temp-dir on another file system: a file cannot be moved from there, so that it is copied and gets its attributes again. */

const ROUTES: readonly Route[] = [
  { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: TSRSYNC, server: RSYNC, direction: 'pull', protocol: null },
  { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null },
];

const ARGS: readonly string[][] = [
  ['-a'],
  ['-a', '--delay-updates'],
  ['-aH', '--partial-dir=.part', '-z'],
  ['-rt', '--chmod=F604'],
];

const noMount = process.getuid?.() === 0 ? false : 'only root can mount a file system';

t.test('a --temp-dir on another file system', { skip: noMount }, async (t: Test) => {
  const world = new World(t);
  const { root } = buildTree(world.path('src'), {
    seed: 4,
    files: 60,
    dirs: 6,
    maxSize: 90_000,
    hardLinks: true,
    owners: true,
  });
  const temp = world.makeDir('temp');
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', temp]);
  t.equal(done.status, 0, String(done.stderr));
  t.teardown(() => spawnSync('umount', ['-l', temp]));
  for (const [variant, args] of ARGS.entries()) {
    const local: Route = { ...ROUTES[0], client: RSYNC };
    await world.copy(local, args, 'src/', `wanted-${variant}/`);
    for (const [number, route] of ROUTES.entries()) {
      const name = `to-${variant}-${number}`;
      const result = await world.copy(route, [...args, `--temp-dir=${temp}`], 'src/', `${name}/`);
      t.equal(result.code, 0, `${routeName(route)}: ${result.stderr}`);
      t.same(diffDirs(world.path(`wanted-${variant}`), world.path(name)), [], `${routeName(route)} ${args.join(' ')}`);
      t.same(readdirSync(temp), [], 'nothing is left in it');
    }
  }
  t.same(diffDirs(root, world.path('wanted-0'), { hardLinks: false }), []);
});
