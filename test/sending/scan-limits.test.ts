import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EntryFlag } from '../../protocol/flist/list.js';
import { Root } from '../../src/files/root.js';
import { ourList, realList } from '../filter/oracle.js';
import { tempDir } from '../lib/temp.js';
import { makeTree } from './tree.js';

t.test('missing arguments', (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  const ignored = ourList({ cwd, args: ['-r', '--ignore-missing-args', 'nope', 'plain', 'nodir/x'] });
  t.same(ignored.lines.length, 1);
  t.match(
    ignored.messages.join(),
    /^rsync: \[sender\] change_dir ".*\/nodir" failed: No such file or directory \(2\)\n$/,
  );
  for (const incremental of [false, true]) {
    const args = ['-rR', '--delete-missing-args', 'src/d1/nope', 'nope', 'plain'];
    const { list, messages } = ourList({ cwd, args, incremental });
    const modes = [...Array(list.count).keys()].map((row) => [list.path(row), list.mode(row) === 0]);
    t.same(modes.sort(), [
      ['nope', true],
      ['plain', false],
      ['src', false],
      ['src/d1', false],
      ['src/d1/nope', true],
    ]);
    t.same(messages, []);
  }
  t.end();
});

t.test('what cannot be read', { skip: process.getuid?.() !== 0 && 'needs root to become somebody else' }, (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  chmodSync(join(cwd, 'src/d1'), 0);
  chmodSync(join(cwd, 'src/empty'), 0o111);
  process.seteuid?.(65534);
  t.teardown(() => process.seteuid?.(0));
  const ours = ourList({ cwd, args: ['-rl', 'src/'] });
  process.seteuid?.(0);
  const script = `cd '${cwd}' && exec setpriv --reuid 65534 --clear-groups rsync -rl --list-only src/ nowhere/`;
  const real = spawnSync('sh', ['-c', script], { encoding: 'latin1', env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } });
  const errors = real.stderr.split('\n').filter((line) => line.startsWith('rsync: [sender]'));
  t.same(ours.messages.map((m) => m.trimEnd()).sort(), errors.sort());
  t.equal(errors.length >= 2, true, real.stderr);
  t.equal(ours.ioError, 1);
  t.end();
});

t.test('mount points', (t) => {
  const mounted = readFileSync('/proc/mounts', 'latin1')
    .split('\n')
    .map((line) => line.split(' ')[1]);
  const parent = '/dev';
  if (!mounted.some((path) => path?.startsWith('/dev/'))) {
    t.pass('nothing is mounted below /dev here');
    t.end();
    return;
  }
  const dirs = (lines: string[]) => lines.filter((line) => line.startsWith('d')).map((line) => line.split(' ').at(-1));
  for (const option of ['-rx', '-rxx']) {
    const args = [option, '--exclude=/fd', `${parent}/`];
    t.same(dirs(ourList({ cwd: '/', args }).lines), dirs(realList({ cwd: '/', args }).lines), option);
  }
  const { list } = ourList({ cwd: '/', args: ['-rx', `${parent}/`] });
  const marked = [...Array(list.count).keys()].filter((row) => list.flags(row) & EntryFlag.MOUNT_DIR);
  t.ok(marked.length > 0);
  t.equal(
    marked.some((row) => list.flags(row) & EntryFlag.CONTENT_DIR),
    false,
  );
  t.end();
});

t.test('a confined tree is not left', (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  const root = Root.confined(join(cwd, 'src'), true);
  t.teardown(() => root.close());
  const list = (...args: string[]) => ourList({ cwd: join(cwd, 'src'), root, module: 'm', args });
  t.match(list('-r', '../other/').messages.join(), 'change_dir "other" (in m) failed: No such file');
  t.match(list('-r', '/etc').messages.join(), 'link_stat "etc" (in m) failed: No such file');
  t.match(list('-r', 'to-out/').messages.join(), 'change_dir "to-out" (in m) failed');
  t.match(list('-rL', './').messages.join(), 'abs');
  const followed = list('-rL', './').lines.map((line) => line.split(' ').at(-1));
  t.ok(followed.includes('to-dir/one'), 'links inside are followed');
  t.notOk(
    followed.some((name) => name?.startsWith('to-out') || name === 'abs'),
    'links that lead out are not',
  );
  t.ok(list('-rl', './').lines.some((line) => line.endsWith('to-out -> ../other')));
  t.same(list('-r', '../../..').lines, list('-r', './').lines, 'too many .. end at the root');
  const gone = list('-rL', './d1/');
  rmSync(join(cwd, 'src/d1'), { recursive: true });
  t.throws(() => lstatSync(gone.scanner.sourcePath(gone.list.count - 1)), { code: 'ENOENT' });
  t.end();
});

t.test('a filter file that is no plain file is left alone', (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  spawnSync('mkfifo', [join(cwd, 'src/d/.rsync-filter')]);
  mkdirSync(join(cwd, 'src/d1/.rsync-filter'));
  writeFileSync(join(cwd, 'src/d.x/.rsync-filter'), '- y\n');
  const lines = ourList({ cwd, args: ['-rF', 'src/'] }).lines.map((line) => line.split(' ').at(-1));
  t.ok(lines.includes('d/z') && lines.includes('d1/one'));
  t.notOk(lines.includes('d.x/y'));
  t.end();
});

t.test('munged links are sent as they were', (t) => {
  const cwd = tempDir(t);
  symlinkSync('/rsyncd-munged/target', join(cwd, 'a'));
  symlinkSync('plain', join(cwd, 'b'));
  const lines = ourList({ cwd, args: ['-l', '--munge-links', 'a', 'b'] }).lines.map((line) => line.split(' -> ')[1]);
  t.same(lines.sort(), ['plain', 'target']);
  t.end();
});
