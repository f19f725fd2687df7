import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { TargetStatus } from '../../src/live/types.js';
import { askControl, askStatus } from '../../src/live-service/remote.js';
import { SharedSlots } from '../../src/live-service/slots.js';
import { History } from '../../src/live-service/status/history.js';
import { writeStatusFile } from '../../src/live-service/status/lsyncd-file.js';
import { serveSocket, serveTcp } from '../../src/live-service/status/server.js';
import type { ControlCommand, Controlled, ServiceStatus } from '../../src/live-service/status/types.js';
import { statusTable } from '../../src/live-service/table.js';
import { VERSION } from '../../src/live-service/version.js';
import { PROJECT } from '../lib/project.js';
import { tempDir } from '../lib/temp.js';

const NOW = Date.UTC(2026, 10, 26, 12);

function target(over: Partial<TargetStatus>): TargetStatus {
  return {
    name: 'web1',
    phase: 'in step',
    pending: 0,
    fullOwed: false,
    lagMs: 0,
    sessions: 3,
    connections: 2,
    failedSessions: 0,
    files: 120,
    deleted: 1,
    sentBytes: 4_500_000,
    literalBytes: 4_000_000,
    lastSuccess: NOW - 83_000,
    lastError: null,
    attempts: 0,
    nextAttempt: null,
    failing: [],
    guard: null,
    ...over,
  };
}

function state(): ServiceStatus {
  const down = target({
    name: 'web2',
    phase: 'waiting to retry',
    pending: 17,
    lagMs: 61_000,
    attempts: 4,
    nextAttempt: NOW + 12_000,
    lastSuccess: null,
    lastError: { time: NOW, exitCode: 10, text: 'failed to connect to web2: Connection refused (111)' },
    failing: [{ path: 'a/b', error: 'Permission denied (13)', attempts: 2 }],
  });
  const hook = { name: 'purge', queued: 2, delivered: 5, lost: 0, lastError: 'exit code 1' };
  const sync = {
    name: 'web',
    sources: ['/var/www/'],
    started: NOW,
    via: 'inotify',
    watches: 9,
    events: 44,
    overflows: 0,
  };
  return {
    version: VERSION,
    pid: 1,
    now: NOW,
    started: NOW - 7_200_000,
    config: '/etc/live.ini',
    sessions: 1,
    totalSessions: 4,
    syncs: [{ ...sync, targets: [target({}), down], problem: null, nextResync: null, hooks: [hook] }],
  };
}

function controlled() {
  const asked: [ControlCommand, string?, string?][] = [];
  const history = new History();
  history.sample(state());
  const service: Controlled = {
    status: state,
    history,
    onChange: () => () => {},
    control(...words) {
      if (words[1] === 'none') throw new Error('there is no sync none');
      asked.push(words);
    },
  };
  return { service, asked };
}

interface Answer {
  code: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

function ask(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = '',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ code: response.statusCode!, headers: response.headers, body: text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

t.test('the socket: status, commands, mode, a second service', async (t: Test) => {
  const path = join(tempDir(t), 'live.sock');
  const { service, asked } = controlled();
  const server = await serveSocket(service, path);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.same(await askStatus(path), state());
  await askControl(path, 'resync');
  await askControl(path, 'pause', 'web', 'web1');
  t.same(asked, [
    ['resync', undefined, undefined],
    ['pause', 'web', 'web1'],
  ]);
  await t.rejects(askControl(path, 'pause', 'none'), /there is no sync none/);
  await t.rejects(serveSocket(service, path), { code: 'EADDRINUSE' });
  server.close();
  t.equal(existsSync(path), false);
  await t.rejects(askStatus(path), /No such file or directory.*is the service running/);
});

t.test('the HTTP port: pages for this machine only', async (t) => {
  const { service, asked } = controlled();
  const server = await serveTcp(service, '127.0.0.1', 0);
  t.teardown(() => server.close());
  const { port } = server;
  const json = { 'content-type': 'application/json' };
  const host = `127.0.0.1:${port}`;

  const metrics = await ask(port, 'GET', '/metrics');
  t.match(metrics.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  t.match(metrics.body, /^tsrsync_lag_seconds\{sync="web",target="web2"\} 61$/m);
  t.match(metrics.body, /^process_resident_memory_bytes \d+$/m);
  t.match(metrics.body, /^# TYPE tsrsync_sent_bytes_total counter\n/m);
  t.match(metrics.body, /^tsrsync_in_step\{sync="web",target="web1"\} 1$/m);
  t.match(metrics.body, /^tsrsync_hook_queued\{sync="web",hook="purge"\} 2$/m);
  t.notMatch(metrics.body, /last_success_seconds\{sync="web",target="web2"\}/);
  t.equal(
    (await ask(port, 'GET', '/metrics')).body.match(/^tsrsync_sessions_total\{.*web1.*$/m)?.[0].split(' ')[1],
    '3',
  );
  t.same(JSON.parse((await ask(port, 'GET', '/status.json')).body), state());
  t.match(JSON.parse((await ask(port, 'GET', '/history.json')).body), {
    step: 5,
    targets: { 'web/web2': { lagMs: [61_000] } },
  });

  t.equal((await ask(port, 'GET', '/status.json', { host: 'evil.example' })).code, 403, 'DNS rebinding');
  t.equal((await ask(port, 'GET', '/status.json', { host, origin: 'http://evil.example' })).code, 403);
  t.equal((await ask(port, 'GET', '/events', { host, 'sec-fetch-site': 'cross-site' })).code, 403);
  t.equal((await ask(port, 'POST', '/pause', { host, origin: 'http://evil.example', ...json }, '{}')).code, 403);
  t.equal((await ask(port, 'POST', '/pause', { host, origin: 'null', ...json }, '{}')).code, 403);
  t.equal(
    (await ask(port, 'POST', '/pause', { host, 'content-type': 'text/plain' }, '{}')).code,
    415,
    'a form of elsewhere',
  );
  t.equal((await ask(port, 'POST', '/pause', { host, ...json }, '{')).code, 400);
  t.equal((await ask(port, 'POST', '/pause', { host, ...json }, '{"sync":5}')).code, 400);
  t.equal((await ask(port, 'POST', '/pause', { host, ...json }, 'x'.repeat(5000))).code, 413);
  t.equal((await ask(port, 'POST', '/stop', { host, ...json }, '{}')).code, 404);
  t.equal((await ask(port, 'GET', '/etc/passwd')).code, 404);
  t.equal((await ask(port, 'PUT', '/')).code, 405);
  t.same(asked, [], 'nothing of this got through');
  t.equal(
    (await ask(port, 'POST', '/resume', { host, origin: `http://${host}`, ...json }, '{"sync":"web"}')).code,
    200,
  );
  t.same(asked, [['resume', 'web', undefined]]);
});

t.test('a viewer gets the state as it changes', async (t) => {
  const { service } = controlled();
  const server = await serveTcp(service, '127.0.0.1', 0);
  t.teardown(() => server.close());
  const first = await new Promise<string>((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port: server.port, path: '/events' }, (response) => {
      response.once('data', (chunk: Buffer) => {
        resolve(chunk.toString());
        request.destroy();
      });
    });
    request.on('error', reject);
  });
  t.match(first, /^data: \{.*\}\n\n$/s);
  t.same(JSON.parse(first.slice(6)), state());
});

t.test('tables, status file, history, slots', async (t) => {
  const lines = statusTable(state()).split('\n');
  const columns = (line: string) => line.split(/ {2,}/);
  t.same(columns(lines[0]), ['SYNC', 'TARGET', 'STATE', 'LAG', 'PENDING', 'FILES', 'SENT', 'LAST SUCCESS']);
  t.same(columns(lines[1]), ['web', 'web1', 'in step', '-', '0', '120', '4.5M', '1m23s ago']);
  t.same(columns(lines[2]), ['web', 'web2', 'waiting to retry (in 12s)', '1m01s', '17', '120', '4.5M', 'never']);
  t.equal(lines[0].indexOf('LAG'), lines[2].indexOf('1m01s'));
  t.match(lines[3], /^web web2: failed to connect.*\(exit code 10\)$/);
  t.equal(lines[4], 'web web2: a/b: Permission denied (13)');
  t.equal(lines[5], 'web hook purge: exit code 1 (2 waiting)');

  const file = join(tempDir(t), 'status');
  const victim = join(tempDir(t), 'victim');
  writeFileSync(victim, 'mine');
  symlinkSync(victim, `${file}.new`);
  writeStatusFile(file, state());
  t.equal(readFileSync(victim, 'utf8'), 'mine', 'a link that somebody laid is not followed');
  t.match(readFileSync(file, 'utf8'), /^Lsyncd status report at .*\n\nweb source=\/var\/www\/\nThere are 17 delays\n/);
  t.match(readFileSync(file, 'utf8'), /\nInotify watching 9 directories\n$/);

  const history = new History(600);
  for (let i = 0; i < 9; i++) {
    const now = state();
    (now.syncs[0].targets[0] as { sentBytes: number }).sentBytes += i * 100;
    if (i < 4) (now.syncs[0] as { targets: unknown }).targets = [now.syncs[0].targets[0]];
    history.sample(now);
  }
  const { times, targets } = history.all();
  t.equal(times.length, 6, 'an hour');
  t.same(targets['web/web1'].sentBytes, [100, 100, 100, 100, 100, 100]);
  t.same(targets['web/web2'].pending, [null, 17, 17, 17, 17, 17]);

  const slots = new SharedSlots(2);
  const order: number[] = [];
  const [a, b] = [await slots.take(), await slots.take()];
  const waits = [1, 2, 3].map(async (n) => {
    const giveBack = await slots.take();
    order.push(n);
    return giveBack;
  });
  a();
  a();
  (await waits[0])();
  (await waits[1])();
  t.same(order, [1, 2, 3].slice(0, order.length));
  b();
  (await waits[2])();
  t.equal(slots.inUse, 0);
  t.equal(VERSION, JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')).version);
});
