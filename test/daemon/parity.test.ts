import { chmodSync, lchownSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { type RunningDaemon, startDaemon } from '../lib/daemon.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { type Teardown, tempDir } from '../lib/temp.js';
import { PARITY, type ParityCase } from './parity-cases.js';

t.setTimeout(300_000);

const isRoot = process.getuid?.() === 0;

function makeTree(dir: string): void {
  mkdirSync(join(dir, 'm/sub'), { recursive: true });
  mkdirSync(join(dir, 'out'));
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
    .replaceAll(String(port), 'PORT')
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
  const globals = { 'use chroot': 'no', 'munge symlinks': 'no', comment: `\n${c.globals ?? ''}` };
  const daemon: RunningDaemon = await startDaemon(t, program, { dir: join(dir, 'daemon'), globals, modules });
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
  return lines;
}

for (const c of PARITY) {
  const skip = c.needsRoot === true && !isRoot ? 'needs root' : false;
  t.test(c.name, { skip }, async (t) => {
    const [real, ours] = await Promise.all([record(t, RSYNC, c), record(t, TSRSYNC, c)]);
    t.same(ours, real);
  });
}
