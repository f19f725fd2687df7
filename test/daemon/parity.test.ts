import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { type RunningDaemon, startDaemon, writeConfig } from '../lib/daemon.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { fakeRemoteShell } from '../lib/remote-shell.js';
import { runProgram } from '../lib/run.js';
import { type Teardown, tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';
import { PARITY, type ParityCase } from './parity-cases.js';

t.setTimeout(300_000);

const isRoot = process.getuid?.() === 0;

const HOOK = `#!/bin/sh
{ echo "$1 $(id -u):$(id -g) in $PWD"; env | grep ^RSYNC_ | grep -v _PID= | sort; [ "$1" = early ] && cat; } >> DIR/told/hooks
exit "\${2:-0}"
`;

function makeTree(dir: string): void {
  mkdirSync(join(dir, 'm/sub'), { recursive: true });
  mkdirSync(join(dir, 'out'));
  mkdirSync(join(dir, 'told'));
  chmodSync(join(dir, 'told'), 0o777);
  writeFileSync(join(dir, 'hook'), HOOK.replaceAll('DIR', dir), { mode: 0o755 });
  writeFileSync(join(dir, 'list'), 'a.txt\n');
  writeFileSync(join(dir, 'm/a.txt'), 'alpha\n');
  writeFileSync(join(dir, 'm/b.bin'), Buffer.alloc(5000, 7));
  writeFileSync(join(dir, 'm/sub/c.txt'), 'gamma');
  mkdirSync(join(dir, 'm/private'), { mode: 0o700 });
  symlinkSync('nowhere-at-all', join(dir, 'm/nowhere'));
  symlinkSync('/etc', join(dir, 'm/evil'));
  if (isRoot) lchownSync(join(dir, 'm/evil'), 1000, 1000);
  for (const name of ['a.txt', 'b.bin', 'sub/c.txt', 'sub', '']) utimesSync(join(dir, 'm', name), 1e9, 1e9);
  // Whoever a module is served as has to get to it.
  for (let path = dir; path !== '/tmp' && path !== '/'; path = join(path, '..')) chmodSync(path, 0o755);
}

/** Sends a text, and returns all that comes back until the other side closes. */
function say(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(text, 'latin1')));
    const done = () => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('end', done).on('error', done).setTimeout(20_000, done);
  });
}

/** rsync closes on what it has not read, so that a client whose options are refused may hear of that instead. */
function withoutResets(text: string): string {
  return text
    .replace(/^.*read error: Connection reset by peer \(104\)\n/gm, '')
    .replace(/requested action not supported \(code 4\) at|error in socket IO \(code 10\) at/g, 'refused at')
    .replace(/refused at \S+ \[\w+=/g, 'refused at [');
}

function tidy(text: string, dir: string, port: number): string {
  return withoutResets(text)
    .replaceAll(dir, 'DIR')
    .replaceAll(port === 0 ? '\0' : String(port), 'PORT')
    .replace(/^\d{4}\/\d\d\/\d\d [\d:]{8} \[\d+\] /gm, '')
    .replace(/ at \S+ \[/g, ' at [')
    .replace(/ at \S+\(\d+\) \[/g, ' at [')
    .replace(/ \([^ ()]*conf:\d+\)$/gm, '')
    .replace(/^sent \d+ bytes .*\n/gm, '');
}

/** What clients are told, and what the log says of them. */
async function record(t: Teardown, program: Program, c: ParityCase): Promise<string[]> {
  const dir = tempDir(t);
  makeTree(dir);
  const modules: Record<string, Record<string, string>> = { m: { path: join(dir, 'm') } };
  const visits = c.visits ?? [];
  for (const [i, [params]] of visits.entries()) {
    modules[`m${i}`] = { path: join(dir, 'm'), 'read only': 'no', comment: `\n${params.replaceAll('DIR', dir)}` };
  }
  const globals = {
    'use chroot': 'no',
    'munge symlinks': 'no',
    comment: `\n${(c.globals ?? '').replaceAll('DIR', dir)}`,
  };
  const setup = { dir: join(dir, 'daemon'), globals, modules, args: c.args?.map((arg) => arg.replaceAll('DIR', dir)) };
  if (c.onStdio === true) return recordOnStdio(program, c, dir, writeConfig(setup));
  const daemon: RunningDaemon = await startDaemon(t, program, setup);
  const start = daemon.log().lastIndexOf('starting, listening');
  // The connection that has found out that it listens is told of as well, unless a header of a proxy was waited for.
  const told = () => daemon.log().slice(start).split('\n').length > 2;
  for (let tries = 0; !told() && tries < 20; tries++) await setTimeout(50);
  await daemon.idle();
  const lines: string[] = [tidy(daemon.log().slice(0, start), dir, daemon.port)];
  for (const [i, [, ...args]] of visits.entries()) {
    const known = { URL: daemon.url('').replace(/\/$/, ''), DIR: dir, MOD: `m${i}` };
    const words = args.map((arg) => arg.replace(/URL|DIR|MOD/g, (name) => known[name as keyof typeof known]));
    const before = daemon.log().length;
    const done = await runProgram(RSYNC, words, { cwd: join(dir, 'out') });
    await daemon.idle();
    const log = tidy(daemon.log().slice(before), dir, daemon.port);
    const [stdout, stderr] = [tidy(done.stdout, dir, daemon.port), tidy(done.stderr, dir, daemon.port)];
    const code = done.code === 10 ? 4 : done.code;
    lines.push(`${visits[i].join(' | ')}: ${code}`, ...`${stdout}${stderr}${log}`.split('\n'));
  }
  for (const text of c.texts ?? []) {
    const before = daemon.log().length;
    const answer = await say(daemon.port, text);
    await daemon.idle();
    lines.push(JSON.stringify(text), answer, tidy(daemon.log().slice(before), dir, daemon.port));
  }
  await daemon.stop();
  if (c.file !== undefined) lines.push(tidy(readFileSync(join(dir, c.file), 'latin1'), dir, daemon.port));
  return lines;
}

/** The same of clients that start the daemon through a remote shell. */
async function recordOnStdio(program: Program, c: ParityCase, dir: string, config: string): Promise<string[]> {
  const lines: string[] = [];
  const words = [program.command, ...program.prefix, `--config=${config}`].join(' ');
  const shell = ['-e', fakeRemoteShell(dir), `--rsync-path=${words}`];
  const env = { SSH_CONNECTION: '10.1.2.3 4 5 6' };
  for (const [i, [, ...args]] of (c.visits ?? []).entries()) {
    const asked = args.map((arg) => arg.replace('URL/', 'host::').replaceAll('MOD', `m${i}`).replaceAll('DIR', dir));
    const done = await runProgram(RSYNC, [...shell, ...asked], { cwd: join(dir, 'out'), env });
    const text = tidy(`${done.stdout}${done.stderr}`, dir, 0);
    // Whoever is not root cannot open a log that is; rsync tries after it has become somebody else, and says so.
    lines.push(
      `${args.join(' ')}: ${done.code}`,
      text.replace(/^.*(failed to open log-file|Ignoring "log file").*\n/gm, ''),
    );
  }
  const isOver = () => /^RSYNC_EXIT_STATUS/m.test(readFileSync(join(dir, 'told/hooks'), 'latin1'));
  await waitFor(isOver, 10_000, 'the last hook');
  lines.push(tidy(readFileSync(join(dir, 'told/hooks'), 'latin1'), dir, 0));
  return lines;
}

for (const c of PARITY) {
  const skip = c.needsRoot === true && !isRoot ? 'needs root' : false;
  t.test(c.name, { skip }, async (t) => {
    const [real, ours] = await Promise.all([record(t, RSYNC, c), record(t, TSRSYNC, c)]);
    t.same(ours, real);
  });
}

/** Starts that fail: settings, and more words. */
const FAILING: readonly (readonly [globals: Record<string, string>, ...args: string[]])[] = [
  [{ 'pid file': '/nonexistent/dir/pid' }],
  [{ 'pid file': 'DIR/m' }],
  [{}, '--dparam=nosuch=1'],
  [{}, '--dparam=nosuch'],
  [{}, '--bwlimit=x'],
];

t.test('starts that fail', async (t) => {
  const told: string[][] = [];
  for (const program of [RSYNC, TSRSYNC]) {
    const lines: string[] = [];
    for (const [globals, ...args] of FAILING) {
      const dir = tempDir(t);
      makeTree(dir);
      const named = Object.entries(globals).map(([name, value]) => [name, value.replace('DIR', dir)]);
      const config = writeConfig({ dir: join(dir, 'daemon'), globals: Object.fromEntries(named), modules: {} });
      const words = ['--daemon', '--no-detach', `--config=${config}`, '--port=1', ...args];
      // A socket on its standard input would be a client.
      const done = spawnSync(program.command, [...program.prefix, ...words], {
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 20_000,
      });
      const log = existsSync(join(dir, 'daemon/log')) ? readFileSync(join(dir, 'daemon/log'), 'latin1') : '';
      // What is in the log is told on standard error as well by ours.
      const errors = log === '' ? done.stderr.toString('latin1').replace(/\[\w+=/g, '[') : '';
      lines.push(`${JSON.stringify(globals)} ${args}: ${done.status}`, tidy(log + errors, dir, 0));
    }
    told.push(lines);
  }
  t.same(told[1], told[0]);
});
