import { cpSync, mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { diffDirs } from '../lib/compare.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { type Route, referenceOf, routeName, World } from '../lib/routes.js';

/*
 * Files that are built from others than the one they replace: similar ones beside them (--fuzzy), those of basis directories. In
 * place, blocks that lie where they belong are in the basis and not in the file that is written.
 */
const KIB = 1024;
const LONG_AGO = 1_000_000_000;

const ROUTES: readonly Route[] = [
  { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: TSRSYNC, server: RSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: TSRSYNC, server: RSYNC, direction: 'pull', protocol: null },
  { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null },
];

const ARGS: readonly string[][] = [
  ['-y'],
  ['-y', '--inplace'],
  ['-y', '-z', '--delete-after'],
  ['-y', '--protocol=29'],
  ['-yn'],
  ['-yy', '--copy-dest=../ref'],
  ['-yy', '--inplace', '--compare-dest=../ref'],
  ['-yy', '--no-p', '--copy-dest=../ref'],
  ['-y', '--no-p', '-W'],
  ['--inplace', '--link-dest=../ref'],
  ['--inplace', '--copy-dest=../ref', '-b'],
  ['--append'],
  ['--append-verify'],
];

/** Files of `src`, what of them `start` has under other names or an older state, and what `ref` has. */
function prepare(world: World): void {
  const random = new Random(9);
  const put = (path: string, content: Buffer, mtime = LONG_AGO) => {
    // Without -p a new file gets the permissions of its basis.
    writeFileSync(world.path(path), content, { mode: path.startsWith('src') ? 0o640 : 0o604 });
    utimesSync(world.path(path), mtime, mtime);
  };
  for (const dir of ['src', 'start', 'ref']) mkdirSync(join(world.makeDir(dir), 'd'));
  const [renamed, report, elsewhere, log] = [90, 60, 70, 50].map((kib) => random.bytes(kib * KIB));
  const changed = (content: Buffer) =>
    Buffer.concat([content.subarray(0, content.length - 9 * KIB), Buffer.from('end')]);
  put('src/d/a-new-name', renamed);
  put('start/d/of.another.kind', renamed);
  put('src/d/report-2.txt', report);
  put('start/d/report-1.txt', changed(report), LONG_AGO + 5);
  put('start/d/report-1.bin', random.bytes(20), LONG_AGO + 6);
  put('src/d/elsewhere', elsewhere);
  put('ref/d/elsewhere', changed(elsewhere), LONG_AGO + 7);
  // Its old state is there, and is the basis of another one although it is replaced itself.
  put('src/app.log', Buffer.concat([log, log]));
  put('start/app.log', log, LONG_AGO + 8);
  put('src/app.log.1', changed(log), LONG_AGO + 9);
  // Others were looked for before it was asked for: from then on it is no basis.
  const page = random.bytes(30 * KIB);
  put('src/d/page', changed(page));
  put('start/d/page', page, LONG_AGO + 11);
  put('src/d/page2', page);
  // Shorter, but not what the new one begins with.
  put('src/d/wrong', random.bytes(40 * KIB));
  put('start/d/wrong', random.bytes(20 * KIB), LONG_AGO + 10);
  put('src/tiny', Buffer.from('tiny'));
  for (const dir of ['src/d', 'src', 'start/d', 'start']) utimesSync(world.path(dir), LONG_AGO, LONG_AGO);
}

async function copy(world: World, route: Route, args: readonly string[]): Promise<Record<string, unknown>> {
  const dst = world.path('dst');
  rmSync(dst, { recursive: true, force: true });
  cpSync(world.path('start'), dst, { recursive: true, preserveTimestamps: true });
  const result = await world.copy(route, ['-ai', '--no-W', '--stats', ...args], 'src/', 'dst/');
  const lines = result.stdout.replace(/^</gm, '>').split('\n');
  const said = lines.filter((line) => /^[>.c*][fd]|^\*del|^(?:Literal|Matched) data/.test(line)).sort();
  return { code: result.code, stderr: result.stderr, said };
}

for (const args of ARGS) {
  t.test(`basis files: ${args.join(' ')}`, async (t: Test) => {
    const world = new World(t);
    prepare(world);
    for (const route of ROUTES) {
      const expected = await copy(world, referenceOf(route), args);
      const wanted = world.path('wanted');
      rmSync(wanted, { recursive: true, force: true });
      cpSync(world.path('dst'), wanted, { recursive: true, preserveTimestamps: true });
      t.same(await copy(world, route, args), expected, `${routeName(route)}: what is said`);
      t.same(diffDirs(wanted, world.path('dst'), { dirTimes: false }), [], `${routeName(route)}: what is there`);
      if (args[0] !== '-yn') t.equal(statSync(world.path('dst/app.log')).size, 100 * KIB);
    }
  });
}

t.test('a peer below protocol 29 knows no similar files', async (t) => {
  const world = new World(t);
  prepare(world);
  const route: Route = { way: 'shell', client: TSRSYNC, server: RSYNC, direction: 'push', protocol: 28 };
  const result = await world.copy(route, ['-ay'], 'src/', 'dst/');
  t.equal(result.code, 2);
  t.match(result.stderr, /--fuzzy requires protocol 29 or higher \(negotiated 28\)\./);
});

t.test('--fuzzy finds the file that rsync finds, by names that are alike', async (t) => {
  const world = new World(t);
  const random = new Random(11);
  const parts = ['a', 'b', 'xy', 'log', '.', '.c', '.txt', '.1', '.12', '~', '.~1~', '.bak', '.old', '-', '2026'];
  const name = (): string => Array.from({ length: 1 + random.int(5) }, () => random.pick(parts)).join('');
  const names = new Set(Array.from({ length: 200 }, name).filter((name) => !/^\.+$/.test(name)));
  const [src, dst] = [world.makeDir('src'), world.makeDir('dst')];
  for (const name of names) writeFileSync(join(random.int(3) === 0 ? dst : src, name), name);
  const route: Route = { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null };
  const said = async (route: Route) => {
    const { stdout } = await world.copy(route, ['-rny', '--debug=fuzzy'], 'src/', 'dst/');
    return stdout.split('\n').sort();
  };
  const expected = await said(referenceOf(route));
  t.ok(expected.length > 50, `${expected.length} lines`);
  t.same(await said(route), expected);
});
