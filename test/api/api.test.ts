import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { list, listModules, pull, push, RsyncError, serve } from '../../src/index.js';

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
