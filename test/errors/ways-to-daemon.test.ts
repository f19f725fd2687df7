import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { diffDirs } from '../lib/compare.js';
import { freePort, startDaemon, writeConfig } from '../lib/daemon.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { type RunOptions, runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { endsWith, sameEnd } from './support.js';

const dir = tempDir(t);
const [src, module, copy] = [join(dir, 'src'), join(dir, 'module'), join(dir, 'copy')];
mkdirSync(src);
mkdirSync(module);
for (let i = 0; i < 20; i++) writeFileSync(join(src, `file${i}`), `content ${i}\n`.repeat(1000 * i));
utimesSync(src, 1e9, 1e9);
const modules = { m: { path: module, 'read only': 'no', 'use chroot': 'no' } };
const config = writeConfig({ dir: join(dir, 'daemon'), modules });

const words = (program: Program) => [program.command, ...program.prefix].join(' ');
const through = (command: string, more: Record<string, string> = {}): RunOptions => ({
  env: { RSYNC_CONNECT_PROG: command, ...more },
});

/** Pushes and pulls by way of what the environment names; returns what was printed. */
async function thereAndBack(t: Test, url: string, options: RunOptions): Promise<string> {
  rmSync(copy, { recursive: true, force: true });
  const push = await runProgram(TSRSYNC, ['-a', '--delete', `${src}/`, url], options);
  const pull = await runProgram(TSRSYNC, ['-a', url, copy], options);
  t.same([push.code, pull.code], [0, 0], push.stderr + pull.stderr);
  t.same(diffDirs(src, copy), []);
  return push.stdout;
}

t.test('a daemon that the client starts as a program', async (t) => {
  for (const daemon of [RSYNC, TSRSYNC]) {
    const options = through(`${words(daemon)} --daemon --config='${config}' # %H`);
    await thereAndBack(t, 'rsync://host.name/m/', options);
  }
  // The other way round: the real client gives our daemon the socket.
  const options = through(`${words(TSRSYNC)} --daemon --config='${config}'`);
  t.equal((await runProgram(RSYNC, ['-a', 'host::m/', join(dir, 'other')], options)).code, 0);
  t.same(diffDirs(src, join(dir, 'other')), []);
});

t.test('what stands for the host', async (t) => {
  const answers = 'echo "[%H] %%H 100%%"; cat > /dev/null';
  for (const host of ['host.name', 'a+b~c-d_e', '[fe80::1%eth0]', 'user@host', 'host:99']) {
    await sameEnd(t, host, ['-a', `rsync://${host}/m/`, copy], through(answers));
  }
  for (const host of ['a;b', '-c', '+x', '~root', '%self', '', 'a b', "a'b", 'a$b', 'a`b`', 'a\nb']) {
    await sameEnd(t, host, ['-a', `rsync://${host}/m/`, copy], through(answers));
  }
  await sameEnd(t, 'no %H', ['-a', 'rsync://a;b/m/', copy], through('echo hello; cat > /dev/null'));
  await sameEnd(t, 'debug', ['-avv', 'h::m/', copy], through('echo "%H"; cat > /dev/null'));
  const shell = join(dir, 'shell');
  writeFileSync(shell, '#!/bin/sh\necho "<$1|$2>"; cat > /dev/null\n', { mode: 0o755 });
  await sameEnd(t, 'RSYNC_SHELL', ['-a', 'h::m/', copy], through('a "%H"', { RSYNC_SHELL: shell }));
  await endsWith(t, TSRSYNC, ['-a', 'h::m/', copy], 5, /did not see server greeting/, through('exit 3'));
});

/** A web proxy that lets CONNECT through to `port`, or answers with `refusal`. */
async function webProxy(t: Test, port: number, refusal: string): Promise<{ port: number; heads: string[] }> {
  const heads: string[] = [];
  const server = createServer((client) => {
    let head = '';
    client.on('error', () => {});
    client.on('data', function read(chunk) {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      client.off('data', read);
      heads.push(head);
      if (refusal !== '') return client.end(refusal);
      const daemon = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\nServer: test\r\n\r\n');
        client.pipe(daemon).pipe(client);
      });
      daemon.on('error', () => client.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { port: (server.address() as { port: number }).port, heads };
}

t.test('through a web proxy', async (t) => {
  const daemon = await startDaemon(t, RSYNC, { dir: join(dir, 'proxied'), modules });
  const proxy = await webProxy(t, daemon.port, '');
  const place = `127.0.0.1:${proxy.port}`;
  const connects = 'CONNECT some.host:99 HTTP/1.0\r\n';
  await thereAndBack(t, 'rsync://some.host:99/m/', { env: { RSYNC_PROXY: place } });
  t.same(proxy.heads.splice(0), [`${connects}\r\n`, `${connects}\r\n`]);
  await thereAndBack(t, 'rsync://some.host:99/m/', { env: { RSYNC_PROXY: `user:pa:s@s@${place}` } });
  const credentials = Buffer.from('user:pa:s@s').toString('base64');
  t.equal(proxy.heads[0], `${connects}Proxy-Authorization: Basic ${credentials}\r\n\r\n`);
});

t.test('proxies that refuse', async (t) => {
  for (const answer of [
    'HTTP/1.0 503 no way\r\n\r\n',
    'garbage\n',
    'HTTP/1.1 407 auth\r\n\r\n',
    'HTTP/1.0 abc\r\n\r\n',
  ]) {
    const { port } = await webProxy(t, 0, answer);
    await sameEnd(t, answer, ['-avv', 'h::m/', copy], { env: { RSYNC_PROXY: `127.0.0.1:${port}` } });
  }
  const closed = await freePort();
  for (const proxy of ['host', 'user@127.0.0.1:1', '127.0.0.1:xyz', `127.0.0.1:${closed}`]) {
    await sameEnd(t, proxy, ['-a', 'h::m/', copy], { env: { RSYNC_PROXY: proxy } });
  }
  const { port } = await webProxy(t, 0, 'HTTP/1.0 200 OK\r\n');
  await endsWith(t, TSRSYNC, ['-a', 'h::m/', copy], 10, /failed to read from proxy/, {
    env: { RSYNC_PROXY: `127.0.0.1:${port}` },
  });
});
