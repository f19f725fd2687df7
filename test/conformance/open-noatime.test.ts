import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { type Route, routeName, World } from '../lib/routes.js';

/** So many that they are sent, and summed, in runs as well. */
const FILES = 150;
const LONG_AGO = 1_000_000_000;

const ROUTES: readonly Route[] = [
  { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: TSRSYNC, server: RSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'pull', protocol: null },
];

function fill(dir: string, content: string): void {
  mkdirSync(dir, { recursive: true });
  for (let i = 0; i < FILES; i++) writeFileSync(join(dir, `f${i}`), `${content} ${i}`);
  writeFileSync(join(dir, 'large'), content.repeat(100_000));
}

/** Which files of a directory were read since `rewind`. */
function touched(dir: string): string[] {
  return readdirSync(dir).filter((name) => statSync(join(dir, name)).atimeMs !== LONG_AGO * 1000);
}

function rewind(dir: string): void {
  for (const name of readdirSync(dir)) utimesSync(join(dir, name), LONG_AGO, statSync(join(dir, name)).mtimeMs / 1000);
}

for (const route of ROUTES) {
  t.test(`--open-noatime: ${routeName(route)}`, async (t) => {
    const world = new World(t);
    const [src, dest] = [world.path('src'), world.path('dest')];
    fill(src, 'text');
    for (const [options, others] of [
      ['-a', ''],
      ['-aI --no-whole-file', 'test'],
      ['-ac', ''],
    ]) {
      if (others !== '') fill(dest, others);
      rewind(src);
      if (options === '-ac') rewind(dest);
      const done = await world.copy(route, ['--open-noatime', ...options.split(' ')], 'src/', 'dest/');
      t.equal(done.code, 0, done.stderr);
      t.same(touched(src), [], `${options}: no source is touched`);
      if (options === '-ac') t.same(touched(dest), [], 'nor what it is compared with');
    }
  });
}
