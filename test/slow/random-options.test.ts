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
 * by the clock, -R (the place of a run would be in the names), and protocols in which warnings go to standard output.
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
].map((line) =>
  line.split(' ').map((choice) => (choice.startsWith('--filter') ? choice : choice.replaceAll('_', ' '))),
);
const SINGLE = '-H -O -J -S -x -K -m -U --force --ignore-errors --max-delete=1 --numeric-ids --omit-dir-times --mkpath'
  .concat(' --remove-source-files --delete-missing-args --ignore-missing-args --preallocate --fsync --super --no-super')
  .split(' ');

function commandLine(random: Random): OptionCase {
  const words = [random.int(5) > 0 ? '-a' : '-r'];
  for (let count = 1 + random.int(MOST); count > 0; count--) {
    const from = random.int(2) === 0 ? SINGLE : CHOICES[random.int(CHOICES.length)];
    words.push(from[random.int(from.length)]);
  }
  // A file that is there under two names is sent under the second one before or after it was removed, as it happens.
  const twice = words.some((word) => word === '-k' || word === '-L' || word === '--copy-unsafe-links');
  return { args: words.filter((word) => !twice || word !== '--remove-source-files').join(' ') };
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
