import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { atRest } from '../lib/processes.js';
import { PROJECT } from '../lib/project.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';
import { sh } from '../lib/watching.js';

type Tool = 'inotifywait' | 'inotifywatch';

const isHere = spawnSync('inotifywait', ['--help']).error === undefined;
const skip = isHere ? false : 'inotify-tools are not installed';

function command(tool: Tool, ours: boolean): string[] {
  return ours ? [process.execPath, join(PROJECT, `dist/ts${tool}.js`)] : [tool];
}

/** Without our names; and the kernel makes one of equal events only where nobody has read the first one yet. */
const plain = (text: string) => text.replaceAll('tsinotify', 'inotify').replace(/^(.*\n)\1+/gm, '$1');

/** Runs a tool on fresh files, does `script` once it watches, interrupts it when `until` is in its output. */
async function run(t: Test, tool: Tool, ours: boolean, args: string[], script = '', until = /\0/) {
  const cwd = tempDir(t);
  await sh('mkdir -p d/sub e; echo x > f', cwd);
  const [program, ...prefix] = command(tool, ours);
  const child = spawn(program, [...prefix, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('latin1').on('data', (data: string) => {
      out[name] += data;
    });
  }
  const ended = once(child, 'close');
  if (script !== '') {
    const isReady = () => /[Ww]atches established|now collecting/.test(out.stderr) || child.exitCode !== null;
    await waitFor(isReady, 30_000, 'watches');
    await sh(script, cwd);
    if (until.source !== '\\0') {
      await waitFor(() => until.test(out.stdout), 30_000, `${until} in ${out.stdout} ${out.stderr}`);
      child.kill('SIGINT');
    } else if (tool === 'inotifywatch') {
      // What it has not read when it is interrupted is not counted.
      await atRest(child.pid as number);
      child.kill('SIGINT');
    }
  }
  const [code] = await ended;
  return { stdout: plain(out.stdout), stderr: plain(out.stderr), code };
}

t.test('the same complaints and exit codes', { skip }, async (t) => {
  const lines: [Tool, string[]][] = [
    ['inotifywait', []],
    ['inotifywait', ['-t', '1', 'd']],
    ['inotifywait', ['-e', 'bogus', 'd']],
    ['inotifywait', ['-e', 'open,bogus', 'd']],
    ['inotifywait', ['-t', 'x', 'd']],
    ['inotifywait', ['-q', 'nofile']],
    ['inotifywait', ['-r', 'nofile']],
    ['inotifywait', ['--timefmt', '%s', 'd']],
    ['inotifywait', ['--format', '%T', 'd']],
    ['inotifywait', ['--no-newline', 'd']],
    ['inotifywait', ['-c', '--format', '%w', 'd']],
    ['inotifywait', ['-d', 'd']],
    ['inotifywait', ['--exclude', '(', 'd']],
    ['inotifywait', ['--include', '(', 'd']],
    ['inotifywait', ['--exclude', 'a', '--excludei', 'b', 'd']],
    ['inotifywait', ['--exclude', 'a', '--include', 'b', 'd']],
    ['inotifywait', ['--bad', 'd']],
    ['inotifywait', ['-X', 'd']],
    ['inotifywait', ['d', '-t']],
    ['inotifywait', ['--outfile', '/nowhere/x', 'd']],
    ['inotifywait', ['--fromfile', '/nowhere/x', '-t', '1', 'd']],
    ['inotifywait', ['-mrqq', '-t', '1', 'd']],
    ['inotifywatch', []],
    ['inotifywatch', ['-t', '1', 'd']],
    ['inotifywatch', ['-v', '-r', '-t', '1', 'e']],
    ['inotifywatch', ['-a', 'bogus', 'd']],
    ['inotifywatch', ['nofile']],
  ];
  for (const [tool, args] of lines) {
    const [theirs, mine] = await Promise.all([run(t, tool, false, args), run(t, tool, true, args)]);
    t.same(mine, theirs, `${tool} ${args.join(' ')}`);
  }
});

t.test('the same events', { skip }, async (t) => {
  const lines: [string[], string, RegExp?][] = [
    [['-m', 'd'], 'touch d/a; mv d/a d/c; rm d/c; mkdir d/last; rmdir d/last', /DELETE,ISDIR last/],
    [['-mr', 'd', 'e'], 'touch d/sub/a e/b; mv d/sub/a e/c; echo y > e/c; chmod 600 e/c; rm e/c', /DELETE c/],
    [['-mc', 'd/'], 'touch "d/a b,\\"c" "d/ x"; rm d/a* "d/ x"; touch d/last', /CLOSE_WRITE,CLOSE",last/],
    [['-m', '--format', '%w|%f|%e|%:e|%T|%%|%x', '--timefmt', '%Y-%m', 'd'], 'touch d/a; rm d/a', /DELETE/],
    [['-m', '--format', '%e', '--no-newline', 'd'], 'touch d/a; rm d/a', /DELETE/],
    [['-mr', '--exclude', 'z+$', 'd'], 'touch d/zzz d/sub/zz d/sub/last', /CLOSE_WRITE,CLOSE last/],
    [['-mr', '--excludei', '/(A|B)$', 'd'], 'touch d/a d/sub/b d/sub/last', /CLOSE_WRITE,CLOSE last/],
    [['-mr', '--include', 'zz$', 'd'], 'touch d/other d/sub/zz', /CLOSE_WRITE,CLOSE zz/],
    [
      ['-mr', '-e', 'create,move', '-e', 'delete', 'd'],
      'mv d/sub d/sub2; touch d/sub2/x; rm d/sub2/x; touch d/y',
      /CREATE y/,
    ],
    [['-mr', '-e', 'create', 'd', '@d/sub'], 'touch d/sub/x d/last', /CREATE last/],
    [['-m', 'f'], 'echo y > f; chmod 600 f; rm f', /DELETE_SELF/],
    [['-e', 'create', 'd'], 'touch d/x'],
    [['-e', 'create', 'e'], 'rmdir e'],
  ];
  for (const [args, script, until] of lines) {
    const both = [false, true].map((ours) => run(t, 'inotifywait', ours, args, script, until));
    const [theirs, mine] = await Promise.all(both);
    t.same(mine, theirs, `inotifywait ${args.join(' ')}: ${script}`);
  }
});

t.test('the same table', { skip }, async (t) => {
  const script = 'touch d/a e/b e/c; rm d/a; mv e/b e/d; cat e/c';
  for (const args of [
    ['d', 'e'],
    ['-z', 'd', 'e'],
    ['-r', '-e', 'create', '-e', 'move', 'd', 'e'],
    ['-a', 'total', 'd', 'e'],
  ]) {
    const both = [false, true].map((ours) => run(t, 'inotifywatch', ours, args, script));
    const [theirs, mine] = await Promise.all(both);
    t.same(mine, theirs, `inotifywatch ${args.join(' ')}`);
  }
});
