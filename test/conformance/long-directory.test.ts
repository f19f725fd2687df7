import { mkdirSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { PAIRS, type Route, routeName, World } from '../lib/routes.js';

/** More entries than a sender announces ahead while it has nothing else to do. */
const ENTRIES = 10_500;

t.test('a directory that is longer than the look-ahead, with nothing to do in it, and more behind it', async (t) => {
  const world = new World(t);
  const long = `${world.makeDir('src')}/long`;
  mkdirSync(long);
  for (let i = 0; i < ENTRIES; i++) writeFileSync(`${long}/${i}`, '');
  for (const name of ['more', 'more/below']) mkdirSync(`${world.path('src')}/${name}`);
  writeFileSync(`${world.path('src')}/more/below/last`, 'last');
  const first: Route = { way: 'local', ...PAIRS[0], direction: 'push', protocol: null };
  await world.copy(first, ['-a'], 'src/', 'dst/');
  const [toReal, fromOurs, ours] = PAIRS;
  const routes: Route[] = [
    { way: 'daemon', ...toReal, direction: 'push', protocol: null },
    { way: 'daemon', ...fromOurs, direction: 'pull', protocol: null },
    { way: 'daemon', ...ours, direction: 'pull', protocol: null },
  ];
  for (const route of routes) {
    const done = await world.copy(route, ['-ai', '--delete'], 'src/', 'dst/', { timeout: 20_000 });
    t.same([done.code, done.stdout, done.stderr], [0, '', ''], routeName(route));
  }
});
