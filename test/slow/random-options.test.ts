import t from 'tap';
import type { OptionCase } from '../conformance/options-cases.js';
import { inParallel, OptionRunner, REMOTE_ROUTES } from '../conformance/options-suite.js';
import { Random } from '../lib/random.js';

/*
 * Options that meet by chance. OPTIONS_SEED repeats a run, OPTIONS_COUNT says how many command lines it has.
 */

const SEED = Number(process.env.OPTIONS_SEED ?? Date.now() % 1_000_000);
const COUNT = Number(process.env.OPTIONS_COUNT ?? 600);
const MOST = 6;

/**
 * Words that say the same thing. Left out: what prints times or counts of its own, what stops a run
 * by the clock, -R with whole paths (the place of a run would be in the names), and protocols in which warnings go to standard output.
 */
const CHOICES = [
  '--delete --del --delete-before --delete-after --delete-delay --delete-excluded',
  '-b -b_--suffix=.old -b_--backup-dir=kept',
  '--partial --partial-dir=.part --delay-updates --inplace --append --append-verify',
  '--compare-dest=../cmp --copy-dest=../cmp --link-dest=../cmp',
  '--existing --ignore-existing --existing_--ignore-existing -u',
  '-I --size-only -c --modify-window=1 --modify-window=-1',
  '-L -k --copy-unsafe-links --safe-links --munge-links',
  '--protocol=30 --protocol=31',
  '-z -zz --compress-choice=zlib_-z --compress-choice=lz4_-z --compress-choice=zstd_-z',
  '--checksum-choice=md5 --checksum-choice=xxh64 --checksum-choice=sha1,md4',
  '-W --no-W --no-W_--block-size=700',
  '--chmod=Fgo-w,Dg+s --chmod=a+X -E',
  '-n -v -vv -i -ii --out-format=%n%L|%l|%B',
  '--exclude=*.txt --include=*.c_--exclude=* --filter=hide_a* -C -F',
  '--max-size=1000 --min-size=10',
  '--no-i-r -d',
  '--no-p --no-t --no-o_--no-g --no-l --no-D --no-r',
  '--usermap=0:7 --groupmap=*:8 --chown=5:6 --usermap=*:9_--numeric-ids',
  '-A -X -AX --fake-super',
  '-y -yy --no-W_-y --no-W_-yy_--delete-after',
  '--filter=:C --filter=P_extra* --filter=-s_*.o --filter=R_extra.o --filter=dir-merge,n_.cvsignore --exclude-from=excludes.txt',
  '--info=del2,remove2,skip2,backup2,misc2,nonreg2,copy2,mount2,symsafe2 --info=name2 --stats --stats_-h --out-format=%i|%f|%o|%B|%G',
  '-s --old-args --trust-sender --open-noatime --max-alloc=64M --skip-compress=txt/jpg --temp-dir=ref',
].map((line) =>
  line.split(' ').map((choice) => (choice.startsWith('--filter') ? choice : choice.replaceAll('_', ' '))),
);
/** What is copied, and where to; the first ones more often. */
const SOURCES = [
  'src/',
  'src/',
  'src/',
  'src',
  'src/ ref/',
  'ref/ src/',
  'src/sub src/a.txt',
  'src/dirlink/',
  'src/dirlink',
]
  .concat(['src/sub/ src/link src/pipe', 'src/a.txt', 'src/none src/b.c', 'src/emptydir/ src/sub/deep/', 'src/link'])
  .concat(['src/./sub/deep src/./a.txt src/./dirnow', 'src/sub/../a.txt src//b.c']);
const TARGETS = [
  'dst/',
  'dst/',
  'dst/',
  'dst',
  'new/',
  'new',
  'dst/sub',
  'dst/dirnow',
  'dst/a.txt',
  'dst/emptydir',
  'p/q/',
];
const SINGLE = '-H -O -J -S -x -K -m -U --force --ignore-errors --max-delete=1 --numeric-ids --omit-dir-times --mkpath'
  .concat(' --remove-source-files --delete-missing-args --ignore-missing-args --preallocate --fsync --super --no-super')
  .split(' ');

function commandLine(random: Random): OptionCase {
  const words = [random.int(5) > 0 ? '-a' : '-r'];
  for (let count = 1 + random.int(MOST); count > 0; count--) {
    const from = random.int(2) === 0 ? SINGLE : CHOICES[random.int(CHOICES.length)];
    words.push(from[random.int(from.length)]);
  }
  const from = random.pick(SOURCES);
  // The path of a place is part of the names else.
  if (from.includes('/./')) words.push(random.pick(['-R', '-R', '-R --no-implied-dirs', '-r']));
  // A file that is there under two names is sent under the second one before or after it was removed, as it happens.
  const twice = words.some((word) => word === '-k' || word === '-L' || word === '--copy-unsafe-links');
  // rsync leaves files out with --append and --fuzzy, and reads the rules of one source alone where several have a directory.
  const appends = words.some((word) => word.startsWith('--append'));
  const merges = /\/ .*\//.test(from);
  const isLeftOut = (word: string) =>
    (appends && /-yy?$/.test(word)) || (merges && /^-F$|^--filter=(:|dir)/.test(word));
  const left = words.filter((word) => !word.split(' ').some(isLeftOut));
  const args = left.filter((word) => !twice || word !== '--remove-source-files').join(' ');
  return { args, from, to: random.pick(TARGETS) };
}

t.test(`options that meet by chance, OPTIONS_SEED=${SEED}`, { timeout: 1_200_000 }, async (t) => {
  const random = new Random(SEED);
  const runner = new OptionRunner(t);
  const lines = Array.from({ length: COUNT }, () => commandLine(random));
  await inParallel(lines, (line, index) => {
    const way = index % (REMOTE_ROUTES.length + 1);
    return way === REMOTE_ROUTES.length ? runner.local(t, line) : runner.remote(t, line, REMOTE_ROUTES[way]);
  });
});
