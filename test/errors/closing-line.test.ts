import { chmodSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { type CopyDirection, PAIRS, type Route, referenceOf, routeName, type Way, World } from '../lib/routes.js';
import { runProgram } from '../lib/run.js';
import { waitFor } from '../lib/wait.js';
import { visible } from './support.js';

interface Fault {
  name: string;
  from: string;
  to: string;
  args?: string[];
  /** Versions in which the two ends tell each other why they leave, so that nothing is left to chance. */
  protocols?: (number | null)[];
}

const FAULTS: readonly Fault[] = [
  { name: 'a source that is not there', from: 'src/none', to: 'dst/', protocols: [null, 30] },
  { name: 'a destination without a parent', from: 'src/', to: 'dst/no/such/folder' },
  { name: 'a file without a parent', from: 'src/file', to: 'dst/no/such/name' },
  { name: 'a destination that is a file', from: 'src/', to: 'dst/old' },
  { name: 'a destination below a file', from: 'src/', to: 'dst/old/below' },
  { name: 'too many deletions', from: 'src/', to: 'full/', args: ['--delete', '--max-delete=1'] },
];

function prepare(world: World): void {
  for (const dir of ['src/inner', 'dst', 'full']) world.makeDir(dir);
  writeFileSync(world.path('src/file'), 'new\n');
  writeFileSync(world.path('src/inner/deep'), 'deep\n');
  writeFileSync(world.path('dst/old'), 'old\n');
  for (const name of ['a', 'b', 'c']) writeFileSync(world.path(`full/${name}`), name);
}

function routes(way: Way, protocol: number | null): Route[] {
  const pairs = way === 'local' ? PAIRS.slice(2) : PAIRS;
  const directions: CopyDirection[] = way === 'local' ? ['push'] : ['push', 'pull'];
  return directions.flatMap((direction) => pairs.map((pair) => ({ way, direction, protocol, ...pair })));
}

for (const way of ['local', 'shell'] as const) {
  t.test(`what a failed run says at its end: ${way}`, { timeout: 120_000 }, async (t) => {
    for (const fault of FAULTS) {
      for (const protocol of way === 'local' ? [null] : (fault.protocols ?? [null])) {
        const all = routes(way, protocol);
        const [push, pull] = (['push', 'pull'] as const).map((direction) =>
          all.filter((r) => r.direction === direction),
        );
        await Promise.all([push, pull].map((group) => compare(t, fault, group)));
      }
    }
  });
}

/** Holds routes of the same direction against the real program on both sides. */
async function compare(t: Test, fault: Fault, group: readonly Route[]): Promise<void> {
  if (group.length === 0) return;
  const ends = await Promise.all([referenceOf(group[0]), ...group].map((route) => endOf(t, fault, route)));
  for (const [index, route] of group.entries()) t.same(ends[index + 1], ends[0], `${fault.name}: ${routeName(route)}`);
}

async function endOf(t: Test, fault: Fault, route: Route): Promise<{ code: number | null; stderr: string }> {
  const world = new World(t);
  prepare(world);
  const result = await world.copy(route, ['-a', ...(fault.args ?? [])], fault.from, fault.to);
  const { code, stderr } = visible(result);
  t.equal(readFileSync(world.path('dst/old'), 'latin1'), 'old\n', 'nothing was overwritten');
  return { code, stderr: stderr.replaceAll(world.dir, 'DIR') };
}

t.test('local copies of large files arrive', async (t) => {
  const world = new World(t);
  const data = new Random(5).bytes(3_000_000);
  writeFileSync(join(world.makeDir('src'), 'large'), data);
  const args = ['-a', `${world.path('src')}/`, `${world.path('dst')}/`];
  const first = await runProgram(TSRSYNC, args);
  t.equal(first.code, 0, first.stderr);
  t.ok(readFileSync(world.path('dst/large')).equals(data));
  data[1_500_000] ^= 1;
  writeFileSync(world.path('src/large'), data);
  const second = await runProgram(TSRSYNC, [...args, '-I', '--no-whole-file']);
  t.equal(second.code, 0, second.stderr);
  t.ok(readFileSync(world.path('dst/large')).equals(data));
});

t.test('a source that shrinks while it is sent', { timeout: 60_000 }, async (t) => {
  for (const client of ['push', 'pull'] as const) {
    const world = new World(t);
    const large = join(world.makeDir('src'), 'large');
    writeFileSync(large, new Random(6).bytes(6_000_000));
    world.makeDir('dst');
    const route: Route = { way: 'shell', client: TSRSYNC, server: TSRSYNC, direction: client, protocol: null };
    const running = world.copy(route, ['-a', '-W', '--bwlimit=3M'], 'src/', 'dst/');
    const arrived = (): boolean =>
      readdirSync(world.path('dst')).some((name) => statSync(join(world.path('dst'), name)).size > 500_000);
    await waitFor(arrived, 60_000, 'data to arrive');
    truncateSync(large, 5_000_000);
    const result = await running;
    t.equal(result.code, 23, client);
    t.match(result.stderr, /read errors mapping ".*\/large": No data available \(61\)/);
    t.ok(readFileSync(world.path('dst/large')).equals(readFileSync(large)), 'the second try brings what is there');
  }
});

t.test('what others must not read', { skip: process.getuid?.() === 0 ? false : 'needs root' }, async (t) => {
  const world = new World(t);
  prepare(world);
  for (const name of ['src/file', 'src/inner']) chmodSync(world.path(name), 0o700);
  chmodSync(world.path('dst'), 0o777);
  const ends = [];
  for (const program of ['rsync', [TSRSYNC.command, ...TSRSYNC.prefix].join(' ')]) {
    rmSync(world.path('dst/old'), { force: true });
    const line = `exec ${program} -r ${world.path('src')}/ ${world.path('dst')}/`;
    const as = ['--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', line];
    const shell = { name: 'setpriv', command: 'setpriv', prefix: [], remotePath: '' };
    const { code, stderr } = visible(await runProgram(shell, as));
    ends.push({ code, stderr });
  }
  t.equal(ends[0].code, 23);
  t.same(ends[1], ends[0]);
});
