import { spawnSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AclName } from '../../protocol/attributes/acl-bytes.js';
import { getXattr } from '../../src/libc/xattrs.js';
import { diffDirs } from '../lib/compare.js';
import { normalize, PAIRS, type Route, referenceOf, routeName, World } from '../lib/routes.js';

/*
 * -A: access control lists between both programs in both roles. What is printed, and the lists as getfacl shows them, must be
 * those of the real program.
 */

const isRoot = process.getuid?.() === 0;
const hasTools = spawnSync('setfacl', ['--version']).status === 0 && spawnSync('getfacl', ['--version']).status === 0;
const skip = !isRoot ? 'only root can give files to others' : hasTools ? false : 'no setfacl and getfacl';

function setfacl(dir: string, commands: string): void {
  for (const line of commands.trim().split('\n')) {
    const done = spawnSync('setfacl', line.trim().split(' '), { cwd: dir, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(done.stderr);
  }
}

function settle(dir: string): void {
  spawnSync('find', [dir, '-depth', '-exec', 'touch', '-h', '-d', '@1000000000', '{}', '+']);
}

function makeSource(dir: string): void {
  mkdirSync(join(dir, 'd/sub'), { recursive: true });
  mkdirSync(join(dir, 'e'));
  for (const name of ['f1', 'f2', 'f3', 'plain', 'd/f4', 'd/f5']) writeFileSync(join(dir, name), `content of ${name}`);
  spawnSync('mkfifo', [join(dir, 'fifo')]);
  symlinkSync('f1', join(dir, 'link'));
  linkSync(join(dir, 'f1'), join(dir, 'hard'));
  for (const [name, mode] of [
    ['f1', 0o640],
    ['f2', 0o4755],
    ['d/f4', 0o664],
  ] as const)
    chmodSync(join(dir, name), mode);
  setfacl(
    dir,
    `-m u:33:r,g:1000:rx,m:rwx f1
     -m u:12345:rwx f2
     -m u:33:rw,u:7:r,g:33:x,g:4:rw,o::- f3
     -m m::r f3
     -m u:33:r,g:1000:rx,m:rwx d/f4
     -m g::rwx,u:33:rwx,m::rx d/f5
     -m u:33:rw fifo
     -m u:33:rx d
     -d -m u:33:rwx,g:4:r d
     -d -m u::rwx,g::r,o::- e
     -m u:33:rwx d/sub`,
  );
  settle(dir);
}

/** Changes the lists of a copy: all that can differ. */
function age(dir: string): void {
  writeFileSync(join(dir, 'f2'), 'older');
  setfacl(
    dir,
    `-b f1
     -x u:7 f3
     -m u:33:rwx plain
     -m g::- d/f5
     -b fifo
     -k d
     -d -m u:99:r e
     -b d/sub`,
  );
  chmodSync(join(dir, 'd/f4'), 0o600);
  chmodSync(join(dir, 'd/sub'), 0o700);
  settle(dir);
  spawnSync('touch', ['-d', '@999999999', join(dir, 'f2')]);
}

function getfacl(dir: string): string {
  const command = 'find . ! -type l | LC_ALL=C sort | xargs getfacl -pn';
  return spawnSync('sh', ['-c', command], { cwd: dir, encoding: 'utf8' }).stdout;
}

function routes(): Route[] {
  const all: Route[] = [];
  for (const way of ['daemon', 'shell'] as const) {
    for (const direction of ['push', 'pull'] as const) {
      for (const pair of PAIRS) all.push({ way, direction, protocol: null, ...pair });
    }
  }
  all.push({ way: 'shell', direction: 'push', protocol: 30, ...PAIRS[0] });
  all.push({ way: 'local', direction: 'push', protocol: null, ...PAIRS[0] });
  return all;
}

t.test('lists arrive, and only what differs is set', { skip }, async (test) => {
  const world = new World(test);
  makeSource(world.makeDir('src'));
  const expected = new Map<string, unknown>();
  const outcome = async (route: Route, args: readonly string[], prepare: (dest: string) => void) => {
    rmSync(world.path('dest'), { recursive: true, force: true });
    prepare(world.makeDir('dest'));
    const done = await world.copy(route, args, 'src/', 'dest/');
    const out = normalize(done.stdout).replace(/^</gm, '>') + done.stderr;
    return { out, code: done.code, acls: getfacl(world.path('dest')) };
  };
  const both = async (route: Route, args: readonly string[], prepare: (dest: string) => void) => {
    const reference = referenceOf(route);
    const key = `${routeName(reference)} ${args.join(' ')} ${prepare.name}`;
    if (!expected.has(key)) expected.set(key, await outcome(reference, args, prepare));
    const what = `${routeName(route)} ${args.join(' ')}`;
    test.same(await outcome(route, args, prepare), expected.get(key), what);
    if (!args.some((arg) => arg.includes('n'))) test.same(diffDirs(world.path('src'), world.path('dest')), [], what);
  };
  const empty = (): void => {};
  const older = (dest: string): void => {
    spawnSync('cp', ['-a', '--preserve=all', `${world.path('src')}/.`, dest]);
    age(dest);
  };
  for (const route of routes()) {
    if (route.way === 'shell' && route.protocol === null) await both(route, ['-aAHi'], empty);
    else await both(route, ['-aAHXi'], older);
  }
  const [push] = routes();
  const more = [['-aAHii', '--no-inc-recursive'], ['-aAHi', '--numeric-ids'], ['-aAHin'], ['-aAHi', '--inplace', '-c']];
  for (const args of more) await both(push, args, older);
  await both({ ...push, way: 'local', ...PAIRS[2] }, ['-aAvvn', '--exclude=/d', '--exclude=f2'], older);
  for (const kind of ['link', 'copy']) {
    const basis = world.makeDir('basis');
    older(basis);
    const shell: Route = { ...push, way: 'shell' };
    await both({ ...shell, ...PAIRS[2] }, ['-aAi', `--${kind}-dest=${basis}`], empty);
    rmSync(basis, { recursive: true });
  }
});

t.test('the list of a sticky directory is right after one run', { skip }, async (test) => {
  const world = new World(test);
  const dir = world.makeDir('src');
  mkdirSync(join(dir, 'sticky'));
  chmodSync(join(dir, 'sticky'), 0o1777);
  setfacl(dir, '-m u:33:rwx sticky');
  const route: Route = { way: 'local', direction: 'push', protocol: null, ...PAIRS[2] };
  await world.copy(route, ['-aA'], 'src/', 'dest/');
  test.equal(getfacl(world.path('dest')), getfacl(dir), 'where the real program leaves the group without its rights');
});

t.test('fake super keeps lists beside files, and gives them back', { skip }, async (test) => {
  const world = new World(test);
  makeSource(world.makeDir('src'));
  const fake = (name: string): Buffer | null => getXattr(Buffer.from(world.path(name)), 'user.rsync.%aacl');
  for (const pair of PAIRS) {
    const name = `${pair.client.name}-${pair.server.name}`;
    const route: Route = { way: 'shell', direction: 'push', protocol: null, ...pair };
    await world.copy(route, ['-aAX', '-M--fake-super'], 'src/', `${name}/`);
    test.equal(getXattr(Buffer.from(world.path(`${name}/f1`)), AclName.ACCESS), null, name);
    test.same(fake(`${name}/f1`), fake('tsrsync-rsync/f1'), `${name}: as the real program stores it`);
    const back = await world.copy(
      { ...route, direction: 'pull' },
      ['-aAX', '-M--fake-super'],
      `${name}/`,
      `${name}-back/`,
    );
    test.equal(back.code, 0, back.stderr);
    test.equal(getfacl(world.path(`${name}-back`)), getfacl(world.path('src')), name);
  }
});

t.test('a peer of protocol 29 is refused', async (test) => {
  const world = new World(test);
  writeFileSync(join(world.makeDir('src'), 'f'), 'f');
  const route: Route = { way: 'shell', direction: 'push', protocol: 29, ...PAIRS[0] };
  const expected = await world.copy(referenceOf(route), ['-aAX'], 'src/', 'a/');
  const got = await world.copy(route, ['-aAX'], 'src/', 'b/');
  test.equal(got.code, expected.code);
  test.match(got.stderr, /^--acls requires protocol 30 or higher \(negotiated 29\)\.$/m);
});
