import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { formatEvent } from '../../src/inotify-tools/format.js';
import { getopt } from '../../src/inotify-tools/getopt.js';
import { PROJECT } from '../lib/project.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';
import { sh } from '../lib/watching.js';

const WAIT = join(PROJECT, 'dist/tsinotifywait.js');

async function start(t: Test, cwd: string, args: string[]) {
  const child = spawn(process.execPath, [WAIT, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const out = { stdout: '', stderr: '' };
  child.stdout.setEncoding('latin1').on('data', (data: string) => {
    out.stdout += data;
  });
  child.stderr.setEncoding('latin1').on('data', (data: string) => {
    out.stderr += data;
  });
  await waitFor(() => out.stderr.includes('Watches established'), 30_000, 'watches');
  return { child, out };
}

t.test('no file in a new directory is missed, and each is made once', async (t) => {
  const dir = tempDir(t);
  const { out } = await start(t, dir, ['-mr', '-e', 'create,close_write', '--format', '%e %w%f', '.']);
  await sh('for i in 1 2 3 4 5; do mkdir -p n$i/a/b/c; for f in 1 2 3 4; do echo x > n$i/a/b/c/$f; done; done', dir);
  await sh('cp -a /usr/include/linux copy; touch last', dir);
  await waitFor(() => out.stdout.includes('CLOSE ./last\n'), 30_000, 'the last file');
  const made = out.stdout.split('\n').flatMap((line) => /^CREATE\S* \.\/(.*)$/.exec(line)?.[1] ?? []);
  const closed = new Set(out.stdout.split('\n').flatMap((line) => /^CLOSE_WRITE\S* \.\/(.*)$/.exec(line)?.[1] ?? []));
  const all = await names(dir, '.');
  t.same(made.sort(), all.sort(), 'every entry once');
  t.same(
    [...(await names(dir, '-type f'))].filter((name) => !closed.has(name)),
    [],
    'every file was closed',
  );
});

async function names(dir: string, test: string): Promise<string[]> {
  const find = spawn('find', ['.', '-mindepth', '1', ...(test === '.' ? [] : test.split(' '))], { cwd: dir });
  let text = '';
  find.stdout.on('data', (data) => {
    text += data;
  });
  await once(find, 'close');
  return text
    .trim()
    .split('\n')
    .map((name) => name.slice(2));
}

t.test('in the background', async (t) => {
  const dir = tempDir(t);
  await sh('mkdir d', dir);
  const args = ['-d', '-o', 'log', '-e', 'create', '--format', '%w%f', 'd'];
  t.teardown(() => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isIn(name, dir))) {
      process.kill(Number(pid));
    }
  });
  const child = spawn(process.execPath, [WAIT, ...args], { cwd: dir, stdio: 'ignore' });
  const [code] = await once(child, 'close');
  t.equal(code, 0);
  await sh('touch d/x', dir);
  const log = join(dir, 'log');
  await waitFor(() => existsSync(log) && readFileSync(log, 'latin1') === 'd/x\n', 10_000, 'the event');
});

/** True for a process whose working directory is `dir`. */
function isIn(pid: string, dir: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === dir;
  } catch {
    return false;
  }
}

t.test('directives of a format', async (t) => {
  const event = { watched: 'd/', name: 'f', mask: 0x40000100, cookie: 0xabc };
  t.equal(formatEvent('%w%f %e %c %0%n%%', '', event), 'd/f CREATE,ISDIR abc \0\n%');
  t.equal(formatEvent('%|e %q %', '', event), 'CREATE|ISDIR %q %');
});

t.test('words of a command line', async (t) => {
  const specs = [
    { key: 'm', long: 'monitor', hasValue: false },
    { key: 'e', long: 'event', hasValue: true },
    { key: 'x', long: 'event-log', hasValue: false },
  ];
  const read = (...args: string[]) => getopt(args, specs, 'p');
  const e = (value: string) => ({ key: 'e', value });
  const m = { key: 'm', value: '' };
  t.same(read('a', '-me', 'open', '--', '-m'), { options: [m, e('open')], files: ['a', '-m'] });
  t.same(read('-eopen', '--mon', '--event=a=b'), { options: [e('open'), m, e('a=b')], files: [] });
  t.same(read('-'), { options: [], files: ['-'] });
  t.throws(() => read('--eve'), { message: "p: option '--eve' is ambiguous; possibilities: '--event' '--event-log'" });
  t.throws(() => read('--monitor=1'), { message: "p: option '--monitor' doesn't allow an argument" });
  t.throws(() => read('-q'), { message: "p: invalid option -- 'q'" });
});
