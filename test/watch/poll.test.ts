import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lacksEvents, mountOf, mountsBelow } from '../../src/watch/mounts.js';
import { memoryDir } from '../lib/temp.js';
import { sh, startWatching, workload } from '../lib/watching.js';

t.test('polling finds what changed', async (t) => {
  const root = memoryDir(t);
  await sh('mkdir -p dir/deep x; echo x > dir/file; echo x > dir/deep/f', root);
  const { watcher, mirror, told, equal } = startWatching(t, root, { via: 'poll', pollMs: 20 });
  t.equal(watcher.via, 'poll');
  // What was told before may be told again: directories that have just changed are looked at twice.
  const earlier = new Set<string>();
  const step = async (script: string, ...lines: string[]): Promise<void> => {
    mirror.told.length = 0;
    await sh(script, root);
    await told(new RegExp(`^${lines.at(-1)}$`), 30_000);
    const fresh = mirror.told.filter((line) => lines.includes(line) || !earlier.has(line));
    t.same(new Set(fresh), new Set(lines), script);
    for (const line of lines) earlier.add(line);
  };
  await step('echo longer > dir/file', 'changed dir/file written');
  await step('chmod 600 dir/file', 'changed dir/file attributes');
  await step('chmod 700 dir', 'changed dir attributes directory');
  await step('ln -s a x/link', 'changed x/link written made');
  await step('rm -r dir/deep', 'changed dir/deep removed directory');
  await step('rmdir x/none 2>/dev/null || mkdir x/d', 'changed x/d made directory');
  await step('chmod 700 .; true', 'changed  attributes directory');
  await equal();
});

t.test('a mirror that knows only what polling tells equals the tree after random operations', async (t) => {
  const root = memoryDir(t);
  const { mirror, equal } = startWatching(t, root, { via: 'poll', pollMs: 10 });
  const timer = setInterval(() => mirror.sync(), 50);
  t.teardown(() => clearInterval(timer));
  await workload(root, Date.now() % 100_000, 600, 2);
  await equal();
});

t.test('what is there only between two looks, when somebody looks who was told of something else', async (t) => {
  const root = memoryDir(t);
  await sh('mkdir dir', root);
  const { mirror, told, equal } = startWatching(t, root, { via: 'poll', pollMs: 300 });
  await sh('rmdir dir; mkdir new', root);
  await told(/^changed new made directory$/);
  // The watcher is in this process: it looks at nothing before this is over.
  execFileSync('sh', ['-c', 'mkdir -p dir/x new/y && echo > dir/f'], { cwd: root });
  mirror.sync();
  execFileSync('sh', ['-c', 'rm -r dir new/y'], { cwd: root });
  await equal(20_000);
});

t.test('a root that is replaced', async (t) => {
  const root = join(memoryDir(t), 'root');
  mkdirSync(root);
  const { watcher, told, reports } = startWatching(t, root, { via: 'poll', pollMs: 10 });
  await sh('mv ../root ../old; mkdir ../root', root);
  await told(/^stale {2}/);
  t.notOk(watcher.rootIsSame());
  t.match(reports, [/no longer the directory/]);
});

t.test('which file systems are polled', async (t) => {
  for (const type of ['nfs', 'nfs4', 'cifs', 'smb3', '9p', 'fuse.sshfs', 'fuse.glusterfs', 'ceph'])
    t.ok(lacksEvents(type), type);
  for (const type of ['ext4', 'xfs', 'btrfs', 'tmpfs', 'overlay', 'fuseblk', 'zfs']) t.notOk(lacksEvents(type), type);
  const mounts = [
    { path: '/', type: 'ext4' },
    { path: '/srv', type: 'xfs' },
    { path: '/srv/share', type: 'nfs4' },
    { path: '/srv', type: 'cifs' },
  ];
  t.equal(mountOf('/srv/x', mounts)?.type, 'cifs', 'the later mount covers the earlier one');
  t.equal(mountOf('/srvx', mounts)?.type, 'ext4');
  t.same(mountsBelow('/srv', mounts), [{ path: '/srv/share', type: 'nfs4' }]);
});
