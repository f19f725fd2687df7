import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RsyncError } from '../../protocol/errors.js';
import { Random } from '../lib/random.js';
import { tempDir } from '../lib/temp.js';
import { ourList, realList } from './oracle.js';

const NAMES = ['a', 'b', 'ab', 'a.c', 'b.o', 'foo', 'bar', '.x', 'x-y', 'A', 'a b', '[z]', 'core', 'CVS', 'a\\b'];
const PIECES = [
  'a',
  'b',
  'ab',
  'foo',
  '*',
  '?',
  '**',
  '***',
  '[ab]',
  '[!a]',
  '[a-f]*',
  '.',
  '*.c',
  '*.o',
  'x-y',
  '[[:upper:]]',
  '\\*',
  'a\\b',
  '[z',
  '\\[',
];
const TYPES = ['-', '+', '-!', '+!', '-/', '-p', '-s', '-r', '+s', 'H', 'S', 'P', 'R', 'exclude', 'include,s', '-x'];
const MERGES = [':', ':n', ':-', ':+', ':e', ':w', ':C', ':s', 'dir-merge', 'dir-merge,n-', ':/'];

function makeTree(random: Random, dir: string, depth: number): void {
  mkdirSync(dir, { recursive: true });
  for (const name of NAMES) {
    if (!random.chance(depth === 0 ? 65 : 35)) continue;
    // The real one takes wildcards in the name of a merge file's directory for a part of anchored patterns.
    if (depth < 3 && !/[[\\]/.test(name) && random.chance(40)) makeTree(random, join(dir, name), depth + 1);
    else writeFileSync(join(dir, name), '');
  }
  if (random.chance(35)) writeFileSync(join(dir, '.rules'), rulesText(random, false));
  if (random.chance(15)) writeFileSync(join(dir, '.more'), patterns(random));
  if (random.chance(15)) writeFileSync(join(dir, '.cvsignore'), `${patterns(random)} ! ${pattern(random)}`);
}

function pattern(random: Random): string {
  let out = random.chance(30) ? '/' : '';
  for (let n = 1 + random.int(3); n > 0; n--) {
    out += random.pick(PIECES);
    if (random.chance(25)) out += random.pick(PIECES);
    if (n > 1) out += '/';
  }
  return random.chance(20) ? `${out}/` : out;
}

function patterns(random: Random): string {
  return Array.from({ length: 1 + random.int(3) }, () => pattern(random)).join('\n');
}

function rule(random: Random): string {
  return `${random.pick(TYPES)}${random.chance(80) ? ' ' : '_'}${pattern(random)}`;
}

function rulesText(random: Random, top: boolean): string {
  const lines: string[] = [];
  for (let n = 1 + random.int(4); n > 0; n--) {
    const kind = random.int(100);
    if (kind < 8) lines.push('!');
    else if (kind < 16) lines.push(': .more', '# comment', '; comment');
    else if (kind < 20 && top) lines.push(': /.rules');
    else lines.push(rule(random));
  }
  return `${lines.join(random.chance(20) ? '\r\n' : '\n')}\n`;
}

function options(random: Random, dir: string, at: number): string[] {
  const out: string[] = [];
  for (let n = random.int(5); n >= 0; n--) {
    const kind = random.int(12);
    if (kind < 5) out.push(`--filter=${rule(random)}`);
    else if (kind < 7) out.push(`--exclude=${random.pick(['', '+ ', '- '])}${pattern(random)}`);
    else if (kind < 8) out.push(`--include=${pattern(random)}`);
    else if (kind < 9) {
      const file = join(dir, `rules${at}.${n}`);
      writeFileSync(file, rulesText(random, true));
      out.push(`--filter=${random.pick(['.', 'merge,', '.'])} ${file}`.replace(', ', ' '));
    } else if (kind < 10) {
      const file = join(dir, `from${at}.${n}`);
      writeFileSync(file, patterns(random));
      out.push(`--${random.pick(['ex', 'in'])}clude-from=${file}`);
    } else if (kind < 11) out.push(`--filter=${random.pick(MERGES)} ${random.pick(['.rules', '.more', '.rules'])}`);
    else out.push(random.pick(['-F', '-C', '--filter=!', '--filter=: /.rules', '--filter=:C', '--filter=-C']));
  }
  return out;
}

const SOURCES = [['t/'], ['t'], ['t/a', 't/b', 't/foo'], ['-R', 't/a/'], ['-R', 't/./a/b', 't/foo/a']];

t.test('random rules on random trees select what the real rsync selects', (t) => {
  const cases = Number(process.env.FILTER_CASES ?? 15);
  const first = Number(process.env.FILTER_SEED ?? 1);
  const dir = tempDir(t);
  for (let seed = first; seed < first + cases; seed++) {
    const random = new Random(seed);
    const cwd = join(dir, `case${seed}`);
    makeTree(random, join(cwd, 't'), 0);
    for (let n = 0; n < 3; n++) {
      const sources = n === 0 ? ['t/'] : random.pick(SOURCES);
      const args = ['-r', ...options(random, cwd, n), ...sources];
      const settings = { cwd, args, home: cwd };
      const real = realList(settings);
      let ours: string[];
      try {
        ours = ourList(settings).lines;
      } catch (error) {
        const { message, exitCode } = error as RsyncError;
        t.equal(exitCode, real.code, `seed ${seed}: ${args.join(' ')}: ${message}`);
        // Of several bad files, the order of the directory decides which one is met first.
        if (!message.includes('<rule from')) t.equal(message, real.messages[0], `seed ${seed}: ${args.join(' ')}`);
        continue;
      }
      // The real one also reads the merge files of directories that -R only leads through.
      if (real.code === 1 && sources[0] === '-R') continue;
      if (real.code === 1) t.fail(`seed ${seed}: the real one refuses: ${real.messages[0]} ${args.join(' ')}`);
      t.same(ours, real.lines, `seed ${seed}: ${args.join(' ')}`);
    }
  }
  t.end();
});
