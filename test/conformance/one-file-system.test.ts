import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { normalize, type Route, referenceOf, routeName, World } from '../lib/routes.js';

const ROUTES: readonly Route[] = [
  { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null },
];

/** With -x, what is mounted in the destination keeps what it has, also where the source has a directory of that name. */
const LINES = [
  '-axO --delete -vv',
  '-axxO --delete-before -vv',
  '-axO --force -vv',
  '-nax --delete',
  '-rx --delete-after',
  '-ax --delete-delay',
  '-ax --delete --existing --ignore-existing',
  '-ax --delete-after --ignore-existing',
  '-a --delete --ignore-existing',
];

t.test('deletions and file systems', { skip: process.getuid?.() === 0 ? false : 'mounting needs root' }, async (t) => {
  const world = new World(t);
  for (const sub of ['src/mounted/sub', 'src/plain', 'src/blocked']) world.makeDir(sub);
  writeFileSync(world.path('src/blocked/in'), 'a directory here, a file there');
  writeFileSync(world.path('src/room'), 'a file here, a directory there');

  const run = async (route: Route, line: string) => {
    const target = world.makeDir('dst');
    const mounts = ['mounted', 'other', 'gone/below', 'room/below'].map((name) => join(target, name));
    try {
      for (const dir of mounts) {
        mkdirSync(dir, { recursive: true });
        execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', dir]);
      }
      for (const dir of ['mounted/sub', 'plain', 'gone/plain', 'room/plain'])
        mkdirSync(join(target, dir), { recursive: true });
      for (const name of [
        'mounted/a',
        'mounted/sub/b',
        'other/c',
        'gone/below/f',
        'gone/plain/g',
        'room/below/h',
        'plain/d',
        'e',
        'blocked',
      ])
        writeFileSync(join(target, name), name);
      const { code, stdout, stderr } = await world.copy(route, line.split(' '), 'src/', 'dst/');
      const said = normalize(stdout + stderr)
        .split('\n')
        .sort();
      return { code, said, names: readdirSync(target, { recursive: true }).sort() };
    } finally {
      for (const dir of mounts) execFileSync('umount', [dir]);
      rmSync(target, { recursive: true });
    }
  };

  for (const line of LINES) {
    for (const route of ROUTES) {
      const expected = await run(referenceOf(route), line);
      t.same(await run(route, line), expected, `${routeName(route)}: ${line}`);
    }
  }
});
