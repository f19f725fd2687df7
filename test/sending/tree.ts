import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRS = ['src/d1/d2', 'src/d.x', 'src/d', 'src/empty', 'other/in', 'a b'];

/** A small tree with every kind of file and of link. */
export function makeTree(cwd: string): void {
  for (const dir of DIRS) mkdirSync(join(cwd, dir), { recursive: true });
  for (const file of [
    'src/file',
    'src/d1/one',
    'src/d1/d2/two',
    'src/d/z',
    'src/d.x/y',
    'other/o',
    'other/in/p',
    'a b/c d',
    'plain',
  ]) {
    writeFileSync(join(cwd, file), file.repeat(file.length));
  }
  const links = {
    'src/to-file': 'file',
    'src/to-dir': 'd1',
    'src/to-out': '../other',
    'src/d1/up': '../file',
    'src/abs': '/etc/hostname',
    'src/d1/gone': 'nothing',
    'link-to-src': 'src',
    'src/d1/back': 'd2/../one',
  };
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(cwd, path));
  spawnSync('mkfifo', [join(cwd, 'src/fifo')]);
  if (process.getuid?.() === 0) spawnSync('mknod', [join(cwd, 'src/null'), 'c', '1', '3']);
  linkSync(join(cwd, 'src/file'), join(cwd, 'src/d/hard'));
  linkSync(join(cwd, 'src/file'), join(cwd, 'src/d1/hard2'));
  // Several sources can be the '.' of one listing: which of them that is must not show in its time.
  for (const dir of [...DIRS, 'src/d1', 'src', 'other', '.']) utimesSync(join(cwd, dir), 1_000_000_000, 1_000_000_000);
}
