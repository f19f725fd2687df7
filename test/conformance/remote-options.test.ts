import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { getXattr } from '../../src/libc/xattrs.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { normalize, PAIRS, type Route, referenceOf, routeName, World } from '../lib/routes.js';

t.setTimeout(200_000);

const LOCAL: Route = { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null };
const ROUTES: Route[] = [LOCAL];
for (const pair of PAIRS) {
  for (const direction of ['push', 'pull'] as const) ROUTES.push({ way: 'shell', ...pair, direction, protocol: null });
}

interface Case {
  name: string;
  args: readonly string[];
  from?: string;
  to?: string;
  /** What a receiving client ends with is noticed by its server now sooner, now later. */
  onlyPush?: boolean;
}

/** LOG stands for the file that the server is to log to. */
const CASES: readonly Case[] = [
  { name: 'log', args: ['-a', '--delete', '-M--log-file=LOG'] },
  { name: 'log format', args: ['-a', '-M--log-file=LOG', '-M--log-file-format=%i|%n|%l|%o'] },
  { name: 'dry run', args: ['-an', '--delete', '-M--log-file=LOG'] },
  { name: 'two logs', args: ['-aii', '--log-file=OWN', '-M--log-file=LOG'] },
  { name: 'files that cannot be made', args: ['-a', '--no-t', '-T', 'nowhere', '-M--log-file=LOG'], onlyPush: true },
  { name: 'no source', args: ['-a', '-M--log-file=LOG'], from: 'none/', onlyPush: true },
  { name: 'no place', args: ['-a', '-M--log-file=LOG'], to: 'no/such/place/', onlyPush: true },
  { name: 'no log', args: ['-a', '-M--log-file=LOG/in/a/file'] },
  { name: 'rules', args: ['-avv', '--delete', '--exclude=one', '-M--size-only'] },
  { name: 'wrong option', args: ['-a', '-M--wrong'] },
  { name: 'wrong value', args: ['-a', '-M--chmod=zz'] },
  { name: 'older protocol', args: ['-a', '-M--log-file=LOG', '--protocol=29'] },
];

function prepare(world: World): void {
  for (const name of ['src', 'dst']) rmSync(world.path(name), { recursive: true, force: true });
  mkdirSync(world.path('src/sub'), { recursive: true });
  writeFileSync(world.path('src/one'), 'first\n'.repeat(500));
  writeFileSync(world.path('src/sub/two'), 'second\n');
  mkdirSync(world.path('dst'));
  writeFileSync(world.path('dst/old'), 'to go\n');
}

/** A log without times, process numbers and counts of bytes. */
function logText(path: string): string | null {
  if (!existsSync(path)) return null;
  return readFileSync(path, 'latin1')
    .replace(/^\d{4}\/\d\d\/\d\d [\d:]{8} \[\d+\] /gm, '')
    .replace(/sent [\d,]+ bytes {2}received [\d,]+ bytes/g, 'sent received')
    .replace(/ at [\w./-]+(\(\d+\))? \[/g, ' at * [')
    .replace(/\.(one|two)\.\w{6}"/g, '.$1.XXXXXX"');
}

async function outcome(world: World, route: Route, { args, from, to }: Case) {
  prepare(world);
  const logs = ['LOG', 'OWN'].map((name) => world.path(name));
  for (const log of logs) rmSync(log, { force: true });
  const inside = args.some((arg) => arg.includes('LOG/'));
  if (inside) writeFileSync(logs[0], '');
  const words = args.map((arg) => arg.replace('LOG', logs[0]).replace('OWN', logs[1]));
  const { code, stdout, stderr } = await world.copy(route, words, from ?? 'src/', to ?? 'dst/');
  const shown = normalize(`${stdout}${stderr}`).replace(/\.(one|two)\.\w{6}"/g, '.$1.XXXXXX"');
  return {
    code,
    shown: shown.split('\n').sort(),
    server: inside ? null : logText(logs[0]),
    own: logText(logs[1]),
    files: ['one', 'sub/two', 'old'].map((name) => existsSync(join(world.path('dst'), name))),
  };
}

async function compare(t: Test, world: World, route: Route, example: Case): Promise<void> {
  const expected = await outcome(world, referenceOf(route), example);
  t.strictSame(await outcome(world, route, example), expected, example.name);
}

for (const route of ROUTES) {
  t.test(routeName(route), async (t) => {
    const world = new World(t);
    const cases = CASES.filter(({ onlyPush }) => onlyPush !== true || route.direction === 'push');
    for (const example of cases) await compare(t, world, route, example);
  });
}

t.test('a copy on this machine with --fake-super on one side alone', async (t) => {
  const world = new World(t);
  for (const program of [RSYNC, TSRSYNC]) {
    prepare(world);
    const route = { ...LOCAL, client: program };
    const { code, stderr } = await world.copy(route, ['-a', '-M--fake-super', '--chown=7:8'], 'src/', 'dst/');
    t.equal(code, 0, stderr);
    const beside = getXattr(Buffer.from(world.path('dst/one')), 'user.rsync.%stat')?.toString();
    t.equal(beside, '100644 0,0 7:8', program.name);
  }
});
