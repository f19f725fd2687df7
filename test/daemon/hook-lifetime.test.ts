import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { canConnect, type Params, startDaemon, writeConfig } from '../lib/daemon.js';
import { MARK, marked, newMark, noneLeft } from '../lib/processes.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { fakeRemoteShell } from '../lib/remote-shell.js';
import { killGroup, runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

t.setTimeout(200_000);

const POST = 'echo "post $RSYNC_EXIT_STATUS $RSYNC_RAW_STATUS" >> "$SAID"';
/** Says that it runs, and goes on when it is let. */
const HELD = 'echo held >> "$SAID"; while [ ! -e "$GO" ]; do sleep 0.02; done; echo free >> "$SAID"';

function folders(t: Test) {
  const dir = tempDir(t);
  const path = join(dir, 'module');
  mkdirSync(path);
  mkdirSync(join(dir, 'copy'));
  writeFileSync(join(path, 'file'), 'content\n'.repeat(100_000));
  const said = () => (existsSync(join(dir, 'said')) ? readFileSync(join(dir, 'said'), 'latin1') : '');
  return {
    dir,
    path,
    copy: `${dir}/copy/`,
    said,
    hears: (text: string) => waitFor(() => said().includes(text), 30_000, `${text} after ${said()}`),
    letGo: () => writeFileSync(join(dir, 'go'), ''),
    env: { SAID: join(dir, 'said'), GO: join(dir, 'go'), [MARK]: newMark() },
  };
}

async function daemonWith(t: Test, modules: Record<string, Params>) {
  const place = folders(t);
  const { dir, path, env } = place;
  const filled = Object.entries(modules).map(([name, params]) => [name, { path, ...params }]);
  const daemon = await startDaemon(t, TSRSYNC, { dir: join(dir, 'daemon'), modules: Object.fromEntries(filled), env });
  return {
    ...place,
    daemon,
    pull: (module: string) => runProgram(RSYNC, ['-a', daemon.url(`${module}/`), place.copy]),
  };
}

t.test('a hook that takes its time holds its own connection only', async (t) => {
  const limited = { 'max connections': 1, 'lock file': join(tempDir(t), 'lock') };
  for (const name of ['early exec', 'pre-xfer exec', 'post-xfer exec']) {
    const { daemon, pull, hears, letGo } = await daemonWith(t, { slow: { ...limited, [name]: HELD }, other: {} });
    const slow = pull('slow');
    await hears('held');
    t.equal((await pull('other')).code, 0, `${name}: others go on`);
    const second = await pull('slow');
    t.match(second, { code: 5, stderr: /max connections \(1\) reached/ }, `${name}: it holds its place`);
    letGo();
    t.equal((await slow).code, 0, name);
    await hears('free');
    const isServed = async () => (await pull('slow')).code === 0;
    await waitFor(isServed, 30_000, 'the place to be free again');
    await daemon.idle();
  }
});

t.test('a client that goes away leaves nothing behind', async (t) => {
  const held = { 'max connections': 1, 'post-xfer exec': POST };
  for (const name of ['early exec', 'pre-xfer exec']) {
    const { daemon, pull, copy, said, hears, letGo } = await daemonWith(t, { m: { ...held, [name]: HELD } });
    await runProgram(RSYNC, ['-a', daemon.url('m/'), copy], {
      started: (child) => {
        void hears('held').then(() => killGroup(child, 'SIGKILL'));
      },
    });
    t.notMatch(said(), /free|post/, name);
    letGo();
    await hears('post 12 3072\n');
    t.equal((await pull('m')).code, 0, `${name}: the next one is served`);
    await hears('post 0 0\n');
    await daemon.idle();
  }
});

/** A pull that has begun and takes long; `workers` are the daemon's processes beside its parent. */
async function slowPull(t: Test) {
  const made = await daemonWith(t, { m: { 'pre-xfer exec': HELD, 'post-xfer exec': POST } });
  const { daemon, copy, env, hears } = made;
  const client = runProgram(RSYNC, ['-a', '--bwlimit=100', daemon.url('m/'), copy]);
  await hears('held');
  const parent = daemon.child.pid as number;
  const workers = marked(env[MARK])
    .filter((line) => line.includes('worker'))
    .map((line) => Number.parseInt(line, 10));
  return { ...made, client, parent, workers };
}

t.test('post-xfer exec runs also when the worker is killed', async (t) => {
  const { client, workers, hears, letGo } = await slowPull(t);
  for (const pid of workers) process.kill(pid, 'SIGKILL');
  t.not((await client).code, 0);
  await hears('post -1 9\n');
  letGo();
});

t.test('a daemon that is told to end runs what belongs to its connections', async (t) => {
  const { client, daemon, parent, workers, env, said, hears, letGo } = await slowPull(t);
  process.kill(parent, 'SIGTERM');
  await waitFor(async () => !(await canConnect(daemon.port)), 30_000, 'it to stop listening');
  letGo();
  await hears('free');
  t.notMatch(said(), 'post');
  for (const pid of workers) process.kill(pid, 'SIGTERM');
  t.not((await client).code, 0);
  await waitFor(() => daemon.child.exitCode !== null, 30_000, 'the daemon to end');
  t.match(said(), /post 20 5120\n$/);
  await noneLeft(env[MARK]);
});

t.test('a daemon on standard input', async (t) => {
  const user = process.getuid?.() === 0 ? 65534 : process.getuid?.();
  const who = 'echo "$(id -u) $RSYNC_ARG0" >> "$SAID"';
  const params = { 'read only': 'no', 'pre-xfer exec': who, 'post-xfer exec': `${who}; ${POST}`, uid: `${user}` };
  for (const client of [RSYNC, TSRSYNC] as Program[]) {
    const { dir, path, copy, env, said, hears } = folders(t);
    const config = writeConfig({ dir: join(dir, 'daemon'), modules: { m: { path, ...params } } });
    const shell = ['-e', fakeRemoteShell(dir), `--rsync-path=${TSRSYNC.remotePath} --config=${config}`];
    const command = [TSRSYNC.command, ...TSRSYNC.prefix, '--daemon', `--config=${config}`].join(' ');
    const ways: [string, string[], Record<string, string>][] = [
      ['super-server', ['rsync://host/m/'], { RSYNC_CONNECT_PROG: command }],
      ['remote shell', [...shell, 'host::m/'], {}],
    ];
    for (const [way, args, more] of ways) {
      const result = await runProgram(client, ['-a', ...args, copy], { env: { ...env, ...more } });
      t.same([result.code, result.stderr], [0, ''], `${client.name}: ${way}`);
      await hears('post 0 0\n');
      await noneLeft(env[MARK]);
      const own = process.getuid?.();
      t.equal(said(), `${own} rsyncd\n${own} \npost 0 0\n`, 'with the rights of the daemon');
      writeFileSync(env.SAID, '');
    }
    const refused = { path: `${path}/../module x`, 'early exec': 'echo %RSYNC_MODULE_PATH%' };
    writeConfig({ dir: join(dir, 'daemon'), modules: { m: refused } });
    const greeting = '@RSYNCD: 32.0 sha512 sha256 sha1 md5 md4';
    const input = `${greeting}\nm\n`;
    const daemonOnly = await runProgram(TSRSYNC, ['--server', '--daemon', `--config=${config}`, '.'], { input });
    t.same([daemonOnly.code, daemonOnly.stdout], [4, `${greeting}\n`], 'a value that is refused');
  }
});

t.test('RSYNC_NO_XFER_EXEC switches hooks off, RSYNC_SHELL runs them', async (t) => {
  const { dir, path, copy, env, said, hears } = folders(t);
  writeFileSync(join(dir, 'shell'), '#!/bin/sh\necho "shell $1" >> "$SAID"\nexec /bin/sh "$@"\n', { mode: 0o755 });
  const modules = { m: { path, 'pre-xfer exec': 'false', 'post-xfer exec': POST } };
  const off = { ...env, RSYNC_NO_XFER_EXEC: '1' };
  const quiet = await startDaemon(t, TSRSYNC, { dir: join(dir, 'off'), modules, env: off });
  t.equal((await runProgram(RSYNC, ['-a', quiet.url('m/'), copy])).code, 0);
  t.equal(said(), '');
  const other = { ...env, RSYNC_SHELL: join(dir, 'shell') };
  const daemon = await startDaemon(t, TSRSYNC, { dir: join(dir, 'on'), modules, env: other });
  t.equal((await runProgram(RSYNC, ['-a', daemon.url('m/'), copy])).code, 4);
  await hears('shell -c\nshell -c\npost 4 1024\n');
});

t.test("the module's path stands for %RSYNC_MODULE_PATH% everywhere", async (t) => {
  for (const server of [RSYNC, TSRSYNC]) {
    const { dir, path, copy, env } = folders(t);
    writeFileSync(join(dir, 'module.not'), 'hidden\n');
    for (const name of ['hidden', 'seen']) writeFileSync(join(path, name), '');
    const modules = { m: { path: `${path}/`, 'exclude from': '%RSYNC_MODULE_PATH%.not' } };
    const inherited = { ...env, RSYNC_MODULE_PATH: '/inherited' };
    const daemon = await startDaemon(t, server, { dir: join(dir, 'daemon'), modules, env: inherited });
    t.equal((await runProgram(RSYNC, ['-a', daemon.url('m/'), copy])).code, 0, server.name);
    t.same([existsSync(join(copy, 'hidden')), existsSync(join(copy, 'seen'))], [false, true], server.name);
  }
});
