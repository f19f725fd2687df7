import t from 'tap';
import { RsyncError } from '../../protocol/errors.js';
import { compileRefusals, parseServerArgs } from '../../src/cli/options.js';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC } from '../lib/project.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const RULES: Record<string, string> = {
  none: '',
  checksum: 'checksum',
  short: 'c',
  deletes: 'delete',
  during: 'delete-during',
  del: 'del',
  timed: 'delete-before delete-during',
  wild: 'delete*',
  all: '* !a !v !delete',
  parts: 'a',
  perms: 'perms',
  partial: 'partial',
  progress: 'progress',
  inplace: 'inplace',
  compress: 'compress',
  zletter: 'z',
  devices: '!write-devices',
  nonum: 'numeric-ids fuzzy',
  classes: '[zc] no-*',
  several: 'b*',
};
/** What a client says, as words for the server. */
const LINES = [
  '-r',
  '-a',
  '-rc',
  '-r --delete',
  '-r --del',
  '-r --delete-before',
  '-r --delete-after',
  '-rp',
  '-r --partial',
];
LINES.push(
  '--inplace',
  '--append',
  '-z',
  '--zl=3',
  '-r --write-devices',
  '--numeric-ids',
  '-b',
  '-r --remove-source-files',
  '-v',
);
LINES.push('-r --delete-excluded', '--partial-dir=x', '--backup-dir=x');

function refusal(rule: string, words: string[]): string {
  try {
    parseServerArgs(words, { isDaemon: true, refuse: rule.split(' ').filter(Boolean) });
    return '';
  } catch (e) {
    if (!(e instanceof RsyncError)) throw e;
    return e.message;
  }
}

t.test('a real daemon refuses the same', async (test) => {
  const dir = tempDir(test);
  const modules = Object.fromEntries(
    Object.entries(RULES).map(([name, rule]) => [
      name,
      { path: dir, 'read only': 'no', ...(rule && { 'refuse options': rule }) },
    ]),
  );
  const daemon = await startDaemon(test, RSYNC, { dir, modules });
  for (const [name, rule] of Object.entries(RULES)) {
    const answers = LINES.map(async (line) => {
      // The words go with -M as they stand; the client's own options are as few as can be.
      const words = line.split(' ').map((word) => `-M${word}`);
      const client = ['-n', '-t', ...words, '/dev/null', `rsync://127.0.0.1:${daemon.port}/${name}/`];
      const real = await run('rsync', client, { timeout: 10_000 });
      const sent = ['--server', '-nte.LsfxCIvu', ...line.split(' '), '.', `${name}/`];
      const said = /rsync: (The server is configured to refuse .*)/.exec(real.stderr)?.[1] ?? '';
      const ours = /rsync: (The server is configured to refuse .*)/.exec(refusal(rule, sent))?.[1] ?? '';
      test.equal(ours, said, `refuse options = ${rule}: ${line}`);
    });
    await Promise.all(answers);
  }
});

t.test('what a daemon never lets a client say', async (test) => {
  for (const word of ['--log-file=/x', '--log-file-format=x', '--insecure-links', '--iconv=utf8', '--copy-devices']) {
    test.match(
      refusal('!log-file !insecure-links !iconv', ['--server', word, '.', 'm/']),
      'The server is configured to refuse',
      word,
    );
  }
  test.equal(refusal('!copy-devices', ['--server', '--copy-devices', '.', 'm/']), '');
  test.equal(refusal('*', ['--server', '--sender', '-nse.LsfxCIvu', '--log-format=%i', '--checksum-seed=3']), '');
});

t.test('rules that match nothing are told, bad patterns do no harm', async (test) => {
  test.same(compileRefusals(['nosuch', 'q?q*', '[z-a]', 'checksum']).unmatched, ['nosuch', 'q?q*', '[z-a]']);
});
