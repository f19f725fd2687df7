import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Batch } from '../../src/live/types.js';
import { readConfig } from '../../src/live-service/config/read.js';
import type { HookConfig } from '../../src/live-service/config/types.js';
import { HookRunner } from '../../src/live-service/hooks/runner.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

function hook(lines: string): HookConfig {
  const text = `[sync s]\nsource = /s\ntarget = h::m\n[hook h]\n${lines}\nhook retry first = 20 ms\nhook retry most = 40 ms\n`;
  return readConfig(text, 'ini', '').syncs[0].hooks[0];
}

function batch(over: Partial<Batch> = {}): Batch {
  return {
    mirror: 's',
    target: 'h',
    full: false,
    paths: ['a.php', 'd/b\nc', 'd/\xff.php'],
    deleted: ['gone.php'],
    started: 0,
    ended: 1000,
    exitCode: 0,
    sentBytes: 12,
    error: null,
    ...over,
  };
}

function runner(t: Test, lines: string) {
  const log: string[] = [];
  const made = new HookRunner(hook(lines), (kind, text) => log.push(`${kind}: ${text}`));
  t.teardown(() => made.stop(0));
  return { runner: made, log };
}

const idle = (r: HookRunner) => waitFor(() => r.status().queued === 0, 10_000, 'the hook to deliver');

t.test('a command gets the paths on its standard input', async (t) => {
  const out = join(tempDir(t), 'out');
  const { runner: r } = runner(
    t,
    `command = cat >> ${out}; echo "$TSRSYNC_SYNC $TSRSYNC_TARGET" >> ${out}\nseparator = nul`,
  );
  r.offer(batch());
  r.offer(batch({ full: true, paths: [], deleted: [] }));
  r.offer(batch({ exitCode: 23 }));
  await idle(r);
  t.equal(readFileSync(out, 'latin1'), 'a.php\0d/b\nc\0d/\xff.php\0s h\ns h\n');
  t.same(r.status(), { name: 'h', queued: 0, delivered: 2, lost: 0, lastError: null });
});

t.test('with {} once for each path, whatever its bytes', async (t) => {
  const out = join(tempDir(t), 'out');
  const { runner: r } = runner(t, `command = printf '<%s>' {} >> ${out}\nmatch = *.php\nskip = /d\ndeletions = yes`);
  r.offer(batch({ paths: ['x.php', '\xff x\n.php', '$(id).php', 'd/no.php', 'no'] }));
  r.offer(batch({ paths: ['no'], deleted: [] }));
  r.offer(batch({ full: true, paths: [], deleted: [] }));
  await idle(r);
  t.equal(readFileSync(out, 'latin1'), '<x.php><\xff x\n.php><$(id).php><gone.php>');
  t.equal(r.status().delivered, 1);
});

t.test('it is tried again, given up, and says so once', async (t) => {
  const dir = tempDir(t);
  const { runner: r, log } = runner(
    t,
    `command = echo x >> ${dir}/tries; echo no such luck >&2; test -e ${dir}/ok\nretries = 3`,
  );
  r.offer(batch());
  await idle(r);
  t.equal(readFileSync(join(dir, 'tries'), 'latin1').length, 8, 'four tries');
  t.same(log, [
    'warning: hook h: exit code 1 no such luck; it is tried again',
    'error: hook h: given up after 4 tries: exit code 1 no such luck',
  ]);
  t.match(r.status(), { delivered: 0, lost: 1, lastError: 'exit code 1 no such luck' });
  writeFileSync(join(dir, 'ok'), '');
  r.offer(batch());
  await idle(r);
  t.match(r.status(), { delivered: 1, lastError: null });
  t.equal(log[2], 'info: hook h: works again');
});

t.test('the queue is bounded, and a slow command is ended', async (t) => {
  const { runner: r, log } = runner(t, 'command = sleep 60\nqueue = 3\ntimeout = 200 ms\nretries = 0');
  for (let i = 0; i < 20; i++) r.offer(batch());
  t.equal(r.status().queued, 4, 'three wait, one is at work');
  t.equal(r.status().lost, 16);
  await waitFor(() => r.status().lost > 16, 10_000, 'the first to be given up');
  t.match(r.status().lastError, /no end after 200 ms/);
  t.equal(log.filter((line) => line.includes('queue is full')).length, 1);
  const started = Date.now();
  t.ok((await r.stop(0)) > 0, 'what is left is told');
  t.ok(Date.now() - started < 5000);
});

t.test('an HTTP server gets JSON', async (t) => {
  const dir = tempDir(t);
  const got: { headers: http.IncomingHttpHeaders; body: string }[] = [];
  const answers = [500, 302, 204];
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      got.push({ headers: request.headers, body });
      response.writeHead(answers.shift() ?? 200, { location: '/elsewhere' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  writeFileSync(join(dir, 'headers'), 'Authorization: Bearer secret\n', { mode: 0o600 });
  const { runner: r, log } = runner(
    t,
    `url = http://127.0.0.1:${port}/purge\nheader file = ${dir}/headers\nbase url = http://cdn/x/`,
  );
  r.offer(batch());
  await idle(r);
  t.equal(got.length, 3);
  t.match(got[2].headers, { authorization: 'Bearer secret', 'content-type': 'application/json' });
  t.match(JSON.parse(got[2].body), {
    sync: 's',
    target: 'h',
    full: false,
    paths: ['a.php', 'd/b\nc', 'd/\\#377.php'],
    deleted: ['gone.php'],
    urls: ['http://cdn/x/a.php', 'http://cdn/x/d/b%0Ac', 'http://cdn/x/d/%5C%23377.php', 'http://cdn/x/gone.php'],
    ended: '1970-01-01T00:00:01.000Z',
    exitCode: 0,
  });
  t.same(log, [
    'warning: hook h: the server answered 500 Internal Server Error; it is tried again',
    'info: hook h: works again',
  ]);
});

t.test('a TCP server gets lines', async (t) => {
  let text = '';
  const server = createServer((socket) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { runner: r, log } = runner(t, `tcp = 127.0.0.1:${port}\nretries = 100`);
  r.offer(batch());
  await idle(r);
  t.equal(text, 'batch s h 0 part\nsent a.php\nsent d/b\\nc\nsent d/\xff.php\ndeleted gone.php\nend\n');
  await new Promise((resolve) => server.close(resolve));
  r.offer(batch());
  await waitFor(() => r.status().lastError !== null, 10_000, 'the delivery to fail');
  t.match(log[0], /warning: hook h: connect ECONNREFUSED/);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  await idle(r);
  t.match(r.status(), { delivered: 2, lost: 0, lastError: null });
});
