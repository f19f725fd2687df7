import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PROJECT } from '../lib/project.js';
import { memoryDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';
import { sh } from '../lib/watching.js';

const skip = process.getuid?.() === 0 ? false : 'only root may mark a file system';
const theirs = spawnSync('fsnotifywait', ['--help']).error === undefined;
const EVENTS = 'create,delete,move,close_write';
/** A directory that is gone when its events are read has no path: what is removed has been seen before. */
const STEPS = [
  'echo x > d/f; mkdir d/sub/new; echo y > d/sub/new/g; mv d/f d/sub/f; touch d/first',
  'rm -r d/sub; touch beside d/last',
];

/** What a tool tells of STEPS: the events of each path in `dir`, in alphabetical order, however they came together. */
async function told(t: Test, command: string, args: string[]): Promise<Record<string, string>> {
  const dir = memoryDir(t);
  await sh('mkdir -p d/sub', dir);
  const [program, ...first] = command.split(' ');
  const child = spawn(program, [...first, '-m', '-e', EVENTS, ...args, 'd'], { cwd: dir });
  t.teardown(() => child.kill('SIGKILL'));
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('latin1').on('data', (data: string) => {
      out[name] += data;
    });
  }
  await waitFor(() => out.stderr.includes('Watches established'), 30_000, 'watches');
  for (const script of STEPS) {
    await sh(script, dir);
    const last = new RegExp(`CLOSE_WRITE\\S* ${script.slice(script.lastIndexOf('/') + 1)}\n`);
    await waitFor(() => last.test(out.stdout), 30_000, 'the last event');
  }
  const ended = once(child, 'close');
  child.kill('SIGINT');
  await ended;
  const events = new Map<string, Set<string>>();
  for (const line of out.stdout.replaceAll(' (deleted)', '').split('\n')) {
    const [, watched, names, name] = /^(\/\S*) (\S+) (.*)$/.exec(line) ?? [];
    if (!watched?.startsWith(`${dir}/`)) continue;
    const path = (watched + name).slice(dir.length + 1);
    const known = events.get(path) ?? new Set();
    events.set(path, known);
    for (const event of names.split(',')) known.add(event);
  }
  const lists = [...events].map(([path, names]) => [path, [...names].sort().join()] as const);
  return Object.fromEntries(lists.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const OURS = `${process.execPath} ${join(PROJECT, 'dist/tsinotifywait.js')}`;

t.test('a directory, a tree and a file system with fanotify', { skip }, async (t) => {
  const written = 'CLOSE,CLOSE_WRITE,CREATE';
  const top = {
    'd/f': `${written},MOVED_FROM`,
    'd/first': written,
    'd/last': written,
    'd/sub': 'DELETE,ISDIR',
  };
  const tree = {
    ...top,
    'd/sub/f': 'DELETE,MOVED_TO',
    'd/sub/new': 'CREATE,DELETE,ISDIR',
    'd/sub/new/g': `${written},DELETE`,
  };
  t.same(await told(t, OURS, ['-F']), top);
  t.same(await told(t, OURS, ['-F', '-r']), tree);
  t.same(await told(t, OURS, ['-S']), { ...tree, beside: written });
  t.same(await told(t, OURS, ['-F', '-r', '@d/sub']), top, 'with a directory left out');
  if (!theirs) return;
  // They set a mark on each directory, and may come too late for what is in a new one.
  const { 'd/sub/new/g': _, ...seen } = await told(t, 'fsnotifywait', ['-F', '-r']);
  const { 'd/sub/new/g': __, ...expected } = tree;
  t.same(seen, expected, 'as inotify-tools tell it');
});
