import { linkSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import t, { type Test } from 'tap';
import { diffDirs, readTree } from '../lib/compare.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { type CopyDirection, normalize, PAIRS, type Route, referenceOf, routeName, World } from '../lib/routes.js';
import type { RunResult } from '../lib/run.js';

/** Names here are UTF-8, those of the other side ISO 8859-1. */
const ICONV = '--iconv=utf8,latin1';
const utf8 = (text: string) => Buffer.from(text).toString('latin1');
const latin1 = (text: string) => text;
type Spelling = (text: string) => string;

const LOCAL: Route = { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null };
const DIRECTIONS: readonly CopyDirection[] = ['push', 'pull'];
const ROUTES: readonly Route[] = [
  LOCAL,
  ...PAIRS.flatMap((pair) =>
    (['daemon', 'shell'] as const).flatMap((way) =>
      DIRECTIONS.map((direction) => ({ way, ...pair, direction, protocol: null })),
    ),
  ),
];

const bytes = (path: string) => Buffer.from(path, 'latin1');

function file(path: string, content = path): void {
  mkdirSync(bytes(dirname(path)), { recursive: true });
  writeFileSync(bytes(path), content);
  utimesSync(bytes(path), 1_000_000_000, 1_000_000_000);
}

const NAMES = [
  'plain',
  'café',
  'cafe',
  'été/naïve',
  'été/plain',
  'été/ü/deep',
  'zz/ÿ',
  'zz/a',
  'a/x',
  'a.b/y',
  'aä/b',
  'é',
];

function makeSource(dir: string, spelt: Spelling): void {
  for (const name of NAMES) file(`${dir}/${spelt(name)}`, name);
  symlinkSync(bytes(spelt('café')), bytes(`${dir}/${spelt('lïnk')}`));
  for (const name of ['été/ü', 'été', 'zz', 'a', 'a.b', 'aä', '']) {
    utimesSync(bytes(`${dir}/${spelt(name)}`), 1_000_000_000, 1_000_000_000);
  }
}

/** How names are spelt on both sides of a copy. */
const spellings = ({ direction }: Route): [Spelling, Spelling] =>
  direction === 'push' ? [utf8, latin1] : [latin1, utf8];

const said = (text: string) =>
  normalize(text)
    .replaceAll('expected', 'dest')
    .replace(/^sending|^receiving/m, '');

/** Deletions and changes are told of by both sides, so their order is by chance. */
const lines = (text: string) => said(text).split('\n').sort();
/** Old protocols, and rsync after a deletion, do not keep all times. */
const NAMES_ONLY = { root: false, linkTimes: false, dirTimes: false };

/** Both programs and the real one alone do the same; returns how it went. */
async function sameAsRsync(t: Test, world: World, route: Route, args: readonly string[], from = 'src/') {
  const expected = await world.copy(referenceOf(route), args, from, 'expected/', { timeout: 30_000 });
  const done = await world.copy(route, args, from, 'dest/', { timeout: 30_000 });
  const name = `${routeName(route)} ${args.join(' ')}`;
  t.same(lines(done.stdout), lines(expected.stdout), `${name}: lines`);
  t.equal(said(done.stderr), said(expected.stderr), `${name}: errors`);
  t.equal(done.code, expected.code, `${name}: exit code`);
  t.same(diffDirs(world.path('expected'), world.path('dest'), NAMES_ONLY), [], name);
  return done;
}

const newWorld = (t: Test) => new World(t, { charset: 'latin1', 'munge symlinks': 'no', 'use chroot': 'no' });
const hasName = (world: World, name: string) => readTree(world.path('dest')).has(name);

for (const route of ROUTES) {
  t.test(`names and targets: ${routeName(route)}`, async (t) => {
    const world = newWorld(t);
    const [here, there] = spellings(route);
    for (const [protocol, ...more] of [[29], [30, '--no-inc-recursive'], [32, '-c']] as [number, ...string[]][]) {
      for (const dir of ['src', 'expected', 'dest']) rmSync(world.path(dir), { recursive: true, force: true });
      makeSource(world.path('src'), here);
      const versioned = { ...route, protocol };
      const args = ['-ai', ICONV, ...more];
      const done = await sameAsRsync(t, world, versioned, args);
      t.equal(done.code, 0, done.stderr);
      for (const name of NAMES) t.ok(hasName(world, there(name)), name);
      const target = readTree(world.path('dest')).get(there('lïnk'))!.content;
      t.equal(target, (protocol < 30 ? here : there)('café'), 'the target of the link');
      // Once more, with changes: files that are right stay, others are sent again, and what is gone goes.
      rmSync(bytes(world.path(`src/${here('été/naïve')}`)));
      file(world.path(`src/${here('été/ü/deep')}`), 'changed');
      file(world.path(`src/${here('zz/ÿ')}`), 'changed as well');
      for (const dest of ['expected', 'dest']) file(world.path(`${dest}/${there('zz/fürther')}`), '');
      for (const name of ['été/ü', 'été', 'zz'])
        utimesSync(bytes(world.path(`src/${here(name)}`)), 1_100_000_000, 1_100_000_000);
      await sameAsRsync(t, world, versioned, [...args, '--delete', '--no-whole-file']);
    }
  });
}

for (const route of ROUTES) {
  t.test(`hard links, similar files, rules and -R: ${routeName(route)}`, async (t) => {
    const world = newWorld(t);
    const [here, there] = spellings(route);
    makeSource(world.path('src'), here);
    linkSync(bytes(world.path(`src/${here('café')}`)), bytes(world.path(`src/${here('été/hârd')}`)));
    linkSync(world.path('src/plain'), bytes(world.path(`src/${here('été/ü/plâin')}`)));
    await sameAsRsync(t, world, route, ['-aH', ICONV]);
    // A rule is not converted: it says the same on both sides only in ASCII.
    await sameAsRsync(t, world, route, [
      '-ai',
      ICONV,
      '--delete-excluded',
      '--exclude=zz',
      '--include=a*',
      '--trust-sender',
    ]);
    const large = Buffer.alloc(70_000, 'content ').toString();
    file(world.path(`src/${here('nëw-file.txt')}`), large);
    for (const dest of ['expected', 'dest']) file(world.path(`${dest}/${there('nëw-old.txt')}`), large);
    const fuzzy = await sameAsRsync(t, world, route, ['-a', '--stats', '--fuzzy', '--no-whole-file', ICONV]);
    t.match(fuzzy.stdout, /Matched data: [1-9]/);
    await sameAsRsync(t, world, route, ['-aiR', ICONV], 'src/./zz/');
    t.ok(hasName(world, there('zz/ÿ')));
  });
}

t.test('arguments and lists of names are converted with -s', async (t) => {
  for (const route of ROUTES.filter(({ way }) => way !== 'local')) {
    const world = newWorld(t);
    const [here, there] = spellings(route);
    makeSource(world.path('src'), here);
    const done = await world.copy(route, ['-ais', ICONV], utf8('src/été'), 'dest/', { timeout: 30_000 });
    t.equal(done.code, 0, `${routeName(route)}: ${done.stderr}`);
    t.ok(hasName(world, there('été/ü/deep')), routeName(route));
    if (route.direction === 'push') {
      const placed = await world.copy(route, ['-ais', ICONV], 'src/plain', utf8('dest/plâce/'), { timeout: 30_000 });
      t.equal(placed.code, 0, placed.stderr);
      t.ok(hasName(world, there('plâce/plain')), 'the destination, too');
    }
    // A daemon of rsync 3.5.0 without a new root finds no file of a list in a part of its module.
    if (route.way === 'daemon' && route.direction === 'pull' && route.server === RSYNC) continue;
    writeFileSync(bytes(world.path('list')), `${utf8('café')}\n${utf8('zz/ÿ')}\n`, 'latin1');
    const listed = await world.copy(route, ['-ais', ICONV, `--files-from=${world.path('list')}`], 'src/', 'listed/');
    t.equal(listed.code, 0, `${routeName(route)}: ${listed.stderr}`);
    const names = [...readTree(world.path('listed')).keys()].sort();
    t.same(names, ['.', 'zz', there('café'), there('zz/ÿ')].sort(), 'a list of this side');
    if (route.way !== 'shell') continue;
    writeFileSync(bytes(world.path('list')), 'café\nzz/ÿ\n', 'latin1');
    const far = await world.copy(route, ['-as', ICONV, `--files-from=host:${world.path('list')}`], 'src/', 'far/');
    t.equal(far.code, 0, far.stderr);
    t.same([...readTree(world.path('far')).keys()].sort(), names, 'a list of the other side');
  }
});

t.test('names and targets that are none of the sender are told, left out, and nothing is deleted', async (t) => {
  for (const route of ROUTES.filter(({ direction }) => direction === 'push')) {
    const world = newWorld(t);
    makeSource(world.path('src'), utf8);
    file(world.path('src/wr\xffng'));
    file(world.path('src/d\xffr/in'));
    file(world.path('src/short\xc3'));
    symlinkSync(bytes('\xff\xfe'), bytes(world.path('src/link')));
    for (const dest of ['expected', 'dest']) file(world.path(`${dest}/further`), '');
    const done = await sameAsRsyncInAnyOrder(t, world, route, ['-a', ICONV, '--delete']);
    t.equal(done.code, 23);
    t.match(
      done.stderr,
      /\[sender\] cannot convert filename: wr\\#377ng \(Invalid or incomplete multibyte or wide char/,
    );
    t.match(done.stderr, /\[sender\] cannot convert filename: short\\#303 \(Invalid argument\)/);
    t.match(done.stderr, /\[sender\] cannot convert symlink data for: ".*src\/link" \(Invalid/);
    t.ok(hasName(world, 'further'), 'nothing is deleted');
  }
});

/** rsync tells of names in the order of its directories. */
async function sameAsRsyncInAnyOrder(t: Test, world: World, route: Route, args: string[]): Promise<RunResult> {
  const expected = await world.copy(referenceOf(route), args, 'src/', 'expected/', { timeout: 30_000 });
  const done = await world.copy(route, args, 'src/', 'dest/', { timeout: 30_000 });
  const errors = (text: string) => lines(text).filter((line) => line.startsWith('['));
  t.same(errors(done.stderr), errors(expected.stderr), `${routeName(route)}: errors`);
  t.equal(done.code, expected.code, `${routeName(route)}: exit code`);
  t.same(diffDirs(world.path('expected'), world.path('dest'), NAMES_ONLY), [], routeName(route));
  return done;
}

/** rsync itself gives up when it gets such a name, or takes it for that of the destination. */
t.test('names that there cannot be at the receiver are told, left out, and nothing is deleted', async (t) => {
  const receivers = ROUTES.filter((r) => (r.direction === 'push' ? r.server : r.client) === TSRSYNC);
  for (const route of receivers) {
    for (const more of [[], ['--no-inc-recursive'], ['-H']]) {
      const world = newWorld(t);
      const iconv = route.direction === 'push' ? ICONV : '--iconv=latin1,utf8';
      if (route.direction === 'pull' && route.way === 'daemon') continue;
      makeSource(world.path('src'), utf8);
      for (const name of ['日本', '日/ein', '日/本/zwei', 'zz/日', 'été/ü/€']) file(world.path(`src/${utf8(name)}`));
      symlinkSync(bytes(utf8('€uro')), world.path('src/link'));
      linkSync(bytes(world.path(`src/${utf8('zz/日')}`)), world.path('src/zz/name'));
      file(world.path('dest/further'));
      const done = await world.copy(route, ['-a', iconv, '--delete', ...more], 'src/', 'dest/', { timeout: 30_000 });
      const title = `${routeName(route)} ${more}`;
      t.equal(done.code, 23, `${title}: ${done.stderr}`);
      const have = [...readTree(world.path('dest')).keys()].sort();
      t.same(have, ['.', ...NAMES, 'été', 'été/ü', 'zz', 'zz/name', 'a', 'a.b', 'aä', 'lïnk', 'further'].sort(), title);
      const told = done.stderr.replace(/\\#(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
      for (const name of ['日本', '日/ein', '日/本/zwei', 'zz/日', 'été/ü/€']) {
        t.match(told, new RegExp(`\\[[rR]eceiver\\] cannot convert filename: ${utf8(name)} \\(Invalid`), title);
      }
      t.match(told, /cannot convert symlink data for: ".*link"/, title);
    }
  }
});

t.test('messages are converted', async (t) => {
  for (const route of ROUTES.filter(({ way, direction }) => way !== 'local' && direction === 'pull')) {
    const world = newWorld(t);
    makeSource(world.path('src'), latin1);
    const args = ['-as', '--no-msgs2stderr', ICONV];
    const expected = await world.copy(referenceOf(route), args, utf8('src/nöne'), 'dest/', { timeout: 30_000 });
    const done = await world.copy(route, args, utf8('src/nöne'), 'dest/', { timeout: 30_000 });
    t.match(done.stderr, utf8('src/nöne" '), routeName(route));
    t.equal(done.stderr.split('\n')[0], expected.stderr.split('\n')[0]);
    t.equal(done.code, expected.code);
  }
});

t.test('what --iconv may say', async (t) => {
  const world = newWorld(t);
  makeSource(world.path('src'), utf8);
  const paths = [world.path('src/'), world.path('dest/')];
  const { runProgram } = await import('../lib/run.js');
  const run = (args: string[], env = {}) => runProgram(TSRSYNC, ['-a', ...args, ...paths], { env });
  const unknown = await run(['--iconv=nonsense']);
  t.equal(unknown.code, 4);
  t.match(
    unknown.stderr,
    /^iconv_open\("UTF-8", "nonsense"\) failed\nrsync error: requested action not supported \(code 4\)/,
  );
  for (const name of ['base64', 'hex', 'utf16le', 'utf8,nonsense'])
    t.equal((await run([`--iconv=${name}`])).code, 4, name);
  t.equal((await run([], { RSYNC_ICONV: 'nonsense' })).code, 4);
  for (const args of [['--iconv=-'], ['--iconv=nonsense', '--no-iconv'], ['--iconv=.'], ['--iconv=']]) {
    t.equal((await run(args)).code, 0, `${args}`);
  }
  t.same(diffDirs(world.path('src'), world.path('dest'), NAMES_ONLY), []);
  const ascii = await run(['--iconv=.'], { LC_ALL: 'C' });
  t.equal(ascii.code, 23, 'the locale has no such characters');
  t.match(ascii.stderr, /cannot convert filename: caf\\#303\\#251 /);
});

t.test('a module without a charset refuses, one with a charset may insist', async (t) => {
  for (const pair of PAIRS) {
    const route = { way: 'daemon', ...pair, direction: 'pull', protocol: null } as const;
    for (const [module, args, refused] of [
      [{}, ['--iconv=utf8'], '--iconv'],
      [{}, ['--iconv=utf8,nonsense'], '--iconv'],
      [{ charset: 'latin1', 'refuse options': 'no-iconv' }, [], '--no-iconv'],
    ] as const) {
      const world = new World(t, { ...module, 'use chroot': 'no' });
      makeSource(world.path('src'), latin1);
      const done = await world.copy(route, ['-a', ...args], 'src/', 'dest/');
      t.not(done.code, 0, routeName(route));
      t.match(done.stderr, new RegExp(`The server is configured to refuse ${refused}\n`), routeName(route));
    }
    const plain = newWorld(t);
    makeSource(plain.path('src'), latin1);
    const done = await plain.copy(route, ['-a'], 'src/', 'dest/');
    t.equal(done.code, 0, 'without --iconv names travel as they are');
    t.ok(hasName(plain, 'café'));
  }
});

t.test('a module with a root of its own', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  for (const direction of DIRECTIONS) {
    const route = { way: 'daemon', client: RSYNC, server: TSRSYNC, direction, protocol: null } as const;
    const world = new World(t, { charset: 'cp1252', 'use chroot': 'yes' });
    const [here] = spellings(route);
    makeSource(world.path('src'), here);
    const done = await world.copy(route, ['-a', '--iconv=utf8'], 'src/', 'dest/');
    t.equal(done.code, 0, done.stderr);
    t.ok(hasName(world, spellings(route)[1]('été/ü/deep')));
  }
});

t.test('a batch file', async (t) => {
  for (const writer of [RSYNC, TSRSYNC]) {
    const world = newWorld(t);
    makeSource(world.path('src'), utf8);
    const { runProgram } = await import('../lib/run.js');
    const batch = world.path('batch');
    const wrote = await runProgram(writer, [
      '-a',
      ICONV,
      `--write-batch=${batch}`,
      world.path('src/'),
      world.path('b1/'),
    ]);
    t.equal(wrote.code, 0, wrote.stderr);
    const read = (...iconv: string[]) =>
      runProgram(TSRSYNC, ['-a', ...iconv, `--read-batch=${batch}`, world.path('b2/')], { timeout: 20_000 });
    t.match((await read()).stderr, /Please specify the --iconv option to use this batch file\./);
    const done = await read('--iconv=latin1');
    t.equal(done.code, 0, done.stderr);
    t.same(diffDirs(world.path('b1'), world.path('b2'), NAMES_ONLY), [], writer.name);
  }
});
