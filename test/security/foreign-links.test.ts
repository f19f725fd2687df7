import { lchownSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { leadsThroughForeignLink } from '../../src/libc/foreign-link.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

/*
 * Paths of a command line that lead through somebody else's symbolic link are refused, as rsync 3.5 does. The first words of
 * each case are options, then source and destination; everything lies in one folder that is made anew for each program.
 */

const needsRoot = process.getuid?.() === 0 ? false : 'only root can make links of others';
const OTHER = 1234;

const CASES = [
  'src/ dir-link/',
  'src/ dir-link',
  'src/f dir-link/name',
  'src/ root-link/',
  '--insecure-links src/ dir-link/',
  'src-link/ dst/',
  '--exclude-from=src-link/f src/ dst/',
  '--include-from=file-link src/ dst/',
  '--files-from=file-link src/ dst/',
  '--insecure-links --files-from=file-link src/ dst/',
  '--filter=merge\\ file-link src/ dst/',
  '--temp-dir=HERE/dir-link src/ dst/',
  '-b --backup-dir=../dir-link src/ dst/',
  '-b --backup-dir=/proc/x src/ dst/',
  '--log-file=file-link src/ dst/',
  '--insecure-links --log-file=file-link src/ dst/',
  '--filter=:-\\ .rules src/ dst/',
  '--insecure-links --filter=:-\\ .rules src/ dst/',
  '--log-file=dir-link/log src/ dst/',
  '--log-file=nowhere/log src/ dst/',
];

function place(t: Test): string {
  const dir = tempDir(t);
  for (const name of ['src', 'dst', 'real']) mkdirSync(join(dir, name));
  writeFileSync(join(dir, 'src', 'f'), 'f\n');
  writeFileSync(join(dir, 'dst', 'f'), 'older');
  utimesSync(join(dir, 'dst', 'f'), 1, 1);
  for (const [name, target, uid] of [
    ['dir-link', 'real', OTHER],
    ['src-link', 'src', OTHER],
    ['file-link', join(dir, 'src/f'), OTHER],
    ['src/.rules', 'f', OTHER],
    ['root-link', 'real', 0],
  ] as const) {
    symlinkSync(target, join(dir, name));
    lchownSync(join(dir, name), uid, 0);
  }
  return dir;
}

/** Exit code, what lies where, and the lines of errors without what differs between programs and within one. */
async function outcome(t: Test, program: Program, line: string) {
  const dir = place(t);
  const words = line.split(/(?<!\\) /).map((word) => word.replace('\\ ', ' ').replace('HERE', dir));
  const done = await runProgram(program, ['-ai', ...words], { cwd: dir });
  const errors = done.stderr
    .replaceAll(dir, '')
    .replace(/ at \S+( \[)/g, '$1')
    .split('\n')
    // A second refusal of one path, and rsync's look at a backup that is not there.
    .filter((text, i, all) => all.indexOf(text) === i && !/\bunlink\b/.test(text));
  const content = ['real', 'dst'].map((name) => readdirSync(join(dir, name)).map((n) => `${name}/${n}`));
  const kept = readFileSync(join(dir, 'dst/f'), 'latin1');
  return { code: done.code, stdout: done.stdout, errors, content, kept: kept.replace(/^\S+ \S+ \[\d+\]/gm, '') };
}

t.test('links of others in the paths of a command line', { skip: needsRoot, timeout: 120_000 }, async (t) => {
  for (const line of CASES) {
    await t.test(line, async (t) => {
      const wanted = await outcome(t, RSYNC, line);
      const { errors, ...rest } = await outcome(t, TSRSYNC, line);
      t.match({ ...rest, errors }, line.includes('/proc/') ? { code: wanted.code, kept: wanted.kept } : wanted);
    });
  }
});

t.test('where a path leads', { skip: needsRoot }, async (t) => {
  const dir = place(t);
  mkdirSync(join(dir, 'real/below'));
  symlinkSync('../dir-link/below', join(dir, 'dst/twice'));
  symlinkSync('round', join(dir, 'round'));
  const foreign = (path: string) => leadsThroughForeignLink(`${dir}/src/../${path}`);
  t.ok(foreign('dir-link'));
  t.ok(foreign('dir-link/below'));
  t.ok(foreign('./src/..//dir-link/'));
  t.ok(foreign('dst/twice'), 'one link behind another');
  t.notOk(foreign('root-link/below'));
  t.notOk(foreign('src/../dst'));
  t.notOk(foreign('src/../../../../../../../..'), 'the root is above itself');
  t.notOk(foreign('nowhere/dir-link'), 'what is not there leads nowhere');
  t.notOk(foreign('round'), 'in circles: for the kernel to say');
  t.notOk(foreign('src/f/x'));
});
