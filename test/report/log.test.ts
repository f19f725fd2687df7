import { spawn } from 'node:child_process';
import { chownSync, lstatSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ConsoleLog, exitLine, FileLog, logLines, systemError, whoAmI } from '../../src/report/log.js';
import { PROJECT } from '../lib/project.js';
import { cleanEnv, run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { capture } from './support.js';

const SETTINGS = { quiet: false, eightBit: false, stderrMode: 'errors', outbuf: '' } as const;

t.test('messages go where they belong', async (t) => {
  const print = (settings: Partial<ConstructorParameters<typeof ConsoleLog>[0]>) =>
    capture(t, (fds) => {
      const log = new ConsoleLog({ ...SETTINGS, ...settings }, null, fds);
      log.info('info\n');
      log.client('client\n');
      log.warning('warning\n');
      t.equal(log.hadXferError, false);
      log.error('error\n');
      t.equal(log.hadXferError, false);
      log.xferError('xfer\n');
      t.equal(log.hadXferError, true);
      log.exit(24, 'vanished\n');
      log.exit(23, 'partial\n');
      log.close();
    });
  const errors = 'warning\nerror\nxfer\nvanished\npartial\n';
  t.same(await print({}), { stdout: 'info\nclient\n', stderr: errors });
  t.same(await print({ quiet: true }), { stdout: '', stderr: errors });
  t.same(await print({ stderrMode: 'all' }), { stdout: '', stderr: `info\nclient\n${errors}` });
});

t.test('names are escaped on the way out, also those of a peer', async (t) => {
  const out = await capture(t, (fds) => {
    const log = new ConsoleLog(SETTINGS, null, fds);
    log.info('a\x1b[2Jb\n');
    log.client('two\nlines\n');
    log.error('\xff\n');
    log.close();
  });
  t.equal(out.stdout, 'a\\#033[2Jb\ntwo\\#012lines\n');
  t.equal(out.stderr, '\\#377\n');
});

t.test('a message does not stand behind an open progress line', async (t) => {
  const out = await capture(t, (fds) => {
    const log = new ConsoleLog(SETTINGS, null, fds);
    log.progress('\r 10%');
    log.progress('\r 20%');
    log.info('message\n');
    log.progress('\r 30%');
    log.error('error\n');
    log.progress('\r100%\n');
    log.client('name\n');
    log.progress('\r 40%');
    log.close();
    log.close();
  });
  t.equal(out.stdout, '\r 10%\r 20%\nmessage\n\r 30%\r100%\nname\n\r 40%\n');
  t.equal(out.stderr, '\nerror\n');
});

t.test('quiet runs show no progress', async (t) => {
  const out = await capture(t, (fds) => {
    const log = new ConsoleLog({ ...SETTINGS, quiet: true }, null, fds);
    log.progress('\r 10%');
    log.close();
  });
  t.equal(out.stdout, '');
});

t.test('a text of several lines is several messages', async (t) => {
  const out = await capture(t, (fds) => {
    const log = new ConsoleLog(SETTINGS, null, fds);
    logLines(log, 'info', '\na\n\nb');
    log.close();
  });
  t.equal(out.stdout, '\na\n\nb');
});

t.test('what is held back is written at the end of a turn, and at the exit', async (t) => {
  await capture(t, async (fds) => {
    const log = new ConsoleLog(SETTINGS, null, fds);
    log.info('held\n');
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    log.close();
  }).then((out) => t.equal(out.stdout, 'held\n'));
  const module = join(PROJECT, 'build/src/report/log.js');
  const script = `import { ConsoleLog } from ${JSON.stringify(module)};
    const log = new ConsoleLog(${JSON.stringify(SETTINGS)});
    log.info('held\\n'); log.error('error\\n'); log.info('last\\n'); process.exit(3);`;
  const result = await run(process.execPath, ['--input-type=module', '-e', script]);
  t.same([result.code, result.stdout, result.stderr], [3, 'held\nlast\n', 'error\n']);
});

t.test('a slow reader gets everything, and a reader that left does not stop the program', async (t) => {
  const module = join(PROJECT, 'build/src/report/log.js');
  const script = `import { ConsoleLog } from ${JSON.stringify(module)};
    const log = new ConsoleLog(${JSON.stringify(SETTINGS)});
    for (let i = 0; i < 40000; i++) log.info(i + ' of many lines\\n');
    log.close(); process.stderr.write('done');`;
  const start = () =>
    spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: cleanEnv(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const slow = start();
  let lines = 0;
  slow.stdout.on('data', (chunk: Buffer) => {
    lines += chunk.toString().split('\n').length - 1;
    slow.stdout.pause();
    setImmediate(() => slow.stdout.resume());
  });
  await new Promise((resolve) => slow.on('close', resolve));
  t.equal(lines, 40_000);
  const gone = start();
  let told = '';
  gone.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
  gone.stdout.once('data', () => gone.stdout.destroy());
  const code = await new Promise((resolve) => gone.on('close', resolve));
  t.same([code, told], [0, 'done']);
});

t.test('a log file', async (t) => {
  const dir = tempDir(t);
  process.env.TZ = 'UTC';
  const path = join(dir, 'log');
  const now = () => new Date(1_790_000_000_000);
  const log = new FileLog(path, { pid: 42, now });
  t.equal(lstatSync(path).mode & 0o7777, 0o644);
  const out = await capture(t, (fds) => {
    const both = new ConsoleLog({ ...SETTINGS, quiet: true }, log, fds);
    both.info('info\n');
    both.client('not in the log\n');
    both.error('a\x1b\x9b\xe9\nb\n');
    both.xferError('xfer\n');
    both.close();
  });
  t.match(out.stderr, 'xfer');
  log.info('no newline');
  renameSync(path, `${path}.1`);
  log.warning('old\n');
  log.reopen();
  log.info(`${'x'.repeat(5000)}\n`);
  log.close();
  log.info('closed\n');
  const head = '2026/09/21 14:13:20 [42] ';
  t.equal(
    readFileSync(`${path}.1`, 'latin1'),
    ['info', 'a\\#033\\#233\xe9\\#012b', 'xfer', 'no newline', 'old', '']
      .map((l, i) => (i < 5 ? head + l : l))
      .join('\n'),
  );
  t.equal(readFileSync(path, 'latin1'), `${head}${'x'.repeat(2047)}\n`);
});

t.test(
  'a log file is not opened through a symlink of somebody else',
  { skip: process.getuid?.() !== 0 && 'not root' },
  async (t) => {
    const dir = tempDir(t);
    mkdirSync(join(dir, 'real'));
    writeFileSync(join(dir, 'real', 'target'), '');
    symlinkSync('real', join(dir, 'own'));
    new FileLog(join(dir, 'own', 'target')).close();
    symlinkSync('target', join(dir, 'real', 'foreign'));
    symlinkSync('real', join(dir, 'foreign-dir'));
    t.throws(() => new FileLog(join(dir, 'missing', 'log')), { code: 'ENOENT' });
    const { lchownSync } = await import('node:fs');
    lchownSync(join(dir, 'real', 'foreign'), 65534, 65534);
    lchownSync(join(dir, 'foreign-dir'), 65534, 65534);
    t.throws(() => new FileLog(join(dir, 'real', 'foreign')), { code: 'ELOOP' });
    t.throws(() => new FileLog(join(dir, 'foreign-dir', 'target')), { code: 'ELOOP' });
    symlinkSync('real/foreign', join(dir, 'own-to-foreign'));
    t.throws(() => new FileLog(join(dir, 'own-to-foreign')), { code: 'ELOOP' });
    chownSync(join(dir, 'real', 'target'), 65534, 65534);
    new FileLog(join(dir, 'real', 'target')).close();
  },
);

t.test('the last line of a failed run', async (t) => {
  const real = await run('rsync', ['/nonexistent-source', '/nonexistent-target/']);
  const tail = /\(code 23\) at main\.c\(\d+\) \[sender=3\.5\.0\]\n$/;
  t.match(real.stderr, tail);
  const line = real.stderr.slice(real.stderr.indexOf('rsync error'));
  t.equal(exitLine(23, 'sender'), line.replace(/main\.c\(\d+\)/, 'tsrsync'));
  t.equal(exitLine(24, 'generator').slice(0, 14), 'rsync warning:');
  t.equal(exitLine(99, 'client'), 'rsync error: unexplained error (code 99) at tsrsync [client=3.5.0]\n');
  t.equal(whoAmI('Receiver'), '[Receiver]');
  t.equal(
    real.stderr.slice(0, real.stderr.indexOf('rsync error')),
    systemError('sender', 'link_stat "/nonexistent-source" failed', 2),
  );
});
