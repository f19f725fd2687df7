import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { canConnect, freePort } from '../lib/daemon.js';
import { hostileClient } from '../lib/hostile.js';
import { cleanEnv, run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { waitFor, within } from '../lib/wait.js';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const ours = (args: string[], options = {}) => run(process.execPath, [MAIN, ...args], { timeout: 60_000, ...options });
/** Without a socket on standard input, which Node's pipes are: it would be taken for a connection. */
const start = (args: string[]) =>
  run('/bin/sh', ['-c', 'exec "$0" "$@" < /dev/null', process.execPath, MAIN, ...args], { timeout: 60_000 });

interface Folder {
  dir: string;
  conf: string;
  log(): string;
  pid(): number;
}

function folder(t: Test, text = ''): Folder {
  const dir = tempDir(t);
  const conf = join(dir, 'conf');
  const log = join(dir, 'log');
  const pidFile = join(dir, 'pid');
  writeFileSync(
    conf,
    `log file = ${log}\npid file = ${pidFile}\naddress = 127.0.0.1\nuse chroot = no\nreverse lookup = no\n${text}[m]\npath = ${dir}\n`,
  );
  return { dir, conf, log: () => readFileSync(log, 'latin1'), pid: () => Number(readFileSync(pidFile, 'latin1')) };
}

const runs = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));

t.test('it goes to the background, and errors at start are told', async (t) => {
  const { conf, log, pid, dir } = folder(t, 'bogus = 1\n');
  const port = await freePort();
  const args = ['--daemon', `--config=${conf}`, `--port=${port}`];
  const started = await start(args);
  const daemon = pid();
  t.teardown(() => {
    if (runs(daemon)) process.kill(daemon, 'SIGKILL');
  });
  t.equal(started.code, 0);
  t.match(started.stderr, /^Unknown Parameter encountered: "bogus" \(.*conf:6\)\nIGNORING unknown parameter "bogus"/);
  // It listens already: the command waited for that.
  const peer = await hostileClient(t, port);
  t.match(await peer.line(), /^@RSYNCD: 32\.0 /);
  t.match(log(), new RegExp(`\\[${daemon}\\] rsyncd version 3\\.5\\.0 starting, listening on port ${port}\n`));

  const again = await start(args);
  t.equal(again.code, 11);
  t.match(
    again.stderr,
    /failed to lock pid file .*\/pid: Resource temporarily unavailable\nrsync error: error in file IO \(code 11\)/,
  );
  const samePort = await start([...args, `--dparam=pidfile=${join(dir, 'other')}`]);
  t.equal(samePort.code, 10);
  t.match(samePort.stderr, new RegExp(`unable to bind any inbound sockets on port ${port}\n`));
  t.equal(existsSync(join(dir, 'other')), false);
  t.match(log(), /bind\(\) failed: Address already in use \(address-family 2\)/);

  process.kill(daemon, 'SIGTERM');
  await waitFor(() => !runs(daemon), 30_000, 'the daemon to end');
  t.equal(existsSync(join(dir, 'pid')), false, 'the pid file is gone');
  await peer.rest();
});

t.test('bad command lines and files', async (t) => {
  const { conf, dir } = folder(t);
  const missing = await start(['--daemon', `--config=${join(dir, 'none')}`]);
  t.equal(missing.code, 1);
  t.match(missing.stderr, /Failed to parse config file: .*none\n/);
  const dparam = await start(['--daemon', `--config=${conf}`, '--dparam=nonsense=1']);
  t.equal(dparam.code, 1);
  t.match(dparam.stderr, /Unknown parameter "nonsense"/);
});

t.test('in the foreground: SIGHUP reads the configuration, SIGTERM ends it', async (t) => {
  const { conf, log } = folder(t);
  const port = await freePort();
  const child = spawn(process.execPath, [MAIN, '--daemon', '--no-detach', `--config=${conf}`, `--port=${port}`], {
    env: cleanEnv(),
    stdio: 'ignore',
  });
  t.teardown(() => child.kill('SIGKILL'));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  await waitFor(() => canConnect(port), 30_000, 'the daemon to start');
  const peer = await hostileClient(t, port);
  peer.send('@RSYNCD: 32.0 md5\nm\n');
  await peer.line();
  t.equal(await peer.line(), '@RSYNCD: OK');
  const workers = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').trim().split(' ').map(Number);
  t.ok(workers.length >= 2);
  writeFileSync(conf, `${readFileSync(conf, 'latin1')}[n]\ncomment = new\n`);
  child.kill('SIGHUP');
  await waitFor(() => /No path specified for module n/.test(log()), 30_000, 'the new configuration to be read');
  child.kill('SIGTERM');
  t.equal(await within(exited, 30_000, 'the end'), 0);
  t.ok(workers.some(runs), 'who was let in before is still served');
  peer.close();
  await waitFor(() => !workers.some(runs), 30_000, 'the workers to end');
});

t.test('behind a remote shell it talks over its standard input and output', async (t) => {
  const { conf, dir } = folder(t);
  const shell = join(dir, 'shell');
  writeFileSync(shell, '#!/bin/sh\nshift\nexec sh -c "$*"\n', { mode: 0o755 });
  const input = '@RSYNCD: 32.0 md5\n#list\n';
  const listing = await ours(['--server', '--daemon', `--config=${conf}`, '.'], { input });
  t.match(listing.stdout, /^@RSYNCD: 32\.0 .*\nm {14}\t\n@RSYNCD: EXIT\n$/);
  const accepted = await ours(['--server', '--daemon', `--config=${conf}`, '.'], { input: '@RSYNCD: 32.0 md5\nm\n' });
  t.match(accepted.stdout, /\n@RSYNCD: OK\n/);
  const real = await run(
    'rsync',
    ['-e', shell, `--rsync-path=${process.execPath} ${MAIN} --config=${conf}`, 'host::m/conf', `${dir}/copy`],
    { timeout: 60_000 },
  );
  t.same(real, { ...real, code: 0, stdout: '', stderr: '' });
  t.equal(readFileSync(join(dir, 'copy'), 'latin1'), readFileSync(conf, 'latin1'), 'a real client gets a file');
  const denied = await ours(['--server', '--daemon', `--config=${conf}`, '.'], {
    input: '@RSYNCD: 32.0 md5\nnone\n',
    env: { SSH_CONNECTION: '10.1.2.3 4 5 6' },
  });
  t.match(denied.stdout, /\n@ERROR: Unknown module 'none'\n$/);
});

t.test('a super-server hands it one TCP connection', async (t) => {
  const { conf, log } = folder(t);
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const ended = new Promise<number | null>((resolve) => {
    server.once('connection', (socket) => {
      const child = spawn(process.execPath, [MAIN, '--daemon', `--config=${conf}`], {
        env: cleanEnv(),
        stdio: [socket, socket, 'ignore'],
      });
      child.once('exit', resolve);
      socket.destroy();
    });
  });
  const client = connect(port, '127.0.0.1');
  let text = '';
  client.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  client.write('@RSYNCD: 32.0 md5\n#list\n');
  await within(ended, 30_000, 'the daemon to end');
  t.match(text, /^@RSYNCD: 32\.0 .*\nm {14}\t\n@RSYNCD: EXIT\n$/);
  t.match(log(), /connect from UNDETERMINED \(127\.0\.0\.1\)/);
  client.destroy();
});

t.test('a socket on standard input is a connection, whatever its kind', async (t) => {
  const { conf } = folder(t);
  // Node's pipes to a child are pairs of local sockets.
  const listing = await ours(['--daemon', '--no-detach', `--config=${conf}`], { input: '@RSYNCD: 32.0 md5\n#list\n' });
  t.same({ code: listing.code, stderr: listing.stderr }, { code: 5, stderr: '' });
});
