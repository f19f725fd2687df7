import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { diffDirs } from '../lib/compare.js';
import { PROJECT, RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { PAIRS, type Route, routeName, World } from '../lib/routes.js';
import { run } from '../lib/run.js';
import { at, buildTree, cutTree, editTree } from '../lib/tree.js';

const HOUR = 3_600_000;
const GIB_IN_MIB = 1024;

function allRoutes(): Route[] {
  const routes: Route[] = [{ way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null }];
  for (const way of ['daemon', 'shell'] as const) {
    for (const direction of ['push', 'pull'] as const) {
      for (const pair of PAIRS) routes.push({ way, direction, ...pair, protocol: null });
    }
  }
  return routes;
}

/** 1 GiB: 64 random MiB over and over, each with its number, so that no block repeats where it should not. */
function writeGigabyte(path: Buffer): void {
  const pieces = new Random(4).bytes(64 << 20);
  writeFileSync(path, '');
  for (let index = 0; index < GIB_IN_MIB; index++) {
    const piece = Buffer.from(pieces.subarray((index % 64) << 20, ((index % 64) + 1) << 20));
    for (let offset = 0; offset < piece.length; offset += 4096) piece.writeUInt32LE(index, offset);
    writeFileSync(path, piece, { flag: 'a' });
  }
}

t.test(
  '20,000 files and one of 1 GiB: new, edited, with deletions, and nothing to do',
  { timeout: HOUR },
  async (t) => {
    const world = new World(t);
    const options = { seed: 3, files: 20_000, dirs: 700, maxSize: 60_000, hardLinks: true, fifos: true };
    const tree = buildTree(world.path('one'), { ...options, oddNames: true, owners: true });
    writeGigabyte(at(tree.root, 'gigabyte'));
    await run(RSYNC.command, ['-aH', `${tree.root}/`, `${world.path('two')}/`], { timeout: HOUR });
    tree.root = world.path('two');
    editTree(tree, 5, 400);
    cutTree(tree, 6, 200);
    const edited = new Random(9);
    const { open } = await import('node:fs/promises');
    const file = await open(at(tree.root, 'gigabyte'), 'r+');
    for (let count = 0; count < 500; count++) await file.write(edited.bytes(100), 0, 100, edited.int(1 << 30));
    await file.close();
    for (const [number, route] of allRoutes().entries()) {
      await t.test(routeName(route), async (t) => {
        const target = world.makeDir(`copy-${number}`);
        for (const source of ['one/', 'two/', 'two/']) {
          const args = ['-aHi', '--delete', '--no-whole-file'];
          const done = await world.copy(route, args, source, `copy-${number}/`, { timeout: 600_000 });
          t.equal(done.code, 0, done.stderr);
          t.same(diffDirs(world.path(source), target), []);
          if (number > 0 && source === 'two/' && done.stdout === '') t.pass('the last run has nothing to say');
        }
        rmSync(target, { recursive: true, force: true });
      });
    }
  },
);

const REAL_TREES = ['/usr/include', '/usr/share', join(PROJECT, 'node_modules')].filter((path) => existsSync(path));

t.test('real trees: -avz --delete to a real daemon, and back from ours', { timeout: HOUR }, async (t) => {
  const world = new World(t);
  const [real, own] = [await world.daemon(RSYNC), await world.daemon(TSRSYNC)];
  for (const source of REAL_TREES) {
    await t.test(source, async (t) => {
      for (const name of ['there', 'back']) rmSync(world.path(name), { recursive: true, force: true });
      for (const name of ['there', 'back']) mkdirSync(world.path(name));
      const options = { timeout: 900_000 };
      const push = ['-avz', '--delete', `${source}/`, real.url('w/there/')];
      const pushed = await run(TSRSYNC.command, [...TSRSYNC.prefix, ...push], options);
      t.equal(pushed.code, 0, pushed.stderr);
      t.same(diffDirs(source, world.path('there'), { hardLinks: false }), []);
      const pull = ['-avz', '--delete', own.url('w/there/'), `${world.path('back')}/`];
      const pulled = await run(RSYNC.command, pull, options);
      t.equal(pulled.code, 0, pulled.stderr);
      t.same(diffDirs(source, world.path('back'), { hardLinks: false }), []);
      t.ok(statSync(world.path('back')).isDirectory());
    });
  }
});
