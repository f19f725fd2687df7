import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { getXattr } from '../../src/libc/xattrs.js';
import { diffDirs } from '../lib/compare.js';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { run, runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const isRoot = process.getuid?.() === 0;

function makeSource(dir: string): void {
  mkdirSync(join(dir, 'sub'), { recursive: true });
  writeFileSync(join(dir, 'file'), 'content');
  writeFileSync(join(dir, 'plain'), 'x');
  symlinkSync('file', join(dir, 'link'));
  symlinkSync('/nowhere/at/all', join(dir, 'sub/link'));
  spawnSync('mknod', [join(dir, 'device'), 'c', '1', '3']);
  spawnSync('mkfifo', [join(dir, 'fifo')]);
  chownSync(join(dir, 'file'), 1234, 567);
  chownSync(join(dir, 'sub'), 99, 98);
  chmodSync(join(dir, 'file'), 0o4751);
  chmodSync(join(dir, 'sub'), 0o500);
  utimesSync(dir, 1000, 1000);
}

/** What a module really has: type, owner, mode, and what is kept beside it. */
function stored(dir: string): string[] {
  return (readdirSync(dir, { recursive: true }) as string[]).sort().map((name) => {
    const { mode, uid, gid, size } = lstatSync(join(dir, name));
    const beside = getXattr(Buffer.from(join(dir, name)), 'user.rsync.%stat')?.toString() ?? '';
    return `${name} ${mode.toString(8)} ${uid}:${gid} ${mode & 0o100000 ? size : ''} ${beside}`;
  });
}

t.test('fake super', { skip: isRoot ? false : 'owners and devices need root' }, async (t) => {
  const dir = tempDir(t);
  const source = join(dir, 'src');
  makeSource(source);
  const before: unknown[] = [];
  for (const program of [RSYNC, TSRSYNC]) {
    const path = join(dir, program.name);
    mkdirSync(path);
    chownSync(path, 65534, 65534);
    utimesSync(path, 1, 1);
    const module = { path, uid: 'nobody', gid: 'nogroup', 'read only': 'no', 'fake super': 'yes' };
    const daemon = await startDaemon(t, program, { dir: join(dir, `d-${program.name}`), modules: { m: module } });
    const seen: unknown[] = [];
    const client = async (...args: string[]) => {
      const done = await runProgram(RSYNC, args);
      seen.push([done.code, done.stderr, done.stdout.split('\n').sort()]);
    };
    await client('-ai', `${source}/`, daemon.url('m/'));
    seen.push(stored(path));
    await client('-ai', `${source}/`, daemon.url('m/'));
    // A type changes, and an owner.
    const changed = join(dir, 'changed');
    await run(RSYNC.command, ['-a', `${source}/`, `${changed}/`]);
    rmSync(join(changed, 'link'));
    writeFileSync(join(changed, 'link'), 'now a file');
    chownSync(join(changed, 'plain'), 4321, 765);
    utimesSync(join(changed, 'link'), 3000, 3000);
    utimesSync(changed, 2000, 2000);
    await client('-ai', '--delete', `${changed}/`, daemon.url('m/'));
    seen.push(stored(path));
    await client('-ai', daemon.url('m/'), `${dir}/back-${program.name}/`);
    t.same(diffDirs(changed, `${dir}/back-${program.name}`, { times: false }), [], 'what comes back is what was sent');
    rmSync(changed, { recursive: true });
    if (program === RSYNC) before.push(...seen);
    else t.same(withoutNames(seen), withoutNames(before));
  }
});

function withoutNames(seen: unknown[]): unknown {
  return JSON.parse(JSON.stringify(seen).replaceAll(/back-[a-z]+/g, 'back'));
}
