import { chmodSync, lchownSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { mknod } from '../../src/libc/libc.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

/* What is said of items with set-id bits whose owner changes: the kernel takes the bits away when it is set. */

const needsRoot = process.getuid?.() === 0 ? false : 'only root can give files to others';
const MODES = [0o4755, 0o2755, 0o2644, 0o6711, 0o4644, 0o755];
const OWNERS = [
  [0, 0],
  [1234, 0],
  [0, 4321],
  [1234, 4321],
];

function fill(dir: string, owned: boolean): void {
  mkdirSync(dir);
  for (const mode of MODES) {
    for (const [index, [uid, gid]] of OWNERS.entries()) {
      const name = join(dir, `${mode.toString(8)}-${index}`);
      writeFileSync(name, 'same');
      mkdirSync(`${name}-dir`);
      mknod(Buffer.from(`${name}-fifo`), 0o010644, 0, 0);
      for (const path of [name, `${name}-dir`, `${name}-fifo`]) {
        if (owned) lchownSync(path, uid, gid);
        chmodSync(path, mode);
        utimesSync(path, 1e9, 1e9);
      }
    }
  }
  utimesSync(dir, 1e9, 1e9);
}

async function told(t: Test, program: Program, option: string): Promise<string> {
  const dir = tempDir(t);
  fill(join(dir, 'src'), false);
  fill(join(dir, 'dst'), true);
  return (await runProgram(program, [option, 'src/', 'dst/'], { cwd: dir })).stdout;
}

for (const option of ['-ai', '-ain', '-rlptgDi']) {
  t.test(option, { skip: needsRoot }, async (t) => {
    t.equal(await told(t, TSRSYNC, option), await told(t, RSYNC, option));
  });
}
