import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { MARK, marked, newMark } from '../lib/processes.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { fakeRemoteShell } from '../lib/remote-shell.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

t.setTimeout(200_000);

const OLD = 'the old content\n';
const CONTENT = new Random(5).bytes(8 << 20);

/** A large file to push slowly and an old one to replace. */
function folders(t: Test) {
  const dir = tempDir(t);
  for (const name of ['src', 'module']) mkdirSync(join(dir, name));
  writeFileSync(join(dir, 'src', 'large'), CONTENT);
  writeFileSync(join(dir, 'module', 'large'), OLD);
  return { dir, source: `${join(dir, 'src')}/`, module: join(dir, 'module'), target: join(dir, 'module', 'large') };
}

/** Waits until some of the large file has arrived under its temporary name. */
function arriving(module: string): Promise<void> {
  const some = () =>
    readdirSync(module).some((name) => name.startsWith('.large.') && statSync(join(module, name)).size > 300_000);
  return waitFor(some, 30_000, 'data to arrive');
}

/** A daemon of ours whose module is being written by a slow real client. */
async function slowPush(t: Test, args: string[]) {
  const place = folders(t);
  const mark = newMark();
  const daemon = await startDaemon(t, TSRSYNC, {
    dir: join(place.dir, 'daemon'),
    modules: { m: { path: place.module, 'read only': 'no' } },
    env: { [MARK]: mark },
  });
  const pids = () => marked(mark).map((line) => Number.parseInt(line, 10));
  const client = runProgram(RSYNC, ['-a', '--bwlimit=2M', ...args, place.source, daemon.url('m/')]);
  await arriving(place.module);
  return { ...place, daemon, client, workers: pids().filter((pid) => pid !== daemon.child.pid), pids };
}

t.test('SIGTERM of the daemon: transfers that are under way go on to their end', async (t) => {
  const { daemon, client, target, pids } = await slowPush(t, []);
  process.kill(daemon.child.pid as number, 'SIGTERM');
  await waitFor(() => daemon.child.exitCode !== null, 30_000, 'the daemon to end');
  t.equal(readFileSync(target, 'latin1'), OLD, 'it ends before the transfer does');
  const result = await client;
  t.same([result.code, result.stderr], [0, '']);
  t.ok(readFileSync(target).equals(CONTENT));
  await waitFor(() => pids().length === 0, 30_000, 'the workers to end');
});

t.test('SIGTERM of the workers: the client is told, and nothing unfinished is left', async (t) => {
  const { daemon, client, target, module, workers } = await slowPush(t, []);
  for (const pid of workers) process.kill(pid, 'SIGTERM');
  const result = await client;
  t.equal(result.code, 20);
  t.match(result.stderr, /^rsync error: received SIGINT, SIGTERM, or SIGHUP \(code 20\)/m);
  await daemon.idle();
  t.same(readdirSync(module), ['large']);
  t.equal(readFileSync(target, 'latin1'), OLD);
  t.match(daemon.log(), /rsync error: received SIGINT, SIGTERM, or SIGHUP \(code 20\) at \S+ \[receiver=/);
});

t.test('and what is unfinished stays with --partial, as old as can be', async (t) => {
  const { daemon, client, target, module, workers } = await slowPush(t, ['--partial']);
  for (const pid of workers) process.kill(pid, 'SIGTERM');
  t.equal((await client).code, 20);
  await daemon.idle();
  t.same(readdirSync(module), ['large']);
  const kept = readFileSync(target);
  t.ok(kept.length > 0 && kept.equals(CONTENT.subarray(0, kept.length)), `${kept.length} bytes are kept`);
  // --update must not take it for a newer file.
  t.equal(Math.floor(statSync(target).mtimeMs / 1000), 0);
});

t.test('SIGTERM of a server behind a remote shell', async (t) => {
  const { dir, source, module, target } = folders(t);
  const mark = newMark();
  const shell = ['-e', fakeRemoteShell(dir), `--rsync-path=${TSRSYNC.remotePath}`];
  const args = ['-a', '--bwlimit=2M', ...shell, source, `host:${module}/`];
  const client = runProgram(RSYNC, args, { env: { [MARK]: mark } });
  await arriving(module);
  const servers = marked(mark).filter((line) => /^\d+: \S*node .* --server /.test(line));
  t.equal(servers.length, 1);
  process.kill(Number.parseInt(servers[0], 10), 'SIGTERM');
  const result = await client;
  t.equal(result.code, 20);
  t.match(result.stderr, /rsync error: received SIGINT, SIGTERM, or SIGHUP \(code 20\)/);
  await waitFor(() => marked(mark).length === 0, 30_000, 'the server to end');
  t.same(readdirSync(module), ['large']);
  t.equal(readFileSync(target, 'latin1'), OLD);
});
