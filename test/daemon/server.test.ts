import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { DaemonConfigObject } from '../../src/daemon/config/conf-text.js';
import { type RunningDaemon, type ServeOptions, startDaemon } from '../../src/daemon/server.js';
import { startDaemon as startReal } from '../lib/daemon.js';
import { hostileClient } from '../lib/hostile.js';
import { RSYNC } from '../lib/project.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

const GREETING = '@RSYNCD: 32.0 sha512 sha256 sha1 md5 md4\n';
const isRoot = process.getuid?.() === 0;

async function start(
  t: Test,
  config: DaemonConfigObject,
  options: ServeOptions = {},
): Promise<RunningDaemon & { log(): string; dir: string }> {
  const dir = tempDir(t);
  const file = join(dir, 'log');
  const global = { 'log file': file, 'use chroot': false, 'reverse lookup': false, ...config.global };
  const daemon = await startDaemon({ ...config, global }, { address: '127.0.0.1', port: 0, ...options });
  t.teardown(() => daemon.close());
  return Object.assign(daemon, { dir, log: () => readFileSync(file, 'latin1') });
}

/** What a client gets that asks for `lines` behind its greeting. */
async function ask(t: Test, port: number, ...lines: string[]): Promise<string> {
  const peer = await hostileClient(t, port);
  peer.send(GREETING + lines.map((line) => `${line}\n`).join(''));
  await peer.line();
  return (await peer.rest()).toString('latin1');
}

/** Opens a module up to the point where the daemon waits for arguments, and stays there. */
async function occupy(t: Test, port: number, module: string) {
  const peer = await hostileClient(t, port);
  peer.send(`${GREETING}${module}\n`);
  await peer.line();
  t.equal(await peer.line(), '@RSYNCD: OK', `${module} is open`);
  return peer;
}

t.test('refusals read as those of the real daemon', async (t) => {
  const dir = tempDir(t);
  const open = join(dir, 'open');
  const strict = join(dir, 'strict');
  writeFileSync(open, 'joe:secret\n');
  chmodSync(open, 0o644);
  writeFileSync(strict, 'joe:secret\n', { mode: 0o600 });
  writeFileSync(join(dir, 'motd'), 'welcome\n');
  const modules = {
    plain: { path: dir, comment: 'a comment' },
    hidden: { path: dir, list: 'no' },
    nopath: { comment: 'x' },
    denied: { path: dir, 'hosts deny': '*' },
    'denied and hidden': { path: dir, 'hosts deny': '*', list: 'no' },
    missing: { path: '/no/such/place' },
    'missing in a chroot': { path: '/no/such/place', 'use chroot': 'yes' },
    file: { path: open },
    nouser: { path: dir, uid: 'no-such-user' },
    nogroup: { path: dir, gid: 'no-such-group' },
    disabled: { path: dir, 'max connections': '-1' },
    nolock: { path: dir, 'max connections': '1', 'lock file': '/no/such/dir/lock' },
    auth: { path: dir, 'auth users': 'joe', 'secrets file': strict },
    readable: { path: dir, 'auth users': 'joe', 'secrets file': open },
    nosecrets: { path: dir, 'auth users': 'joe', 'secrets file': '/no/such/secrets' },
    deny: { path: dir, 'auth users': 'joe:deny', 'secrets file': strict },
    other: { path: dir, 'auth users': 'sue', 'secrets file': strict },
    floor: { path: dir, 'auth users': 'joe', 'secrets file': strict, 'auth digest': 'nonsense' },
  };
  const globals = { 'motd file': join(dir, 'motd'), 'use chroot': 'no' };
  const real = await startReal(t, RSYNC, { dir: join(dir, 'real'), modules, globals });
  const ours = await start(t, { modules, global: globals });
  const both = async (path: string, password = 'secret') => {
    const env = { RSYNC_PASSWORD: password };
    const list = (port: number) => run('rsync', [`rsync://joe@127.0.0.1:${port}/${path}`], { env, timeout: 60_000 });
    return Promise.all([list(real.port), list(ours.port)]);
  };
  for (const path of ['', ...Object.keys(modules).filter((m) => !['plain', 'hidden', 'auth'].includes(m)), 'unknown']) {
    const [theirs, mine] = await both(path === '' ? '' : `${path}/`);
    t.match(theirs.stderr, path === '' ? /^$/ : /@ERROR/, `${path || 'listing'}: the case is what it should be`);
    t.same(mine, theirs, path || 'listing');
  }
  const [theirs, mine] = await both('auth/', 'wrong');
  t.equal(mine.stderr, `@ERROR: auth failed on module auth\n${theirs.stderr.split('\n')[1]}\n`);
  t.same(mine, theirs, 'wrong password');
  const logged = (text: string) =>
    text
      .split('\n')
      .map((line) => line.replace(/^\S+ \S+ \[\d+\] /, ''))
      .filter((line) => /denied on|auth failed|unknown module|Invalid|module-list|secrets file/.test(line));
  t.same(logged(ours.log()), logged(real.log()), 'and so does the log');
  t.notMatch(ours.log(), /secret\b(?! not| file|s)/, 'no password in the log');
});

t.test('text that is no rsync client', async (t) => {
  const daemon = await start(t, { modules: { m: { path: '/' } } });
  const raw = async (bytes: string | Buffer) => {
    const peer = await hostileClient(t, daemon.port);
    peer.send(bytes);
    await peer.line();
    return (await peer.rest()).toString('latin1');
  };
  t.equal(await raw('GET / HTTP/1.0\r\n\r\n'), '@ERROR: protocol startup error\n');
  t.equal(await raw('@RSYNCD: 31\n'), '@ERROR: your client omitted the subprotocol value: @RSYNCD: 31\n');
  t.equal(await raw('@RSYNCD: 32.0\n'), '@ERROR: your client omitted the digest name list: @RSYNCD: 32.0\n');
  t.equal(await raw('@RSYNCD: 19.0\n'), '@ERROR: protocol startup error\n');
  t.equal(await raw(`${GREETING}#nonsense\n`), "@ERROR: Unknown command '#nonsense'\n");
  t.equal(await raw(`${GREETING}#early_input=99999\n`), '@ERROR: invalid early_input length\n');
  t.equal(await raw(`${GREETING}#early_input=3\nabc#list\n`), 'm              \t\n@RSYNCD: EXIT\n');
  t.equal(await raw(`@RSYNCD: 32.0 ${'x'.repeat(2000)}\n`), '', 'a line without end is not read');
  t.equal(await raw(Buffer.alloc(3000, 0x41)), '');
  t.equal(await raw(`@RSYNCD: 32.0 md5\0\n`), '', 'a NUL ends it');
  t.equal(await raw(Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) & 255))), '');
  t.equal(await ask(t, daemon.port, 'x'.repeat(1000)), `@ERROR: Unknown module '${'x'.repeat(1000)}'\n`);
  t.equal(await ask(t, daemon.port, '\x1b[31m\x07'), "@ERROR: Unknown module '\x1b[31m\x07'\n");
  t.match(daemon.log(), /unknown module '\\#033\[31m\\#007' tried/, 'control characters are escaped in the log');
  t.equal(await ask(t, daemon.port, '#list'), 'm              \t\n@RSYNCD: EXIT\n', 'it still serves');
});

t.test('a slow client is cut off', async (t) => {
  const daemon = await start(t, { global: { timeout: 3 }, modules: { m: { path: '/' } } });
  const slow = await hostileClient(t, daemon.port);
  const drip = setInterval(() => slow.send('@'), 100);
  t.teardown(() => clearInterval(drip));
  await slow.rest();
  clearInterval(drip);
  t.match(daemon.log(), /daemon handshake timeout -- exiting[\s\S]*\(code 30\)/);
  const before = daemon.log().length;
  const occupied = await occupy(t, daemon.port, 'm');
  occupied.send('--server\0');
  await occupied.rest();
  await waitFor(() => /code 30/.test(daemon.log().slice(before)), 30_000, 'the arguments to have a deadline as well');
});

t.test('max connections, and a worker that is killed', async (t) => {
  const dir = tempDir(t);
  const limited = { path: dir, 'max connections': 2, 'lock file': join(dir, 'lock') };
  const daemon = await start(t, {
    modules: { a: limited, b: { ...limited, 'max connections': 3 }, free: { path: dir } },
  });
  const full = (n: number) => `@ERROR: max connections (${n}) reached -- try again later\n`;
  await occupy(t, daemon.port, 'a');
  await occupy(t, daemon.port, 'b');
  t.equal(await ask(t, daemon.port, 'a'), full(2), 'modules with the same lock file share its slots');
  const third = await occupy(t, daemon.port, 'b');
  t.equal(await ask(t, daemon.port, 'b'), full(3));
  await occupy(t, daemon.port, 'free');
  // Whoever else uses the lock file sees the slots.
  const real = await startReal(t, RSYNC, { dir: join(dir, 'real'), modules: { a: limited } });
  t.equal(await ask(t, real.port, 'a'), full(2), 'the real daemon sees our locks');
  third.close();
  await waitFor(
    async () => !(await ask(t, daemon.port, 'nothing', 'b')).includes('x') && slotFree(t, daemon.port),
    30_000,
    'a slot',
  );
  const pids = daemon.workerPids();
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await waitFor(() => /ended by SIGKILL; connections lost: [1-9]/.test(daemon.log()), 30_000, 'the loss to be logged');
  await waitFor(() => !daemon.workerPids().some((pid) => pids.includes(pid)), 30_000, 'all of them to be missed');
  await occupy(t, daemon.port, 'a');
  await occupy(t, daemon.port, 'a');
  t.equal(await ask(t, daemon.port, 'a'), full(2), 'the slots of the lost connections are free, once');
});

t.test('a worker that dies before it has its connection', async (t) => {
  const daemon = await start(t, { modules: { m: { path: tempDir(t) } } });
  const [spare] = daemon.workerPids();
  process.kill(spare, 'SIGSTOP');
  const peer = await hostileClient(t, daemon.port);
  peer.send(`${GREETING}m\n`);
  await peer.line();
  // A second worker is started when the first one has been given something.
  await waitFor(() => daemon.workerPids().length === 2, 30_000, 'the connection to be passed on');
  process.kill(spare, 'SIGKILL');
  t.equal(await peer.line(), '', 'the client is not left waiting');
  await occupy(t, daemon.port, 'm');
});

/** True when module b has a free slot; the probe gives it back. */
async function slotFree(t: Test, port: number): Promise<boolean> {
  const peer = await hostileClient(t, port);
  peer.send(`${GREETING}b\n`);
  await peer.line();
  const answer = await peer.line();
  peer.close();
  return answer === '@RSYNCD: OK';
}

t.test('a proxy in front', async (t) => {
  const modules = { m: { path: '/', 'hosts allow': '10.9.8.7' } };
  const global = { 'proxy protocol': true, 'proxy protocol hosts': '127.0.0.1' };
  const daemon = await start(t, { global, modules });
  const through = async (header: string, port = daemon.port) => {
    const peer = await hostileClient(t, port);
    peer.send(`${header}${GREETING}m\n`);
    const first = await peer.line();
    return first === '' ? '' : peer.line();
  };
  t.equal(await through('PROXY TCP4 10.9.8.7 127.0.0.1 1 873\r\n'), '@RSYNCD: OK');
  t.match(
    await through('PROXY TCP4 10.9.8.6 127.0.0.1 1 873\r\n'),
    /access denied to m from UNDETERMINED \(10\.9\.8\.6\)/,
  );
  t.equal(await through(''), '', 'without a header nobody gets in');
  const open = await start(t, { global: { 'proxy protocol': true }, modules });
  t.equal(await through('PROXY TCP4 10.9.8.7 127.0.0.1 1 873\r\n', open.port), '', 'nor through an unknown proxy');
});

t.test('a configuration file that changes is followed', async (t) => {
  const dir = tempDir(t);
  const conf = join(dir, 'conf');
  const log = join(dir, 'log');
  const write = (text: string) => {
    writeFileSync(`${conf}.new`, `log file = ${log}\nuse chroot = no\nreverse lookup = no\n${text}`);
    renameSync(`${conf}.new`, conf);
  };
  write('[one]\npath = /\n');
  const daemon = await startDaemon(conf, { address: '127.0.0.1', port: 0 });
  t.teardown(() => daemon.close());
  const names = async () => (await ask(t, daemon.port, '#list')).replace(/ *\t\n/g, ' ');
  t.equal(await names(), 'one @RSYNCD: EXIT\n');
  write('[two]\npath = /\n');
  t.equal(await names(), 'two @RSYNCD: EXIT\n');
  write('[broken\n');
  t.equal(await names(), 'two @RSYNCD: EXIT\n', 'a broken file leaves the old settings');
  t.match(readFileSync(log, 'latin1'), /Badly formed line.*previous configuration stays/);
  write('[three]\npath = /\n');
  daemon.reload();
  t.equal(await names(), 'three @RSYNCD: EXIT\n');
  renameSync(log, `${log}.1`);
  t.equal(await names(), 'three @RSYNCD: EXIT\n');
  t.match(readFileSync(log, 'latin1'), /module-list request/, 'a rotated log is opened anew');
});

t.test('workers have the rights of their module and no others', { skip: !isRoot && 'needs root' }, async (t) => {
  const dir = tempDir(t);
  for (const name of ['a', 'b']) mkdirSync(join(dir, name));
  const daemon = await start(t, {
    modules: {
      a: { path: join(dir, 'a'), uid: 'nobody', gid: 'nogroup', 'use chroot': true },
      b: { path: join(dir, 'b'), uid: 1234, gid: '2345 3456' },
      same: { path: join(dir, 'a'), uid: 'nobody', gid: 'nogroup', 'use chroot': true },
    },
  });
  const status = (pid: number) => {
    const text = readFileSync(`/proc/${pid}/status`, 'latin1');
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*?)\\s*$`, 'm').exec(text)?.[1] ?? '';
    return `${field('Uid')} ${field('Gid')} ${field('Groups')} ${field('CapEff')}`.replace(/\s+/g, ' ');
  };
  await occupy(t, daemon.port, 'a');
  await occupy(t, daemon.port, 'b');
  const seen = daemon.workerPids().map(status);
  const isUndecided = (pid: number) => status(pid).startsWith('0 0 0 0');
  await waitFor(() => daemon.workerPids().some(isUndecided), 30_000, 'a spare worker that has not chosen yet');
  const none = '0000000000000000';
  t.ok(seen.includes(`65534 65534 65534 65534 65534 65534 65534 65534 65534 ${none}`), `nobody is there: ${seen}`);
  t.ok(seen.includes(`1234 1234 1234 1234 2345 2345 2345 2345 2345 3456 ${none}`), 'and the numeric one');
});

t.test('a failed set-up leaves the worker to others', { skip: !isRoot && 'needs root' }, async (t) => {
  const dir = tempDir(t);
  const daemon = await start(t, {
    modules: { gone: { path: join(dir, 'gone'), 'use chroot': true }, here: { path: dir } },
  });
  for (let i = 0; i < 5; i++) t.equal(await ask(t, daemon.port, 'gone'), '@ERROR: chroot failed\n');
  const pids = daemon.workerPids();
  t.ok(pids.length <= 2, 'no process was spent on each');
  await occupy(t, daemon.port, 'here');
});

t.test('idle workers end, one spare stays', async (t) => {
  const daemon = await start(t, { modules: { m: { path: '/' } } }, { idleMs: 1 });
  const peer = await occupy(t, daemon.port, 'm');
  t.equal(daemon.workerPids().length, 2);
  peer.close();
  await waitFor(() => daemon.workerPids().length === 1, 60_000, 'the idle worker to end');
});

t.test('a link of somebody else does not lead to the secrets', { skip: !isRoot && 'needs root' }, async (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'secrets'), 'joe:x\n', { mode: 0o600 });
  symlinkSync(join(dir, 'secrets'), join(dir, 'link'));
  const { lchownSync } = await import('node:fs');
  lchownSync(join(dir, 'link'), 1234, 1234);
  const daemon = await start(t, {
    modules: { m: { path: dir, 'auth users': 'joe', 'secrets file': join(dir, 'link') } },
  });
  const done = await run('rsync', [`rsync://joe@127.0.0.1:${daemon.port}/m/`], { env: { RSYNC_PASSWORD: 'x' } });
  t.match(done.stderr, /auth failed on module m/);
  t.match(daemon.log(), /for joe: no secrets file/);
});

t.test('nothing is left when a daemon is closed', async (t) => {
  const dir = tempDir(t);
  const pidFile = join(dir, 'pid');
  const daemon = await start(t, { global: { 'pid file': pidFile }, modules: { m: { path: '/' } } });
  t.equal(readFileSync(pidFile, 'latin1'), `${process.pid}\n`);
  const peer = await occupy(t, daemon.port, 'm');
  const pids = daemon.workerPids();
  await daemon.close();
  t.equal(existsSync(pidFile), false);
  await peer.rest();
  for (const pid of pids) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  await t.rejects(hostileClient(t, daemon.port), { code: 'ECONNREFUSED' });
});
