import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { normalize, type Route, referenceOf, routeName, World } from '../lib/routes.js';

const ROUTES: readonly Route[] = [
  { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'daemon', client: TSRSYNC, server: RSYNC, direction: 'pull', protocol: null },
];
const LINES = ['-a', '-a --delete -b', '-a --partial-dir=.part --delete-after', '-rlt --delay-updates', '-a --inplace'];

/** `chattr +i` and `-i`: what not even root may change. */
function setImmutable(dir: string, names: readonly string[], on: boolean): boolean {
  return spawnSync('chattr', [on ? '+i' : '-i', ...names], { cwd: dir }).status === 0;
}

t.test('what must not be changed stays, and the rest is copied', async (t) => {
  const world = new World(t);
  const FROZEN = ['changed', 'sub/extra', 'frozen'];
  const src = world.makeDir('src');
  mkdirSync(join(src, 'sub'));
  mkdirSync(join(src, 'frozen'));
  for (const name of ['changed', 'other', 'sub/in', 'frozen/new']) writeFileSync(join(src, name), `new ${name}`);
  for (const dir of ['sub', 'frozen', '.']) utimesSync(join(src, dir), 2000, 2000);

  const dst = world.path('dst');
  const prepare = (): boolean => {
    for (const sub of ['sub', 'frozen']) mkdirSync(join(dst, sub), { recursive: true });
    for (const name of ['changed', 'other', 'sub/in', 'sub/extra']) {
      writeFileSync(join(dst, name), 'old');
      utimesSync(join(dst, name), 1000, 1000);
    }
    for (const dir of ['sub', 'frozen', '.']) utimesSync(join(dst, dir), 1000, 1000);
    return setImmutable(dst, FROZEN, true);
  };
  const clean = (): void => {
    setImmutable(dst, FROZEN, false);
    rmSync(dst, { recursive: true, force: true });
  };
  t.teardown(clean);
  if (!prepare()) {
    t.plan(0, 'no immutable files here');
    return;
  }
  clean();

  const run = async (route: Route, line: string) => {
    prepare();
    try {
      const { code, stderr } = await world.copy(route, line.split(' '), 'src/', 'dst/');
      const said = normalize(stderr)
        .replace(/\.\w{6}"/g, '.XXXXXX"')
        .split('\n')
        .sort();
      const names = readdirSync(dst, { recursive: true }).sort();
      return { code, said, names, content: readFileSync(join(dst, 'changed'), 'latin1') };
    } finally {
      clean();
    }
  };
  for (const line of LINES) {
    for (const route of ROUTES) {
      const expected = await run(referenceOf(route), line);
      t.same(await run(route, line), expected, `${routeName(route)}: ${line}`);
    }
  }
});
