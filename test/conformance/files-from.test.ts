import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { diffDirs } from '../lib/compare.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { type CopyDirection, normalize, PAIRS, referenceOf, routeName, World } from '../lib/routes.js';

const DIRECTIONS: readonly CopyDirection[] = ['push', 'pull'];

function makeSource(world: World): void {
  const src = world.makeDir('src');
  mkdirSync(`${src}/dir/sub`, { recursive: true });
  for (const name of ['plain', 'other', 'dir/deep', 'dir/sub/deeper', '#hash', ';semicolon']) {
    writeFileSync(`${src}/${name}`, name);
  }
  for (const dir of ['dir/sub', 'dir', '']) utimesSync(`${src}/${dir}`, 1_000_000_000, 1_000_000_000);
  writeFileSync(world.path('list'), 'plain\n#hash\n;semicolon\ndir/sub/\n');
}

for (const pair of PAIRS) {
  for (const direction of DIRECTIONS) {
    for (const option of ['-av', '-avs']) {
      const route = { way: 'shell', ...pair, direction, protocol: null } as const;
      t.test(`a remote list, ${option}: ${routeName(route)}`, async (t) => {
        const world = new World(t);
        makeSource(world);
        const args = [option, `--files-from=host:${world.path('list')}`];
        const expected = await world.copy(referenceOf(route), args, 'src/', 'expected/');
        const done = await world.copy(route, args, 'src/', 'dest/', { timeout: 20_000 });
        const said = (text: string) => normalize(text).replace('expected', 'dest');
        t.equal(said(done.stdout), said(expected.stdout));
        t.equal(done.stderr, expected.stderr);
        t.equal(done.code, 0);
        t.same(diffDirs(world.path('expected'), world.path('dest'), { root: false }), []);
      });
    }
  }
}

t.test('comments in a list that the sender reads itself, by lines and with -0', async (t) => {
  const world = new World(t);
  makeSource(world);
  const names = [';semicolon', '#hash', 'plain', ''];
  for (const [option, end] of [
    ['-a', '\n'],
    ['-a0', '\0'],
  ] as const) {
    writeFileSync(world.path('list'), names.join(end));
    for (const program of [RSYNC, TSRSYNC]) {
      const dest = `${program.name}${option}`;
      const route = { way: 'local', client: program, server: program, direction: 'push', protocol: null } as const;
      const done = await world.copy(route, [option, `--files-from=${world.path('list')}`], 'src/', `${dest}/`);
      t.equal(done.code, 0, done.stderr);
      t.same(readdirSync(world.path(dest)).sort(), ['plain'], `${program.name} ${option}`);
    }
  }
});
