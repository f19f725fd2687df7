import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Change } from '../../src/watch/changes.js';
import { memoryDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';
import { sh, startWatching } from '../lib/watching.js';

t.test('what is told of single changes', async (t) => {
  const root = memoryDir(t);
  await sh('mkdir dir; echo x > dir/file', root);
  const { mirror, told, equal } = startWatching(t, root);
  const step = async (script: string, ...lines: string[]): Promise<void> => {
    mirror.told.length = 0;
    await sh(script, root);
    await told(new RegExp(`^${lines.at(-1)}$`));
    await equal();
    t.same(mirror.told, lines, script);
  };
  await step('echo y > dir/file', 'changed dir/file written');
  await step('chmod 600 dir/file', 'changed dir/file attributes');
  await step('ln -s file dir/link', 'changed dir/link made');
  await step('ln dir/file dir/hard', 'changed dir/hard made');
  await step('mkfifo dir/fifo', 'changed dir/fifo made');
  await step(
    'echo z > dir/.new.swp; mv dir/.new.swp dir/file',
    'changed dir/.new.swp written made',
    'moved dir/.new.swp dir/file',
  );
  await step('mkdir dir/sub', 'changed dir/sub made directory');
  await step('mv dir/sub sub', 'moved dir/sub sub dir');
  await step('echo x > sub/f', 'changed sub/f written made');
  await step('mv dir/file sub/g', 'moved dir/file sub/g');
  await step('rm sub/f', 'changed sub/f removed');
  await step('rm -r sub', 'changed sub/g removed', 'changed sub removed directory');
  await step('chmod 700 .', 'changed  attributes directory');
});

t.test('directories that are filled as they are made', async (t) => {
  const root = memoryDir(t);
  const { watcher, equal } = startWatching(t, root);
  for (let i = 0; i < 20; i++) mkdirSync(join(root, `t${i}/a/b/c/d`), { recursive: true });
  for (let i = 0; i < 20; i++) writeFileSync(join(root, `t${i}/a/b/c/d/file`), 'x');
  await equal();
  await sh('cp -a /usr/include/linux copy; mkdir -p x/y/z; echo 1 > x/y/z/f; mv x w; echo 2 > w/y/g', root);
  await equal();
  const dirs = Number(execFileSync('sh', ['-c', 'find . -type d | wc -l'], { cwd: root }));
  t.equal(watcher.watches, dirs, 'each directory has one watch');
  await sh('rm -rf copy', root);
  await equal();
});

t.test('moves out of the tree and into it', async (t) => {
  const root = memoryDir(t);
  const other = mkdtempSync(`${root}-other`);
  t.teardown(() => rmSync(other, { recursive: true, force: true }));
  await sh('mkdir -p out/deep; echo x > out/deep/f', root);
  await sh('mkdir -p in/deep; echo x > in/deep/f', other);
  const { watcher, mirror, told, equal } = startWatching(t, root);
  t.equal(watcher.watches, 3);
  await sh(`mv out ${other}/out`, root);
  await told(/^changed out removed directory$/);
  t.equal(watcher.watches, 1, 'its watches are gone');
  await sh(`mv ${other}/in in`, root);
  await told(/^stale in /);
  t.equal(watcher.watches, 3);
  await equal();
  mirror.told.length = 0;
  await sh(`echo y > ${other}/out/deep/f; echo y > in/deep/f`, root);
  await told(/^changed in\/deep\/f written$/);
  t.same(mirror.told, ['changed in/deep/f written'], 'nothing is told of what is outside');
});

t.test('a directory that moves on before its move is heard of', async (t) => {
  const root = memoryDir(t);
  await sh('mkdir -p a/deep b; echo x > a/deep/f', root);
  const { watcher, told, equal } = startWatching(t, root);
  // Both at once: when the first event is looked at, what it tells of is at another place.
  renameSync(join(root, 'a'), join(root, 'b/a'));
  renameSync(join(root, 'b'), join(root, 'a'));
  await equal();
  t.equal(watcher.watches, 4, 'each directory still has its watch');
  await sh('echo y > a/a/deep/f', root);
  await told(/^changed a\/a\/deep\/f written$/);
  await equal();
});

t.test('files that stay open, and such that were never open', async (t) => {
  const root = memoryDir(t);
  const { told, equal } = startWatching(t, root);
  const fd = openSync(join(root, 'open'), 'w');
  writeSync(fd, 'content');
  await sh('python3 -c \'import os; os.mknod("node")\' 2>/dev/null || mknod node p', root);
  await told(/^changed open made$/);
  await told(/^changed node made$/);
  await equal();
  writeSync(fd, 'more');
  execFileSync('sh', ['-c', 'true']);
  const modified = startWatching(t, root, { wanted: Change.MODIFIED });
  writeSync(fd, 'and more');
  await modified.told(/^changed open modified$/);
});

t.test('excluded directories have no watch, and get one when they no longer are excluded', async (t) => {
  const root = memoryDir(t);
  await sh('mkdir -p keep/cache/deep other', root);
  const { watcher, mirror, told } = startWatching(t, root, { isExcluded: (path) => /^(keep|x)\/cache$/.test(path) });
  t.equal(watcher.watches, 3);
  await sh('echo x > keep/cache/deep/f; mkdir keep/cache/new; echo x > keep/f', root);
  await told(/^changed keep\/f written made$/);
  t.notOk(
    mirror.told.some((line) => line.includes('cache')),
    'nothing is told of what is in it',
  );
  await sh('mv keep kept', root);
  await told(/^changed kept\/cache made directory$/);
  await waitFor(() => watcher.watches === 6, 5000, 'watches on the whole directory');
  await sh('echo y > kept/cache/new/g', root);
  await told(/^changed kept\/cache\/new\/g written made$/);
  await sh('mv kept x', root);
  await waitFor(() => watcher.watches === 3, 5000, 'the watches to go');
});

t.test('a root that goes away', async (t) => {
  const dir = memoryDir(t);
  const root = join(dir, 'root');
  mkdirSync(root);
  const moved = startWatching(t, root);
  t.ok(moved.watcher.rootIsSame());
  await sh('mv root elsewhere; mkdir root', dir);
  await moved.told(/^stale {2}\(the root was moved away\)$/);
  t.notOk(moved.watcher.rootIsSame(), 'another directory of that name');
  await sh('rmdir root; mv elsewhere root', dir);
  t.ok(moved.watcher.rootIsSame(), 'and it is back');
  await sh('rmdir root; mkdir root', dir);
  await moved.told(/^stale {2}\(the root is gone\)$/);
  t.notOk(moved.watcher.rootIsSame(), 'a new one is not the old one, whatever its number');
  t.match(moved.reports, [/^error: .*was moved away$/, /^error: .*was removed$/]);
  t.throws(() => startWatching(t, join(dir, 'nowhere')), { code: 'ENOENT' });
});

t.test('more events than the queue holds', async (t) => {
  const root = memoryDir(t);
  for (let i = 0; i < 40; i++) mkdirSync(join(root, `d${i}`));
  const { watcher, told, equal } = startWatching(t, root);
  // All in one go of this process, so that nothing is read meanwhile.
  for (let round = 0; round < 450; round++) {
    for (let i = 0; i < 40; i++) writeFileSync(join(root, `d${i}/f`), String(round));
  }
  for (let i = 0; i < 40; i++) mkdirSync(join(root, `d${i}/new/deep`), { recursive: true });
  await told(/^stale {2}\(the queue of events was full\)$/);
  t.ok(watcher.overflows > 0);
  await equal();
  t.equal(watcher.watches, 121, 'directories whose events were lost are watched');
  await sh('echo x > d39/new/deep/last', root);
  await told(/^changed d39\/new\/deep\/last written made$/);
});
