import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { getXattr, listXattrs, removeXattr, setXattr } from '../../src/libc/xattrs.js';
import { diffDirs } from '../lib/compare.js';
import { RSYNC } from '../lib/project.js';
import { normalize, PAIRS, type Route, referenceOf, routeName, World } from '../lib/routes.js';

/*
 * -X: extended attributes between both programs in both roles, on empty and on older destinations. What is printed and what is
 * there afterwards must be what the real program prints and leaves.
 */

const isRoot = process.getuid?.() === 0;
const skip = isRoot ? false : 'only root has attributes of all namespaces';

const LONG = Buffer.alloc(3000, 'L');
const OLD = 1_000_000_000;

type Attributes = Record<string, string | Buffer>;

function give(path: string, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) setXattr(Buffer.from(path), name, Buffer.from(value));
}

function settle(dir: string): void {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) settle(path);
    lutimesSync(path, OLD, OLD);
  }
  lutimesSync(dir, OLD, OLD);
}

/** A tree with attributes short, long and empty, of several namespaces, on all kinds of entries, and shared by several. */
function makeSource(dir: string): void {
  mkdirSync(join(dir, 'd/sub'), { recursive: true });
  for (const name of ['f1', 'f2', 'plain', 'd/f3', 'd/f4']) writeFileSync(join(dir, name), `content of ${name}`);
  writeFileSync(join(dir, 'big'), Buffer.alloc(200_000, 'b'));
  give(join(dir, 'f1'), { 'user.short': 'abc', 'user.empty': '', 'user.long': LONG });
  give(join(dir, 'f2'), {
    'user.long': LONG,
    'user.other': Buffer.alloc(40, 'o'),
    'trusted.t': 't',
    'security.s': 's',
  });
  give(join(dir, 'd/f3'), { 'user.long': LONG, 'user.short': 'abc', 'user.empty': '' });
  give(join(dir, 'd/f4'), { 'user.rsync.%own': 'rsync', 'user.caf\xe9': 'bytes' });
  give(join(dir, 'big'), { 'user.huge': Buffer.alloc(60_000, 'h') });
  give(join(dir, 'd'), { 'user.dir': Buffer.alloc(33, 'd') });
  symlinkSync('f1', join(dir, 'link'));
  give(join(dir, 'link'), { 'trusted.link': Buffer.alloc(50, 'l') });
  spawnSync('mkfifo', [join(dir, 'fifo')]);
  give(join(dir, 'fifo'), { 'trusted.fifo': 'f' });
  linkSync(join(dir, 'f1'), join(dir, 'd/hard'));
  chmodSync(join(dir, 'f2'), 0o444);
  settle(dir);
}

/** Changes attributes of a copy: all that can differ. */
function age(dir: string): void {
  give(join(dir, 'f1'), { 'user.short': 'older', 'user.extra': 'x' });
  give(join(dir, 'f2'), { 'user.other': Buffer.alloc(40, 'p') });
  removeXattr(Buffer.from(join(dir, 'd/f3')), 'user.long');
  removeXattr(Buffer.from(join(dir, 'd')), 'user.dir');
  give(join(dir, 'plain'), { 'user.gone': LONG });
  removeXattr(Buffer.from(join(dir, 'link')), 'trusted.link');
  writeFileSync(join(dir, 'big'), 'older');
  settle(dir);
  lutimesSync(join(dir, 'big'), OLD - 9, OLD - 9);
}

/** All attributes of a tree, by path. */
function attributes(dir: string, at = '.', found: Record<string, string> = {}): Record<string, string> {
  const path = Buffer.from(join(dir, at));
  for (const name of listXattrs(path).sort()) {
    const value = getXattr(path, name) as Buffer;
    found[`${at} ${name}`] = value.length > 100 ? `${value.length} ${value[0]}` : value.toString('latin1');
  }
  if (spawnSync('test', ['-d', path.toString(), '-a', '!', '-L', path.toString()]).status === 0) {
    for (const name of readdirSync(join(dir, at)).sort()) attributes(dir, join(at, name), found);
  }
  return found;
}

const WAYS = ['daemon', 'shell'] as const;
const DIRECTIONS = ['push', 'pull'] as const;

function routes(): Route[] {
  const all: Route[] = [];
  for (const way of WAYS) {
    for (const direction of DIRECTIONS) for (const pair of PAIRS) all.push({ way, direction, protocol: null, ...pair });
  }
  for (const protocol of [30, 31]) all.push({ way: 'shell', direction: 'push', protocol, ...PAIRS[0] });
  for (const protocol of [30, 31]) all.push({ way: 'shell', direction: 'push', protocol, ...PAIRS[1] });
  all.push({ way: 'local', direction: 'push', protocol: null, ...PAIRS[0] });
  return all;
}

interface Outcome {
  out: string;
  code: number | null;
  left: Record<string, string>;
}

t.test('attributes arrive, and only what differs is set', { skip }, async (test) => {
  const world = new World(test);
  makeSource(world.makeDir('src'));
  const outcome = async (route: Route, args: readonly string[], dest: string): Promise<Outcome> => {
    const done = await world.copy(route, args, 'src/', `${dest}/`);
    return {
      out: normalize(done.stdout).replace(/^</gm, '>') + done.stderr,
      code: done.code,
      left: attributes(world.path(dest)),
    };
  };
  const nothing = (): void => {};
  const expected = new Map<string, Outcome>();
  const both = async (route: Route, args: readonly string[], prepare: (dest: string) => void) => {
    const reference = referenceOf(route);
    const key = `${routeName(reference)} ${args.join(' ')} ${prepare.name}`;
    const what = `${routeName(route)} ${args.join(' ')}`;
    if (!expected.has(key)) {
      rmSync(world.path('dest'), { recursive: true, force: true });
      prepare(world.makeDir('dest'));
      expected.set(key, await outcome(reference, args, 'dest'));
    }
    rmSync(world.path('dest'), { recursive: true, force: true });
    prepare(world.makeDir('dest'));
    test.same(await outcome(route, args, 'dest'), expected.get(key), what);
    if (!args.some((arg) => arg.includes('n'))) test.same(diffDirs(world.path('src'), world.path('dest')), [], what);
  };
  const older = (dest: string): void => {
    spawnSync('cp', ['-a', '--preserve=all', `${world.path('src')}/.`, dest]);
    age(dest);
  };
  for (const route of routes()) {
    if (route.way === 'shell' && route.protocol === null) await both(route, ['-aHXi'], nothing);
    else await both(route, ['-aHXi'], older);
  }
  const [push] = routes();
  for (const args of [
    ['-aHXXi'],
    ['-aHXin'],
    ['-aHXi', '--inplace'],
    ['-aHXi', '--delete', '-f-x user.l*'],
    ['-aHXii', '-c'],
  ]) {
    await both(push, args, older);
  }
});

t.test('basis directories count only with the same attributes', { skip }, async (test) => {
  const world = new World(test);
  makeSource(world.makeDir('src'));
  const basis = world.makeDir('basis');
  spawnSync('cp', ['-a', '--preserve=all', `${world.path('src')}/.`, basis]);
  age(basis);
  const route: Route = { way: 'shell', direction: 'push', protocol: null, ...PAIRS[2] };
  for (const kind of ['link', 'copy', 'compare']) {
    const args = ['-aXii', `--${kind}-dest=${basis}`];
    const expected = await world.copy(referenceOf(route), args, 'src/', `${kind}-expected/`);
    const got = await world.copy(route, args, 'src/', `${kind}-got/`);
    test.equal(normalize(got.stdout).replaceAll('got', 'expected'), normalize(expected.stdout), args.join(' '));
    const want = attributes(world.path(`${kind}-expected`));
    // The real program forgets those of a fifo that it makes like the one in the basis directory.
    if (kind === 'copy') want['fifo trusted.fifo'] = 'f';
    test.same(attributes(world.path(`${kind}-got`)), want);
    test.same(diffDirs(world.path(`${kind}-expected`), world.path(`${kind}-got`)), []);
  }
});

t.test('files that are removed at their source have their attributes first', { skip }, async (test) => {
  const world = new World(test);
  // The real program as receiver says that a file may go before it has asked for its attributes.
  for (const pair of PAIRS.filter(({ server }) => server.name !== 'rsync')) {
    const name = `${pair.client.name}-${pair.server.name}`;
    makeSource(world.makeDir(`${name}/src`));
    world.makeDir(`${name}/dst`);
    spawnSync('cp', ['-a', '--preserve=all', `${world.path(name)}/src/.`, `${world.path(name)}/dst`]);
    const wanted = attributes(world.path(`${name}/src`));
    age(world.path(`${name}/dst`));
    const route: Route = { way: 'shell', direction: 'push', protocol: null, ...pair };
    const done = await world.copy(route, ['-aXX', '--remove-source-files'], `${name}/src/`, `${name}/dst/`);
    test.equal(done.code, 0, `${name} ${done.stderr}`);
    test.same(attributes(world.path(`${name}/dst`)), wanted, name);
  }
});

t.test('a capability that goes with the old owner is set again', { skip }, async (test) => {
  const world = new World(test);
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
  for (const dir of ['src', 'rsync', 'tsrsync']) {
    const path = join(world.makeDir(dir), 'tool');
    writeFileSync(path, 'tool');
    if (dir === 'src') chownSync(path, 1234, 1234);
    setXattr(Buffer.from(path), 'security.capability', capability);
    lutimesSync(path, OLD, OLD);
  }
  const out: string[] = [];
  for (const { client, server } of [{ client: RSYNC, server: RSYNC }, PAIRS[2]]) {
    const route: Route = { way: 'local', direction: 'push', protocol: null, client, server };
    out.push((await world.copy(route, ['-aXi'], 'src/', `${client.name}/`)).stdout.replace(/^\.d.*\n/m, ''));
  }
  test.equal(out[1], out[0]);
  test.same(getXattr(Buffer.from(world.path('tsrsync/tool')), 'security.capability'), capability);
});

t.test('a peer of protocol 29 is refused', async (test) => {
  const world = new World(test);
  writeFileSync(join(world.makeDir('src'), 'f'), 'f');
  const route: Route = { way: 'shell', direction: 'push', protocol: 29, ...PAIRS[0] };
  const expected = await world.copy(referenceOf(route), ['-aX'], 'src/', 'a/');
  const got = await world.copy(route, ['-aX'], 'src/', 'b/');
  test.equal(got.code, expected.code);
  test.match(got.stderr, /^--xattrs requires protocol 30 or higher \(negotiated 29\)\.$/m);
});
