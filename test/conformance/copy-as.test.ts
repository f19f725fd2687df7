import { chmodSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { normalize, type Route, referenceOf, routeName, World } from '../lib/routes.js';

const NEEDS_ROOT = process.getuid?.() !== 0 && 'needs root';
/** Enough for the thread that makes files. */
const MANY = 1500;

/** A readable file, one that only root may read, and many more where a test wants them. */
function worldWith(t: Test, many = 0): World {
  const world = new World(t);
  chmodSync(world.dir, 0o755);
  const src = world.makeDir('src');
  writeFileSync(`${src}/open`, 'content');
  writeFileSync(`${src}/closed`, 'content', { mode: 0o600 });
  mkdirSync(`${src}/dir`);
  for (let i = 0; i < many; i++) writeFileSync(`${src}/dir/file${i}`, `content ${i}`);
  return world;
}

/** What a run says and leaves behind: each entry with its mode and owner. */
async function outcome(world: World, route: Route, name: string, args: readonly string[]) {
  const dest = world.makeDir(name);
  chmodSync(dest, 0o777);
  const { code, stdout, stderr } = await world.copy(route, ['-r', ...args], 'src/', `${name}/`);
  const entries = readdirSync(dest, { recursive: true, encoding: 'latin1' }).sort();
  const left = entries.map((entry) => {
    const { mode, uid, gid } = lstatSync(`${dest}/${entry}`);
    return `${entry} ${mode.toString(8)} ${uid}:${gid}`;
  });
  return { code, said: normalize(stdout + stderr).replaceAll(name, 'dest'), left };
}

async function compare(t: Test, world: World, route: Route, args: readonly string[]): Promise<void> {
  const what = `${routeName(route)} ${args.join(' ')}`;
  const actual = await outcome(world, route, `ours ${what}`, args);
  const expected = await outcome(world, referenceOf(route), `theirs ${what}`, args);
  t.same(actual, expected, what);
}

const shell = (client: Route['client'], server: Route['server'], direction: Route['direction']): Route => ({
  way: 'shell',
  client,
  server,
  direction,
  protocol: null,
});
const LOCAL: Route = { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null };

t.test('--copy-as: whose rights a side has', { skip: NEEDS_ROOT }, async (t) => {
  const world = worldWith(t);
  for (const args of [['--copy-as=nobody'], ['--copy-as=daemon:games'], ['--copy-as=12345:777', '-p']]) {
    await compare(t, world, LOCAL, args);
  }
  for (const direction of ['push', 'pull'] as const) {
    await compare(t, world, shell(TSRSYNC, RSYNC, direction), ['--copy-as=nobody']);
    await compare(t, world, shell(RSYNC, TSRSYNC, direction), ['-M--copy-as=nobody']);
  }
  await compare(t, world, { ...LOCAL, way: 'daemon', direction: 'pull' }, ['--copy-as=nobody', '-z']);
});

t.test('--copy-as: a thread that makes files has them too', { skip: NEEDS_ROOT }, async (t) => {
  const world = worldWith(t, MANY);
  await compare(t, world, LOCAL, ['--copy-as=nobody']);
  await compare(t, world, shell(RSYNC, TSRSYNC, 'push'), ['-M--copy-as=nobody', '-z']);
});

t.test('--copy-as: who is nobody', { skip: NEEDS_ROOT }, async (t) => {
  const world = worldWith(t);
  for (const who of ['', 'nosuchuser', ':games', 'daemon:', 'daemon:nosuchgroup', '12345']) {
    for (const direction of ['push', 'pull'] as const) {
      const route = { ...LOCAL, way: 'daemon', direction } as const;
      const actual = await outcome(world, route, `ours ${who} ${direction}`, [`--copy-as=${who}`]);
      const expected = await outcome(world, referenceOf(route), `theirs ${who} ${direction}`, [`--copy-as=${who}`]);
      t.same(actual, expected, `--copy-as=${who} (${direction})`);
    }
  }
  const remote = await outcome(world, shell(RSYNC, TSRSYNC, 'push'), 'remote', ['-M--copy-as=nosuchuser']);
  t.match(remote, { code: 1, said: /Invalid copy-as user: nosuchuser/ });
});

t.test('--copy-as: where one process has more to do', { skip: NEEDS_ROOT }, async (t) => {
  const world = worldWith(t);
  const both = await outcome(world, LOCAL, 'both', ['-M--copy-as=nobody']);
  t.match(both, { said: /is not supported in a copy on this machine/, left: [] });
  const module = await outcome(world, { ...LOCAL, way: 'daemon' }, 'module', ['-M--copy-as=nobody']);
  t.match(module, { code: 4, said: /--copy-as is not supported on this server/, left: [] });
});
