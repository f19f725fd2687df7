import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import t from 'tap';
import { memoryDir } from '../lib/temp.js';
import { sh, startWatching, workload } from '../lib/watching.js';

const skip = process.getuid?.() === 0 ? false : 'only root may mark a file system';

t.test('what is told of single changes', { skip }, async (t) => {
  const root = memoryDir(t);
  const other = mkdtempSync(`${root}-other`);
  t.teardown(() => rmSync(other, { recursive: true, force: true }));
  await sh('mkdir -p dir/sub cache; echo x > dir/file', root);
  const options = { via: 'fanotify', isExcluded: (path: string) => path === 'cache' } as const;
  const { watcher, mirror, told, equal, reports } = startWatching(t, root, options);
  t.same([watcher.via, watcher.watches, ...reports], ['fanotify', 1]);
  const step = async (script: string, last: RegExp): Promise<string[]> => {
    mirror.told.length = 0;
    await sh(script, root);
    await told(last, 30_000);
    await equal();
    return mirror.told;
  };
  t.same(await step('echo y > dir/file', /^changed dir\/file written$/), ['changed dir/file written']);
  t.same(await step('chmod 600 dir/file', /attributes$/), ['changed dir/file attributes']);
  t.same(await step('ln -s a dir/link', /made$/), ['changed dir/link made']);
  t.same(await step('mkdir dir/new', /made directory$/), ['changed dir/new made directory']);
  t.same(await step('mv dir moved', /^moved/), ['moved dir moved dir']);
  await step('echo z > moved/sub/f', /^changed moved\/sub\/f written/);
  t.same(await step('mv moved/sub/f moved/g', /^moved/), ['moved moved/sub/f moved/g']);
  t.same(await step(`rm moved/g; echo x > ${other}/x; echo x > cache/x; rm cache/x`, /removed$/), [
    'changed moved/g removed',
  ]);
  await step(`mv moved ${other}/moved`, /^stale moved \(moved out\)$/);
  await step(`mv ${other}/moved back; echo n > back/n`, /^stale back \(moved in\)$/);
  await step('echo m > back/m', /^changed back\/m written/);
  t.ok(watcher.rootIsSame());
  // Directories elsewhere are removed before the move is seen: this process waits meanwhile.
  execFileSync('sh', ['-c', `mkdir -p a/b c && rm -r a c && mv ${root} root`], { cwd: other });
  await told(/^stale {2}\(the root was moved away\)$/);
  t.notOk(watcher.rootIsSame());
  await sh(`mv ${other}/root ${root}`, other);
});

t.test('a root that is removed, with the directory that it is in', { skip }, async (t) => {
  for (const inside of ['', '/above/root']) {
    const top = memoryDir(t);
    const root = `${top}${inside}`;
    mkdirSync(root, { recursive: true });
    const { watcher, told } = startWatching(t, root, { via: 'fanotify' });
    rmSync(inside === '' ? top : `${top}/above`, { recursive: true });
    await told(/^stale {2}\(the root was removed\)$/);
    mkdirSync(root, { recursive: true });
    t.notOk(watcher.rootIsSame(), 'another directory of that name');
  }
});

t.test('a mirror that knows only what it is told equals the tree after random operations', { skip }, async (t) => {
  const root = memoryDir(t);
  const { mirror, equal } = startWatching(t, root, { via: 'fanotify' });
  const timer = setInterval(() => mirror.sync(), 20);
  t.teardown(() => clearInterval(timer));
  await workload(root, Date.now() % 100_000, 1500);
  await equal();
});
