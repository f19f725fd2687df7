import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../lib/daemon.js';
import { hostileServer } from '../lib/hostile.js';
import { TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { endsWith, sameEnd, shellThat } from './support.js';

const dir = tempDir(t);
const [src, dst] = [join(dir, 'src'), join(dir, 'dst')];
mkdirSync(src);
mkdirSync(dst);
writeFileSync(join(src, 'file'), 'content\n');

/** A daemon that sends these bytes and then waits for the client to go, or closes at once. */
async function talker(t: Test, bytes: string, closes: boolean): Promise<string> {
  const port = await hostileServer(t, async (peer) => {
    peer.send(bytes);
    if (!closes) await peer.rest().catch(() => {});
    else await peer.line();
  });
  return `rsync://127.0.0.1:${port}/m/`;
}

t.test('greetings that are none', async (t) => {
  const greetings = [
    'hello\n',
    '\n',
    '@RSYNCD: \n',
    '@RSYNCD: 9.0\n',
    '@RSYNCD: 50.0\n',
    '@RSYNCD: 31.0 sha1\n@ERROR: go away\n',
    '@RSYNCD: 31.0\nfirst line\nsecond line\n@ERROR: go\nmore\n',
    '@RSYNCD: 31.0\n@RSYNCD: EXIT\n',
    '@RSYNCD: 31.0\n@RSYNCD: AUTHREQD \n',
  ];
  for (const greeting of greetings) {
    const url = await talker(t, greeting, true);
    await sameEnd(t, JSON.stringify(greeting), ['-a', url, dst], { env: { RSYNC_PASSWORD: 'x' } });
  }
});

t.test('the module is asked for at once, before the daemon has said anything', async (t) => {
  const heard: string[] = [];
  const port = await hostileServer(t, async (peer) => {
    heard.push(await peer.line(), await peer.line());
    peer.send('@RSYNCD: 31.0 sha1\n@ERROR: seen\n');
    await peer.rest().catch(() => {});
  });
  const options = { timeout: 20_000 };
  await endsWith(t, TSRSYNC, ['-a', `rsync://127.0.0.1:${port}/m/`, dst], 5, /^@ERROR: seen$/m, options);
  t.match(heard[0], /^@RSYNCD: /);
  t.equal(heard[1], 'm');
});

t.test('garbage behind the greeting', async (t) => {
  const start = '@RSYNCD: 31.0 sha1\n@RSYNCD: OK\n';
  const cases: [string, number][] = [
    [`${start}\xff\xff\xff\xff\xff\xff\xff\xff`, 12],
    [start + '\0'.repeat(2000), 12],
    [`${start}\x01\x02${'A'.repeat(3000)}`, 12],
    [`@RSYNCD: 29.0\n@RSYNCD: OK\n\x01\x02\x03\x04${'A'.repeat(3000)}`, 12],
  ];
  for (const [bytes, code] of cases) {
    for (const direction of ['push', 'pull']) {
      const url = await talker(t, bytes, true);
      const args = direction === 'push' ? ['-a', src, url] : ['-a', url, dst];
      await endsWith(t, TSRSYNC, args, code, new RegExp(`rsync error: .* \\(code ${code}\\) at`));
    }
  }
});

t.test('a daemon or a shell that says nothing is given up after --timeout', async (t) => {
  const lines = (role: string) =>
    new RegExp(
      `^\\[${role}\\] io timeout after \\d+ seconds -- exiting\n` +
        `rsync error: timeout in data send/receive \\(code 30\\) at \\* \\[${role}=3.5.0\\]\n$`,
    );
  const silent = await talker(t, '', false);
  const hanging = await talker(t, '@RSYNCD: 32.0 sha512 md5\n@RSYNCD: OK\n', false);
  const shell = shellThat(dir, 'sleeps', 'exec sleep 20');
  await Promise.all([
    endsWith(t, TSRSYNC, ['-a', '--timeout=1', silent, dst], 30, lines('Receiver')),
    endsWith(t, TSRSYNC, ['-a', '--timeout=1', hanging, dst], 30, lines('Receiver')),
    endsWith(t, TSRSYNC, ['-a', '--timeout=1', `${src}/`, hanging], 30, lines('sender')),
    endsWith(t, TSRSYNC, ['-a', '--timeout=1', ...shell, `${src}/`, 'host:x'], 30, lines('sender')),
  ]);
});

t.test('places that cannot be reached', async (t) => {
  const port = await freePort();
  for (const host of ['127.0.0.1', 'localhost']) {
    await sameEnd(t, host, ['-a', `rsync://${host}:${port}/m/`, dst]);
    await sameEnd(t, host, ['-a', `${src}/`, `rsync://${host}:${port}/m/`]);
  }
  await sameEnd(t, 'a port that is cut to 16 bits', ['-a', `rsync://127.0.0.1:${65536 + port}/m/`, dst]);
  await sameEnd(t, 'no such name', ['-a', 'no-such-host.invalid::m/', dst]);
  const url = await talker(t, 'hello\n', true);
  await endsWith(
    t,
    TSRSYNC,
    ['-a', '--address=no-such-host.invalid', url, dst],
    10,
    /^rsync: getaddrinfo no-such-host/,
  );
  await endsWith(t, TSRSYNC, ['-a', '--address=192.0.2.1', url, dst], 10, /bind failed: Cannot assign/);
});

t.test('versions that this program does not speak', async (t) => {
  const last = 'rsync error: protocol incompatibility (code 2) at * [sender=3.5.0]\n';
  const [low, high] = ['at least 27', 'no more than 32'].map((text) => `--protocol must be ${text} on the Client.\n`);
  await endsWith(t, TSRSYNC, ['--protocol=26', src, dst], 2, low + last);
  await endsWith(t, TSRSYNC, ['--protocol=33', src, dst], 2, high + last);
});

t.test('a password without a terminal is a line of standard input', async (t) => {
  const script = ['@RSYNCD: 31.0 md5\n@RSYNCD: AUTHREQD abc\n'].join('');
  let answer = '';
  const port = await hostileServer(t, async (peer) => {
    peer.send(script);
    await peer.line();
    await peer.line();
    answer = await peer.line();
    peer.send('@ERROR: auth failed on module m\n');
  });
  // setsid: no terminal can be found then, wherever this test runs.
  const command = [TSRSYNC.command, ...TSRSYNC.prefix, '-a', `rsync://joe@127.0.0.1:${port}/m/`, dst];
  const program = { name: 'setsid', command: 'setsid', prefix: ['-w'], remotePath: '' };
  const result = await runProgram(program, command, { input: 'right\n' });
  t.equal(result.code, 5);
  t.match(result.stderr, /^Password: @ERROR: auth failed on module m\n/);
  t.match(answer, /^joe \S+/);
});
