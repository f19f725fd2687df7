import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

t.test('"ignore nonreadable"', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  const dir = tempDir(t);
  chmodSync(dir, 0o755);
  for (const name of ['open', 'closed']) {
    mkdirSync(`${dir}/${name}`);
    for (const file of ['readable', 'unreadable']) writeFileSync(`${dir}/${name}/${file}`, file);
    chmodSync(`${dir}/${name}/unreadable`, 0o600);
    symlinkSync('unreadable', `${dir}/${name}/link`);
  }
  chmodSync(`${dir}/closed`, 0o700);
  const seen: string[][] = [];
  for (const program of [RSYNC, TSRSYNC]) {
    const params = { path: dir, uid: '65534', gid: '65534', 'ignore nonreadable': 'yes' };
    const modules = { plain: { ...params, 'use chroot': 'no' }, rooted: { ...params, 'use chroot': 'yes' } };
    const daemon = await startDaemon(t, program, { dir: tempDir(t), modules });
    const lists: string[] = [];
    for (const module of ['plain', 'rooted']) {
      for (const args of [['-rl'], ['-rL'], ['-r', '--exclude=x']]) {
        const { stdout, code } = await run('rsync', [...args, daemon.url(`${module}/`)]);
        lists.push(`${module} ${args.join(' ')} ${code}\n${stdout.replaceAll(/^\S+ +\S+ \S+ \S+ /gm, '')}`);
      }
    }
    lists.push(String((await run('rsync', [daemon.url('plain/open/unreadable')])).code));
    seen.push(lists);
  }
  t.same(seen[1], seen[0]);
});
