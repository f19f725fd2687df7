import { existsSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { World } from '../lib/routes.js';
import { runProgram } from '../lib/run.js';
import type { OptionCase } from './options-cases.js';
import { inParallel, OptionRunner, REMOTE_ROUTES } from './options-suite.js';

const c = (args: string, more: Omit<OptionCase, 'args'> = {}): OptionCase => ({ args, ...more });

/** What is different below protocol 30: order and phases, who prints, ids, links, block sums, what is refused. */
const CASES: readonly OptionCase[] = [
  c('-rv'),
  c('-aiv --no-p'),
  c('-aii'),
  c('-nvi -a --delete'),
  c('-avv --delete --no-W -u'),
  c('-aHi'),
  c('-aHv --delete-after'),
  c('-aR', { from: 'src/sub/./deep src/a.txt' }),
  c('-ai', { from: 'src/ ref/' }),
  c('-aci'),
  c('-ai --exclude-from=excludes.txt --delete'),
  c('-ai --files-from=list.txt', { from: 'src' }),
  c('-ai --delete --max-delete=2'),
  c('-ai --delete --max-delete=0'),
  c('-ai --delete-delay'),
  c('-ai --delete -b --backup-dir=kept'),
  c('-ai --remove-source-files'),
  c('-ai --inplace --no-W'),
  c('-ab --no-W --stats'),
  c('-ai --append --no-W'),
  c('-ai --groupmap=:1'),
  c('-ai --partial-dir=.parts --delay-updates'),
  c('-aiz --no-W'),
  c('-ai --compare-dest=../ref --no-W', { to: 'fresh/' }),
  c('-ai --link-dest=../ref', { to: 'fresh/' }),
  c('-a --list-only'),
  c('-rltJi'),
  c('-a -T missing-temp'),
];

/** Options that a peer below protocol 29 cannot follow, and what is said then. */
const REFUSED = [
  ['--prune-empty-dirs', '--prune-empty-dirs requires'],
  ['--inplace --compare-dest=/none', '--compare-dest with --inplace requires'],
  ['--link-dest=/one --link-dest=/two', 'Using more than one --link-dest option requires'],
] as const;

t.test('what old peers cannot do is refused', async (t) => {
  const world = new World(t);
  const source = world.makeDir('src');
  writeFileSync(`${source}/file`, 'text');
  const daemon = await world.daemon(RSYNC);
  for (const [options, message] of REFUSED) {
    for (const program of [RSYNC, TSRSYNC]) {
      const args = ['--protocol=28', '-a', ...options.split(' '), `${source}/`, daemon.url('w/copy/')];
      const done = await runProgram(program, args);
      t.equal(done.code, 2, `${program.name} ${options}`);
      t.match(done.stderr, `${message} protocol 29 or higher (negotiated 28).\n`);
    }
    t.notOk(existsSync(world.path('copy/file')));
  }
});

for (const [turn, protocol] of [27, 28, 29].entries()) {
  t.test(`options with peers of protocol ${protocol}`, { timeout: 120_000 }, async (t) => {
    const runner = new OptionRunner(t);
    await inParallel(CASES, (option, index) => {
      const route = REMOTE_ROUTES[(index + 3 * turn) % REMOTE_ROUTES.length];
      return runner.remote(t, option, { ...route, protocol });
    });
  });
}
