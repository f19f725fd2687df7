import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { Severity, Syslog } from '../../src/report/syslog.js';
import { type RunningDaemon, startDaemon } from '../lib/daemon.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { type Teardown, tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

const isRoot = process.getuid?.() === 0;

/** A system log: prints each datagram that it gets, as Python writes bytes. */
const LISTENER = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True: print(s.recv(65536), flush=True)`;

/** Listens at a path until the end of the test; what comes is added to the list. */
async function listen(t: Teardown, path: string): Promise<{ lines: string[]; stop(): Promise<void> }> {
  const child = spawn('python3', ['-c', LISTENER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill();
    await ended;
  };
  t.teardown(stop);
  const reader = createInterface({ input: child.stdout });
  await once(reader, 'line');
  const lines: string[] = [];
  reader.on('line', (line) => lines.push(line));
  return { lines, stop };
}

/** The program with a /dev of its own, whose log is at `socket`. */
function withLogAt(program: Program, socket: string): Program {
  const script = `mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 &&
    ln -s "$0" /dev/log && exec "$@"`;
  const prefix = ['-m', 'sh', '-c', script, socket, program.command, ...program.prefix];
  return { ...program, command: 'unshare', prefix };
}

const PRIORITY_AND_TAG = /^b['"](<\d+>)\w{3} [ \d]\d [\d:]{8} (\S+)\[\d+\]: (.*?)(?:\\n)?['"]$/;

/** What a daemon without a log file has logged of some connections, without times, process numbers and counts of bytes. */
async function logged(t: Teardown, program: Program): Promise<string[]> {
  const dir = tempDir(t);
  const socket = join(dir, 'log.sock');
  const { lines } = await listen(t, socket);
  const module = join(dir, 'module');
  mkdirSync(module);
  mkdirSync(join(dir, 'src'));
  writeFileSync(join(dir, 'src/file'), 'content\n');
  const common = { path: module, 'read only': 'no', 'transfer logging': 'yes' };
  const daemon: RunningDaemon = await startDaemon(t, withLogAt(program, socket), {
    dir: join(dir, 'daemon'),
    globals: { 'log file': '', 'syslog facility': 'local5' },
    modules: {
      plain: { ...common, 'use chroot': 'no' },
      own: { ...common, 'syslog tag': 'backup', 'syslog facility': 'LOCAL0' },
    },
  });
  await runProgram(RSYNC, ['-a', join(dir, 'src/'), daemon.url('plain/')]);
  await runProgram(RSYNC, ['-a', join(dir, 'src/file'), daemon.url('own/other')]);
  await runProgram(RSYNC, ['-a', daemon.url('own/missing'), join(dir, 'out')]);
  await runProgram(RSYNC, ['-a', daemon.url('nowhere/'), join(dir, 'out')]);
  await daemon.idle();
  const ends = () => lines.filter((line) => line.includes('sent ')).length;
  await waitFor(() => ends() === 3 && lines.some((line) => line.includes('nowhere')), 20_000, 'all to be logged');
  t.teardown(() => daemon.stop());
  return lines
    .map((line) => {
      const [, priority, tag, text] = PRIORITY_AND_TAG.exec(line) ?? ['', '', '', line];
      return `${priority}${tag} ${text.replace(/\d+ bytes/g, 'N bytes').replace(/port \d+/, 'port N')}`;
    })
    .sort();
}

t.test('without a log file the system logs, as with rsync', { skip: isRoot ? false : 'needs root' }, async (t) => {
  t.strictSame(await logged(t, TSRSYNC), await logged(t, RSYNC));
});

t.test('a listener that is another one later, none, and names with control characters', async (t) => {
  const path = join(tempDir(t), 'log');
  t.equal(Syslog.open('tag', 'daemon', path), null, 'nobody listens');
  const first = await listen(t, path);
  const log = Syslog.open('tag', 'mail', path) as Syslog;
  t.teardown(() => log.close());
  log.write(Severity.INFO, 'a name\nof\ttwo lines \xc3\xa9');
  await waitFor(() => first.lines.length === 1, 20_000, 'the message');
  t.match(first.lines[0], /^b'<22>.* tag\[\d+\]: a name\\\\#012of/);
  await first.stop();
  log.write(Severity.INFO, 'is lost');
  unlinkSync(path);
  const second = await listen(t, path);
  log.write(Severity.WARNING, 'comes');
  await waitFor(() => second.lines.length === 1, 20_000, 'the message');
  t.match(second.lines[0], /^b'<20>.* tag\[\d+\]: comes'$/);
});
