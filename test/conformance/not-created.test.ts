import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { TSRSYNC } from '../lib/project.js';
import { normalize, type Route, referenceOf, routeName, World } from '../lib/routes.js';

const isRoot = process.getuid?.() === 0;
const ROUTES: readonly Route[] = [
  { way: 'shell', client: TSRSYNC, server: TSRSYNC, direction: 'pull', protocol: null },
  { way: 'shell', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
];

/** Lines in order of their bytes: two processes of the real one write them. */
function lines(text: string): string[] {
  return normalize(text)
    .replace(/\.\w{6}"/g, '.XXXXXX"')
    .replace(/\r/g, '\n')
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

t.test('files that cannot be made', { skip: isRoot ? false : 'mounting needs root' }, async (t) => {
  const world = new World(t);
  const [source, target] = [world.makeDir('src'), world.makeDir('dst')];
  for (const name of ['one', 'two']) writeFileSync(join(source, name), name);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', target]);
  t.teardown(() => execFileSync('umount', [target]));
  writeFileSync(join(target, 'one'), 'older');
  execFileSync('mount', ['-o', 'remount,ro', target]);
  for (const route of ROUTES) {
    for (const args of ['-rv', '-ri', '-rv --no-W', '-rv --out-format=%n,%b', '-r --log-file=/dev/null']) {
      const actual = await world.copy(route, args.split(' '), 'src/', 'dst/');
      const expected = await world.copy(referenceOf(route), args.split(' '), 'src/', 'dst/');
      const title = `${routeName(route)} ${args}`;
      t.equal(actual.code, expected.code, title);
      t.same(lines(actual.stdout), lines(expected.stdout), `${title}: what is printed`);
      t.same(lines(actual.stderr), lines(expected.stderr), `${title}: errors`);
    }
  }
});
