import t from 'tap';
import { TSRSYNC } from '../lib/project.js';
import type { OptionCase } from './options-cases.js';
import { inParallel, OptionRunner, REMOTE_ROUTES } from './options-suite.js';

const c = (args: string, more: Omit<OptionCase, 'args'> = {}): OptionCase => ({ args, ...more });

/** At -vv a sender tells how often its hash table was hit, which depends on the table; whole files never are. */
const v = (args: string): OptionCase => c(args, { localOnly: true });

/** Options in company: where one changes what the other is told or leaves behind. */
const CASES: readonly OptionCase[] = [
  // Basis directories, for every type of entry and together with what is there already.
  c('-aii --link-dest=../ref'),
  v('-avv --link-dest=../ref'),
  c('-ai --compare-dest=../ref --delete'),
  c('-ai --compare-dest=../ref', { to: 'fresh/' }),
  c('-ai --copy-dest=../ref', { to: 'fresh/' }),
  c('-ri --compare-dest=../ref', { to: 'fresh/' }),
  c('-aHi --link-dest=../ref', { to: 'fresh/' }),
  c('-aHi --copy-dest=../ref', { to: 'fresh/' }),
  c('-ai --link-dest=missing-here', { localOnly: true }),
  // Hard links.
  c('-aHn'),
  c('-aHii'),
  v('-aHvv'),
  c('-aHi --existing'),
  c('-aHui'),
  c('-aHi --append --no-W'),
  c('-aHi --delete --remove-source-files'),
  // What makes way, and what is left out.
  c('-av --force'),
  c('-ani --force --delete'),
  c('-ai --delete --max-delete=0'),
  c('-ai --delete-before --max-delete=2'),
  c('-ai --no-i-r', { from: 'src/ ref/' }),
  c('-a --debug=dup --no-i-r', { from: 'src/ ref/' }),
  c('-ai --delete-after --max-delete=3'),
  v('-avv --existing --delete'),
  c('-a --info=skip2 --ignore-existing'),
  // A file stays where a directory should be: what cannot be deleted in it, and what its failing means for other deletions.
  c('-a --ignore-existing --delete'),
  c('-a --ignore-existing --delete-delay'),
  c('-a --ignore-existing --delete-after'),
  c('-a --ignore-existing --delete --no-i-r'),
  c('-an --ignore-existing --delete'),
  c('-ai -u --modify-window=1000'),
  v('-avv --delete-before'),
  v('-avvF --exclude=*.tmp --include=*.c --delete'),
  v('-avvC'),
  // What a dry run says of files whose attributes alone would change.
  v('-avvn'),
  v('-avvn --size-only'),
  v('-avvn --chmod=go-r --fake-super'),
  c('-aRi --no-implied-dirs', { from: 'src/sub/deep/z src/a.txt', localOnly: true }),
  // Backups and places.
  v('-avvb --backup-dir=kept'),
  c('-ai --inplace -b'),
  c('-ai --inplace -b --no-W'),
  c('-ab --backup-dir=a.txt'),
  c('-a -T a.txt'),
  c('-ai --mkpath', { from: 'src/a.txt', to: 'p/q/r' }),
  c('-ai --mkpath', { from: 'src/a.txt', to: 'p/q/r/' }),
  c('-ain --mkpath', { to: 'p/q/r' }),
  c('-ai', { from: 'src/emptydir', to: 'newname' }),
  c('-ai', { to: 'p/q/' }),
  // Whom files belong to.
  c('-ai --chown=daemon:bin'),
  c('-ai --chown=:daemon', { to: 'fresh/' }),
  c('-ai --chown=daemon --no-o'),
  c('-ai --usermap=0:daemon,1-99:bin,n*:77,:1 --groupmap=*:games', { to: 'fresh/' }),
  c('-ai --usermap=0:nobody --groupmap=0:65534 --numeric-ids'),
  c('-rti --usermap=0:no-such-user'),
  c('-ai --usermap=0'),
  c('-ai --groupmap=1-x:0'),
  // What is printed.
  c('-v'),
  c('-a --out-format=%o|%f|%n'),
  c('-av --progress --no-i-r'),
  c('-a --info=progress2,name1 --no-i-r'),
  c('-ai --link-dest=../src -n', { to: 'fresh/' }),
  c('-a --no-super', { localOnly: true }),
  c('--protocol=29 -ai --delete'),
  c('--protocol=30 -aHi --delete'),
];

t.test('options together, on this machine alone', { timeout: 120_000 }, async (t) => {
  const runner = new OptionRunner(t);
  await inParallel(CASES, (option) => runner.local(t, option));
});

t.test('options together, each over one of the remote ways in turn', { timeout: 120_000 }, async (t) => {
  const runner = new OptionRunner(t);
  const remote = CASES.filter((option) => !option.localOnly);
  await inParallel(remote, (option, index) =>
    runner.remote(t, option, REMOTE_ROUTES[(index + 3) % REMOTE_ROUTES.length]),
  );
});

t.test('a client that receives counts names that were listed twice', async (t) => {
  const runner = new OptionRunner(t);
  const pulls = REMOTE_ROUTES.filter(({ client, direction }) => client === TSRSYNC && direction === 'pull');
  for (const route of pulls) await runner.remote(t, c('-am --stats', { from: 'ref/ src/' }), route);
});
