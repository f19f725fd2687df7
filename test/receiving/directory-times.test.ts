import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

/* A directory whose files are all right is not looked at again (src/receiving/landing/touch-up.ts), unless something was done in it. */
const FILES = 40;
const LONG_AGO = 1_000_000_000;
const DIRS = ['changed', 'extra', 'missing', 'right', 'sub'];

function fill(root: string): void {
  for (const name of DIRS) {
    const dir = join(root, name);
    mkdirSync(dir, { recursive: true });
    for (let i = 0; i < FILES; i++) {
      const path = join(dir, `f${i}`);
      writeFileSync(path, `content ${i}`);
      utimesSync(path, LONG_AGO, LONG_AGO);
    }
  }
}

function setTimes(root: string): void {
  for (const name of DIRS) utimesSync(join(root, name), LONG_AGO, LONG_AGO);
}

for (const option of ['--delete-during', '--delete-delay', '--delete-before', '--delete-after']) {
  t.test(`times of directories in which something was done: ${option}`, async (t) => {
    const dir = tempDir(t);
    const [src, dst] = ['src', 'dst'].map((name) => join(dir, name));
    for (const root of [src, dst]) fill(root);
    mkdirSync(join(src, 'sub/new'));
    setTimes(src);
    writeFileSync(join(dst, 'changed/f7'), 'another one');
    writeFileSync(join(dst, 'extra/further'), '');
    rmSync(join(dst, 'missing/f9'));
    setTimes(dst);
    const { code, stderr } = await runProgram(TSRSYNC, ['-a', option, `${src}/`, `${dst}/`]);
    t.equal(code, 0, stderr);
    for (const name of DIRS) t.equal(statSync(join(dst, name)).mtimeMs, LONG_AGO * 1000, name);
  });
}
