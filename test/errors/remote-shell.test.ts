import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { TSRSYNC } from '../lib/project.js';
import { fakeRemoteShell } from '../lib/remote-shell.js';
import { run, shellQuote } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { endsWith, sameEnd, shellThat } from './support.js';

const dir = tempDir(t);
const [src, dst] = [join(dir, 'src'), join(dir, 'dst')];
mkdirSync(src);
mkdirSync(dst);
writeFileSync(join(src, 'file'), 'content\n');

const CLOSED = 'rsync: connection unexpectedly closed (N bytes)';

/** A push and a pull, with the role that speaks. */
function ways(shell: string[]): { role: string; args: string[] }[] {
  return [
    { role: 'sender', args: ['-a', ...shell, `${src}/`, `host:${dst}`] },
    { role: 'Receiver', args: ['-a', ...shell, `host:${src}/`, dst] },
  ];
}

t.test('the exit code of a remote shell counts when it is larger than that of the closed connection', async (t) => {
  const cases: [string, number, string][] = [
    ['exit 255', 255, 'unexplained error'],
    ['exit 127', 127, 'remote command not found'],
    ['exit 126', 126, 'remote command could not be run'],
    ['exit 3', 12, 'error in rsync protocol data stream'],
    ['exit 0', 12, 'error in rsync protocol data stream'],
    ['kill -9 $$', 12, 'error in rsync protocol data stream'],
    ["printf '\\040\\000\\000\\000'; exit 77", 77, 'unexplained error'],
    ["printf '\\040\\000'; exit 0", 12, 'error in rsync protocol data stream'],
  ];
  for (const [number, [lines, code, text]] of cases.entries()) {
    for (const { role, args } of ways(shellThat(dir, `end-${number}`, lines))) {
      const last = `rsync error: ${text} (code ${code}) at * [${role}=3.5.0]\n`;
      await endsWith(t, TSRSYNC, args, code, `${CLOSED} [${role}]\n${last}`);
    }
  }
});

t.test('a remote shell that says more than it should', async (t) => {
  // A shell that ends at once may do so before rsync has written, which changes what rsync says.
  for (const lines of [
    'echo Welcome; exec cat >/dev/null',
    'echo Welcome; exec sleep 1',
    "printf '\\023\\000\\000\\000'; exec cat",
  ]) {
    const [push, pull] = ways(shellThat(dir, 'talks', lines));
    await sameEnd(t, `${lines}: push`, push.args);
    await sameEnd(t, `${lines}: pull`, pull.args);
  }
});

t.test('a remote shell that does not start', async (t) => {
  for (const { role, args } of ways(['-e', join(dir, 'none')])) {
    const text = `rsync: [${role}] Failed to exec ${join(dir, 'none')}: No such file or directory (2)\n`;
    await endsWith(t, TSRSYNC, args, 14, `${text}rsync error: error in IPC code (code 14) at * [${role}=3.5.0]\n`);
  }
  const [push, pull] = ways(['-e', 'ssh "x']);
  await sameEnd(t, 'a quote that is missing, push', push.args);
  await sameEnd(t, 'a quote that is missing, pull', pull.args);
});

t.test('a remote program that is not there', async (t) => {
  for (const { role, args } of ways(['-e', fakeRemoteShell(dir), '--rsync-path=/no/such/program'])) {
    const result = await endsWith(t, TSRSYNC, args, 127, /remote command not found \(code 127\)/);
    t.match(result.stderr, `[${role}`);
  }
});

t.test('a good run whose shell ends badly', async (t) => {
  const good = ['shift', '/bin/sh -c "$*"'].join('\n');
  for (const [name, end, code] of [
    ['five', 'exit 5', 5],
    ['killed', 'kill -9 $$', 16],
  ] as const) {
    const shell = [...shellThat(dir, name, `${good}\n${end}`), `--rsync-path=${TSRSYNC.remotePath}`];
    const [push, pull] = ways(shell);
    await endsWith(t, TSRSYNC, push.args, code, new RegExp(`\\(code ${code}\\) at \\* \\[sender=`));
    await endsWith(t, TSRSYNC, pull.args, code, new RegExp(`\\(code ${code}\\) at \\* \\[generator=`));
  }
});

t.test('a server whose input is a file', async (t) => {
  const words = [TSRSYNC.command, ...TSRSYNC.prefix, '--server', '--sender', '.', src].map(shellQuote).join(' ');
  const result = await run('/bin/sh', ['-c', `${words} < /dev/null`]);
  t.equal(result.code, 12);
  t.match(
    result.stderr,
    /^rsync: connection unexpectedly closed \(0 bytes received so far\) \[sender\]\nrsync error: .*\(code 12\) .*\n$/,
  );
});
