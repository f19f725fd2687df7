import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { list, listModules, pull, push, RsyncError, serve, type WatchBatch, watch } from '../../src/index.js';
import { waitFor } from '../lib/wait.js';

/** A daemon of this process's program with one module behind a password. */
async function daemonFor(t: Test, dir: string) {
  writeFileSync(join(dir, 'secrets'), 'joe:pw\n', { mode: 0o600 });
  mkdirSync(join(dir, 'module'));
  const daemon = await serve(
    {
      modules: {
        m: {
          path: join(dir, 'module'),
          comment: 'a module',
          'read only': false,
          'auth users': 'joe',
          'secrets file': join(dir, 'secrets'),
          uid: process.getuid?.() ?? 0,
          gid: process.getgid?.() ?? 0,
          'use chroot': false,
        },
      },
    },
    { address: '127.0.0.1', port: 0, logFile: join(dir, 'log') },
  );
  t.teardown(() => daemon.close());
  return `rsync://joe@127.0.0.1:${daemon.port}`;
}

t.test('a session works with the kernels of the one before', async (t) => {
  const dir = t.testdir({ src: { a: 'hello' } });
  const url = await daemonFor(t, dir);
  // The types of a browser that this global has are not those of Node.
  const api = (globalThis as unknown as { WebAssembly: { Instance: new (...args: unknown[]) => object } }).WebAssembly;
  const real = api.Instance;
  t.teardown(() => {
    api.Instance = real;
  });
  let made = 0;
  api.Instance = class extends real {
    constructor(...args: unknown[]) {
      super(...args);
      made++;
    }
  };
  const counts = [];
  for (const text of ['one', 'another', 'the last one']) {
    made = 0;
    writeFileSync(join(dir, 'src/a'), text);
    await push(join(dir, 'src/a'), `${url}/m/`, { options: ['-a'], password: 'pw' });
    await pull(`${url}/m/a`, join(dir, text), { options: ['-a'], password: 'pw' });
    counts.push(made);
  }
  t.ok(counts[0] > 0, `at first ${counts[0]} are made`);
  t.same(counts.slice(1), [0, 0]);
});

t.test('push, list and pull within one program', async (t) => {
  const dir = t.testdir({ src: { 'a.txt': 'hello', sub: { 'ü.txt': 'x'.repeat(100_000) } } });
  const url = await daemonFor(t, dir);
  const lines: string[] = [];
  const pushed = await push(join(dir, 'src/'), `${url}/m/`, {
    options: ['-aiz'],
    password: 'pw',
    onOutput: (line) => lines.push(line),
  });
  t.equal(pushed.exitCode, 0);
  t.equal(pushed.stats.transferredFiles, 2);
  t.match(lines, ['<f+++++++++ a.txt', 'cd+++++++++ sub/', '<f+++++++++ sub/ü.txt']);
  t.same(await listModules(`${url}/`), [{ name: 'm', comment: 'a module' }]);
  const files = await list(`${url}/m/`, { options: ['-r'], password: 'pw' });
  t.same(
    files.map((f) => [f.path, f.type, f.type === 'file' ? f.size : 0]),
    [
      ['.', 'directory', 0],
      ['a.txt', 'file', 5],
      ['sub', 'directory', 0],
      ['sub/ü.txt', 'file', 100_000],
    ],
  );
  const pulled = await pull(`${url}/m/`, join(dir, 'back/'), { options: ['-a'], password: 'pw' });
  t.equal(pulled.exitCode, 0);
  t.equal(readFileSync(join(dir, 'back/sub/ü.txt'), 'utf8'), 'x'.repeat(100_000));
});

t.test('a wrong password and a missing source are errors with the exit codes of rsync', async (t) => {
  const dir = t.testdir({ src: { 'a.txt': 'hello' } });
  const url = await daemonFor(t, dir);
  await t.rejects(push(join(dir, 'src/'), `${url}/m/`, { options: ['-a'], password: 'no' }), {
    exitCode: 5,
    message: '@ERROR: auth failed on module m',
    messages: ['@ERROR: auth failed on module m'],
  });
  const partial = await push(join(dir, 'nothing'), join(dir, 'copy'), { options: ['-a'] });
  t.equal(partial.exitCode, 23);
  t.match(partial.errors[0], 'link_stat');
  await t.rejects(push(join(dir, 'src/'), join(dir, 'copy'), { options: ['--no-such-option'] }), RsyncError);
});

t.test('a run can be aborted', async (t) => {
  const dir = t.testdir({});
  const src = join(dir, 'src');
  mkdirSync(src);
  for (let i = 0; i < 2000; i++) writeFileSync(join(src, `f${i}`), 'x'.repeat(2000));
  const controller = new AbortController();
  const run = push(`${src}/`, join(dir, 'copy'), {
    options: ['-av'],
    signal: controller.signal,
    onOutput: () => controller.abort(),
  });
  const error = await run.then(
    () => null,
    (e: unknown) => e,
  );
  t.ok(error instanceof RsyncError);
  t.equal((error as RsyncError).exitCode, 20);
});

t.test('a run is aborted before the other side has said anything, and before it began', async (t) => {
  const dir = t.testdir({ src: { a: 'hello' } });
  const silent = createServer((socket) => sockets.push(socket));
  const sockets: Socket[] = [];
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const controller = new AbortController();
  const settings = { options: ['-a'], signal: controller.signal };
  const run = push(join(dir, 'src/'), `rsync://127.0.0.1:${port}/m`, settings);
  await waitFor(() => sockets.length > 0, 10_000, 'the connection');
  const ended = new Promise((resolve) => sockets[0].once('close', resolve));
  sockets[0].resume();
  controller.abort('enough');
  await t.rejects(run, { exitCode: 20, cause: 'enough' });
  await ended;
  await t.rejects(push(join(dir, 'src/'), join(dir, 'copy'), settings), { exitCode: 20, cause: 'enough' });
  await t.rejects(watch(join(dir, 'src/'), join(dir, 'copy'), settings), { exitCode: 20, cause: 'enough' });
  t.notOk(existsSync(join(dir, 'copy')));
});

t.test('a mirror ends with its signal', async (t) => {
  const dir = t.testdir({ src: { a: 'hello' } });
  const url = await daemonFor(t, dir);
  const controller = new AbortController();
  const mirror = await watch(`${join(dir, 'src')}/`, `${url}/m/`, {
    options: ['-a'],
    password: 'pw',
    signal: controller.signal,
  });
  t.equal(mirror.status().targets[0].phase, 'in step');
  controller.abort();
  await waitFor(() => mirror.status().targets[0].phase === 'stopped', 10_000, 'the end');
  t.equal(await mirror.close(), 0);
});

t.test('a mirror within a program', async (t) => {
  const dir = t.testdir({ src: { 'a.txt': 'hello' } });
  const url = await daemonFor(t, dir);
  const batches: WatchBatch[] = [];
  const settings = { options: ['-a', '--delete'], onBatch: (batch: WatchBatch) => batches.push(batch) };
  const errorOf = (mirror: Promise<unknown>) => mirror.catch((error) => error);
  const wrong = watch(`${join(dir, 'src')}/`, `${url}/m/`, { ...settings, password: 'wrong' });
  t.match(await errorOf(wrong), { exitCode: 5, message: /auth failed/ });
  t.match(await errorOf(watch(`${url}/m/`, dir, settings)), { exitCode: 1, message: /the source is remote/ });
  const inside = watch(`${dir}/`, join(dir, 'src/copy'), settings);
  t.match(await errorOf(inside), { exitCode: 1, message: /is within the source/ });
  const mirror = await watch(`${join(dir, 'src')}/`, `${url}/m/`, { ...settings, password: 'pw' });
  t.match(mirror.status().targets, [{ phase: 'in step', sessions: 1, files: 1 }]);
  writeFileSync(join(dir, 'src/ü.txt'), 'more');
  await waitFor(() => batches.some((batch) => batch.paths.includes('ü.txt')), 10_000, 'the batch');
  t.equal(readFileSync(join(dir, 'module/ü.txt'), 'utf8'), 'more');
  writeFileSync(join(dir, 'src/last'), 'x');
  await waitFor(() => mirror.status().targets[0].pending > 0, 5000, 'a change to be seen').catch(() => {});
  t.equal(await mirror.close(), 0);
  t.equal(readFileSync(join(dir, 'module/last'), 'utf8'), 'x');
});
