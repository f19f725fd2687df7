import { linkSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ItemStream } from '../../src/api/item-stream.js';
import { type ChangedItem, list, pull, push, RsyncError, type RunItem, type RunProgress } from '../../src/index.js';
import type { Connection } from '../../src/transport/connection.js';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { memoryDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

const ROUTES = [
  'push to rsync',
  'pull from rsync',
  'push to our daemon',
  'pull from our daemon',
  'local copy',
] as const;

type Options = Parameters<typeof push>[2];

/** Starts a run from `src` to `dest` in `dir`. */
async function start(t: Test, route: (typeof ROUTES)[number], dir: string) {
  const src = join(dir, 'src/');
  const dest = join(dir, 'dest/');
  if (route === 'local copy') return (options: Options) => push(src, dest, options);
  const modules = { src: { path: src }, dest: { path: dest, 'read only': 'no' } };
  const program = route.endsWith('our daemon') ? TSRSYNC : RSYNC;
  const daemon = await startDaemon(t, program, { dir: join(dir, 'daemon'), modules });
  if (route.startsWith('pull')) return (options: Options) => pull(daemon.url('src/'), dest, options);
  return (options: Options) => push(src, daemon.url('dest/'), options);
}

/** A tree with one file of each kind that an item may tell of, and a destination with something to change and to delete. */
function trees(dir: string): void {
  mkdirSync(join(dir, 'src/sub'), { recursive: true });
  mkdirSync(join(dir, 'dest/old'), { recursive: true });
  writeFileSync(join(dir, 'src/a'), 'hello');
  writeFileSync(join(dir, 'src/ü'), 'x'.repeat(5000));
  linkSync(join(dir, 'src/a'), join(dir, 'src/sub/b'));
  symlinkSync('a', join(dir, 'src/l'));
  writeFileSync(join(dir, 'dest/old/gone'), '');
  writeFileSync(join(dir, 'dest/ü'), 'y'.repeat(4000));
  for (const name of ['src/same', 'dest/same']) writeFileSync(join(dir, name), 'same');
  for (const name of ['src/same', 'dest/same', 'dest/ü']) utimesSync(join(dir, name), 1e9, 1e9);
}

/** Waits until a number has not changed for 30 looks; returns it. */
async function standstill(look: () => number): Promise<number> {
  let last = -1;
  let same = 0;
  const stands = () => {
    const now = look();
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= 30;
  };
  await waitFor(stands, 20_000, 'a standstill');
  return last;
}

/** `count` files of 2,000 bytes each. */
function manyFiles(dir: string, count: number): void {
  mkdirSync(join(dir, 'src'));
  mkdirSync(join(dir, 'dest'));
  for (let i = 0; i < count; i++) writeFileSync(join(dir, `src/file${i}`), 'x'.repeat(2000));
}

const received = (dir: string) => readdirSync(join(dir, 'dest')).length;

for (const route of ROUTES) {
  t.test(`items of a run: ${route}`, async (t) => {
    const dir = memoryDir(t);
    trees(dir);
    const action = route.startsWith('pull') ? 'received' : 'sent';
    const mark = route.startsWith('push') ? '<' : '>';
    const lines: string[] = [];
    const run = (await start(t, route, dir))({
      options: ['-aiHW', '--delete', '--omit-dir-times'],
      onOutput: (line) => lines.push(line),
    });
    const items = new Map<string, RunItem>();
    for await (const item of run) items.set(item.path, item);
    t.match(await run, { exitCode: 0, stats: { transferredFiles: 2 }, errors: [] });
    t.same([...items.keys()].sort(), ['a', 'l', 'old', 'old/gone', 'sub', 'sub/b', 'ü']);
    const names = [items.get('a'), items.get('sub/b')] as ChangedItem[];
    if (names[0].action === 'linked') names.reverse();
    t.match(names[0], { action, type: 'file', size: 5, changes: `${mark}f+++++++++` });
    t.match(names[1], { action: 'linked', type: 'file', target: names[0].path });
    t.match(items.get('ü'), { action, type: 'file', size: 5000, changes: `${mark}f.st......` });
    const { bytes } = items.get('ü') as { bytes: number };
    t.ok(bytes > 5000 && bytes < 5100, `${bytes} bytes`);
    t.match(items.get('l'), { action: 'created', type: 'symlink', target: 'a' });
    t.match(items.get('sub'), { action: 'created', type: 'directory', changes: 'cd+++++++++' });
    t.match(items.get('old'), { action: 'deleted', type: 'directory' });
    t.match(items.get('old/gone'), { action: 'deleted', type: 'file' });
    t.same(lines, [], 'an item is no line');
  });

  t.test(`a loop that is slow holds the run and loses nothing: ${route}`, async (t) => {
    const dir = memoryDir(t);
    manyFiles(dir, 2500);
    const run = (await start(t, route, dir))({ options: ['-a'] });
    let count = 0;
    for await (const item of run) {
      if (item.type === 'file') count++;
      if (count !== 1) continue;
      const most = await standstill(() => received(dir));
      t.ok(most < 2000, `the run stands still at ${most} files after one was looked at`);
    }
    t.equal(count, 2500);
    t.equal(received(dir), 2500);
    t.equal((await run).stats.transferredFiles, 2500);
  });

  t.test(`a loop that is left ends the run: ${route}`, async (t) => {
    const dir = memoryDir(t);
    manyFiles(dir, 2500);
    const begin = await start(t, route, dir);
    const run = begin({ options: ['-a'] });
    const failed = new Error('the consumer failed');
    const loop = async () => {
      for await (const item of run) if (item.type === 'file') throw failed;
    };
    t.equal(await loop().catch((error) => error), failed);
    t.match(await run.catch((error) => error), { exitCode: 20 });
    t.ok(received(dir) < 2500, `${received(dir)} files`);
    t.equal((await begin({ options: ['-a'] })).exitCode, 0, 'and the next one goes on from there');
    t.equal(received(dir), 2500);
  });

  t.test(`progress, and functions that throw: ${route}`, async (t) => {
    const dir = memoryDir(t);
    mkdirSync(join(dir, 'src'));
    mkdirSync(join(dir, 'dest'));
    for (const name of ['a', 'b']) writeFileSync(join(dir, 'src', name), Buffer.alloc(3e6, name));
    const begin = await start(t, route, dir);
    const told: RunProgress[] = [];
    const options = ['-aI', '--bwlimit=4000'];
    await begin({ options, onProgress: (progress) => told.push(progress) });
    t.ok(told.length >= 3, `told ${told.length} times`);
    t.match(told.at(-1), { transferredFiles: 2, transferredBytes: 6e6, totalBytes: 6e6, listComplete: true });
    t.ok(
      told.some(({ transferredBytes: n }) => n > 0 && n < 6e6 && n !== 3e6),
      'within a file',
    );
    const bytes = told.map((progress) => progress.transferredBytes);
    t.same(
      bytes,
      bytes.toSorted((x, y) => x - y),
    );
    const failed = new Error('the caller failed');
    const fail = () => {
      throw failed;
    };
    t.equal(await begin({ options, onProgress: fail }).catch((error) => error), failed);
    t.equal(await begin({ options: ['-avI'], onOutput: fail }).catch((error) => error), failed);
  });
}

t.test('a run that fails says so to its loop, and that it was dry', async (t) => {
  const dir = memoryDir(t);
  trees(dir);
  const run = push(join(dir, 'src/'), 'rsync://127.0.0.1:1/m', { options: ['-a'] });
  const loop = async () => {
    for await (const item of run) t.fail(item.path);
  };
  t.match(await loop().catch((error) => error), { exitCode: 10, message: /Connection refused/ });
  await t.rejects(run, RsyncError);
  const dry: string[] = [];
  for await (const item of push(join(dir, 'src/'), join(dir, 'dest/'), { options: ['-an', '--delete'] })) {
    dry.push(`${item.action} ${item.path}`);
  }
  t.ok(dry.includes('sent a') && dry.includes('deleted old/gone'), dry.join());
  t.same(received(dir), 3);
  const late = push(join(dir, 'src/'), join(dir, 'dest/'), { options: ['-a'] });
  await late;
  t.throws(() => late[Symbol.asyncIterator](), /just been started/);
});

t.test('what the peer says is in the error', async (t) => {
  const dir = memoryDir(t);
  manyFiles(dir, 1);
  const daemon = await startDaemon(t, RSYNC, { dir: join(dir, 'daemon'), modules: { m: { path: dir } } });
  const error = await push(join(dir, 'src/'), daemon.url('m/'), { options: ['-a'] }).catch((e) => e);
  t.ok(error instanceof RsyncError);
  t.match(error, { message: /read only/ });
  t.match(error.messages.join('\n'), /module is read only/);
});

t.test('a listing is iterated over, or comes as one', async (t) => {
  const dir = memoryDir(t);
  trees(dir);
  const daemon = await startDaemon(t, RSYNC, { dir: join(dir, 'daemon'), modules: { m: { path: join(dir, 'src') } } });
  const names = ['.', 'a', 'l', 'same', 'sub', 'sub/b', 'ü'];
  for (const place of [daemon.url('m/'), join(dir, 'src/')]) {
    const run = list(place, { options: ['-r'] });
    const seen: string[] = [];
    for await (const { path } of run) seen.push(path);
    t.same(seen.sort(), names);
    t.same(await run, []);
    t.same((await list(place, { options: ['-r'] })).map(({ path }) => path).sort(), names);
  }
});

t.test('a consumer that is always behind does not make what waits longer', async (test) => {
  const stream = new ItemStream<number>();
  const held: string[] = [];
  const connection = { hold: () => held.push('held'), release: () => held.push('released') } as unknown as Connection;
  let next = 0;
  for (let taken = 0; taken < 10_000; taken++) {
    while (next < taken + 100) stream.push(next++, connection);
    if ((await stream.next()).value !== taken) test.fail(`item ${taken}`);
  }
  test.same(held, []);
  test.ok((Reflect.get(stream, 'items') as number[]).length < 1000);
});
