import { connect } from 'node:net';
import t from 'tap';
import { RsyncError } from '../../protocol/errors.js';
import { compileRefusals, parseServerArgs } from '../../src/cli/options.js';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC } from '../lib/project.js';
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
  const daemon = await startDaemon(test, RSYNC, { dir, modules, globals: { 'listen backlog': 1000 } });
  const answers: Promise<void>[] = [];
  for (const [name, rule] of Object.entries(RULES)) {
    for (const line of LINES) {
      const sent = ['--server', '-nte.LsfxCIu', ...line.split(' '), '.', `${name}/`];
      const check = async () => {
        const real = await talk(daemon.port, name, sent);
        test.equal(said(refusal(rule, sent)), said(real), `refuse options = ${rule}: ${line}`);
      };
      answers.push(check());
    }
  }
  await Promise.all(answers);
});

const said = (text: string) => /rsync: (The server is configured to refuse [^\n]*)/.exec(text)?.[1] ?? '';

/** Greets a daemon, sends the words for a module and the end of the input; resolves with all that came back. */
function talk(port: number, module: string, words: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = '';
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('data', (chunk) => {
      all += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve(all));
    socket.end(`@RSYNCD: 32.0 md5\n${module}\n${words.join('\0')}\0\0`);
  });
}

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
