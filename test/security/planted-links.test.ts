import { execFileSync } from 'node:child_process';
import {
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

/*
 * Links in the destination that lead out of it: planted by somebody else, or the user's own. Each case is a command line, the
 * link in dst/ with its target and owner, and whether its way is taken; with --insecure-links it always is. The real rsync
 * is asked, too.
 */

const needsRoot = process.getuid?.() === 0 ? false : 'only root can make links of others';
const OTHER = 1234;
const OUT = '../out';

const CASES: readonly (readonly [line: string, link: string, target: string, owner: number, follows: boolean])[] = [
  ['-R --no-implied-dirs src/./d/f dst/', 'd', OUT, 0, false],
  ['-R --no-implied-dirs src/./d/e/f dst/', 'd', OUT, 0, false],
  ['-R --no-implied-dirs src/./d/f dst/', 'd', 'sub', 0, true],
  ['-K src/ dst/', 'd', OUT, 0, false],
  ['-K src/ dst/', 'd', 'HERE/out', 0, false],
  ['-K src/ dst/', 'd', 'sub', OTHER, true],
  ['-b --backup-dir=bd src/ dst/', 'bd', OUT, OTHER, false],
  ['-b --backup-dir=bd/below src/ dst/', 'bd', OUT, OTHER, false],
  ['-b --backup-dir=bd --inplace src/ dst/', 'bd', OUT, OTHER, false],
  ['-b --backup-dir=bd src/ dst/', 'bd', OUT, 0, true],
  ['--temp-dir=bd src/ dst/', 'bd', OUT, OTHER, false],
  ['--temp-dir=bd src/ dst/', 'bd', OUT, 0, true],
  ['--link-dest=bd src/ dst/', 'bd', OUT, OTHER, false],
  ['--link-dest=HERE/dst/bd src/ dst/', 'bd', OUT, 0, true],
  ['--compare-dest=bd/below src/ dst/', 'bd', OUT, OTHER, false],
  ['--partial-dir=HERE/dst/bd/below --delay-updates src/ dst/', 'bd', OUT, OTHER, false],
];

function place(t: Test, link: string, target: string, owner: number): string {
  const dir = tempDir(t);
  for (const name of ['src/d/e', 'dst/sub', 'out/below']) mkdirSync(join(dir, name), { recursive: true });
  for (const name of ['src/f', 'src/d/f', 'src/d/e/f', 'out/same', 'out/below/same', 'src/same']) {
    writeFileSync(join(dir, name), `${name.slice(-4)}\n`);
    utimesSync(join(dir, name), 1e9, 1e9);
  }
  writeFileSync(join(dir, 'dst/f'), 'older');
  symlinkSync(target.replace('HERE', dir), join(dir, 'dst', link));
  lchownSync(join(dir, 'dst', link), owner, 0);
  for (const name of ['out', 'out/below', 'dst/sub']) utimesSync(join(dir, name), 1, 1);
  return dir;
}

/** What is below a directory: types, numbers of names, content; of the directories, whether anything was done in them. */
function state(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .concat('.')
    .sort()
    .map((name) => {
      const st = lstatSync(join(dir, name));
      if (st.isDirectory()) return `${name}/ ${st.mtimeMs === 1000}`;
      return st.isFile() ? `${name} ${st.nlink} ${readFileSync(join(dir, name), 'latin1')}` : `${name} link`;
    });
}

async function outcome(
  t: Test,
  program: Program,
  [line, link, target, owner]: (typeof CASES)[number],
  insecure: boolean,
) {
  const dir = place(t, link, target, owner);
  const leads = join(dir, target === 'sub' ? 'dst/sub' : 'out');
  const before = state(leads);
  const args = ['-a', ...(insecure ? ['--insecure-links'] : []), ...line.split(' ').map((w) => w.replace('HERE', dir))];
  const { code } = await runProgram(program, args, { cwd: dir });
  const after = state(leads);
  // --compare-dest shows only in what is not there.
  const hidden = line.startsWith('--compare-dest') && !readdirSync(join(dir, 'dst')).includes('same');
  const dst = state(join(dir, 'dst'));
  // How much was made before a run gave up is a matter of chance.
  return { code, followed: hidden || after.join() !== before.join(), after, dst: code === 11 ? [] : dst };
}

t.test('links that lead out of the destination', { skip: needsRoot, timeout: 120_000 }, async (t) => {
  for (const entry of CASES) {
    for (const insecure of [false, true]) {
      await t.test(`${insecure ? '--insecure-links ' : ''}${entry.slice(0, 4).join(' ')}`, async (t) => {
        const { followed, ...rest } = await outcome(t, TSRSYNC, entry, insecure);
        const { followed: wanted, ...theirs } = await outcome(t, RSYNC, entry, insecure);
        t.equal(wanted, insecure || entry[4], 'what rsync does');
        t.equal(followed, wanted);
        // rsync cannot move its files out of a --temp-dir that is a link.
        if (entry[4] && entry[0].startsWith('--temp-dir')) return;
        // It says nothing of a file that it lost because it had no --partial-dir.
        if (!wanted && entry[0].startsWith('--partial-dir')) theirs.code = 23;
        t.same(rest, theirs);
      });
    }
  }
});

t.test('--drop-D: what the other side sends is not made', { skip: needsRoot }, async (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'src'));
  writeFileSync(join(dir, 'src/f'), 'f');
  execFileSync('mknod', [join(dir, 'src/fifo'), 'p']);
  execFileSync('mknod', [join(dir, 'src/null'), 'c', '1', '3']);
  for (const program of [RSYNC, TSRSYNC]) {
    const { code } = await runProgram(program, ['-a', '--drop-D', 'src/', program.name], { cwd: dir });
    t.equal(code, 0);
    t.same(readdirSync(join(dir, program.name)), ['f']);
  }
});
