import { type ChildProcess, spawn } from 'node:child_process';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { errnoText } from '../report/errno.js';
import type { Connection } from '../transport/connection.js';
import { connectStreams } from '../transport/streams.js';

/** A remote shell that runs the server, and the connection over its standard input and output (1.1). */
export interface ShellRun {
  connection: Connection;
  /** Exit code of the command, or KILLED. */
  ended: Promise<number>;
  kill(): void;
}

/** A signal ended the remote shell. */
export const KILLED = -1;

/** Splits a shell command on spaces; quotes keep words together, a doubled quote inside them is the quote itself. */
function splitCommand(command: ByteString): ByteString[] {
  const words: ByteString[] = [];
  let word: ByteString | null = null;
  let quote = '';
  for (let i = 0; i < command.length; i++) {
    const c = command[i];
    if (quote !== '') {
      if (c !== quote) word += c;
      else if (command[i + 1] === quote) word += command[++i];
      else quote = '';
    } else if (c === "'" || c === '"') {
      quote = c;
      word ??= '';
    } else if (c === ' ') {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + c;
    }
  }
  if (quote !== '') throw new RsyncError(Exit.SYNTAX, `Missing trailing-${quote} in remote-shell command.`);
  if (word !== null) words.push(word);
  return words;
}

/** The whole command line: shell, user, address family, host, then rsync itself with its arguments. */
export function shellCommand(
  o: Options,
  host: ByteString,
  user: ByteString | null,
  args: readonly ByteString[],
): ByteString[] {
  if (host.startsWith('-')) {
    throw new RsyncError(Exit.SYNTAX, `rsync: invalid remote-shell hostname "${host}" (refusing to start with '-').`);
  }
  const words = splitCommand(o.rsh !== '' ? o.rsh : 'ssh');
  const program = words[0]?.slice(words[0].lastIndexOf('/') + 1);
  const command = [...words];
  if (user !== null && !words.slice(1).some((w) => w === '-l' || /^-l./.test(w))) command.push('-l', user);
  if (program === 'ssh' && o.ipFamily !== 0) command.push(o.ipFamily === 4 ? '-4' : '-6');
  command.push(host, o.rsyncPath, ...args);
  return command;
}

/**
 * Starts a command whose standard input and output are the connection. Node passes arguments as UTF-8, so bytes that
 * are not UTF-8 go through `sh -c` with octal escapes.
 */
export function startShell(command: readonly ByteString[], env: NodeJS.ProcessEnv, role: string): ShellRun {
  const child = spawnBytes(command, env);
  const connection = connectStreams(child.stdout!, child.stdin!);
  connection.role = role;
  const ended = new Promise<number>((resolve) => {
    child.on('error', (error) => {
      connection.fail(new RsyncError(Exit.IPC, `rsync: [${role}] Failed to exec ${command[0]}: ${errnoText(error)}`));
      resolve(Exit.IPC);
    });
    child.on('close', (code, signal) => resolve(signal !== null ? KILLED : (code ?? 0)));
  });
  return { connection, ended, kill: () => child.kill('SIGTERM') };
}

function isUtf8(text: ByteString): boolean {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes);
}

function spawnBytes(command: readonly ByteString[], env: NodeJS.ProcessEnv): ChildProcess {
  const options = { stdio: ['pipe', 'pipe', 'inherit'] as ['pipe', 'pipe', 'inherit'], env };
  if (command.every(isUtf8)) {
    const words = command.map((w) => Buffer.from(w, 'latin1').toString('utf8'));
    return spawn(words[0], words.slice(1), options);
  }
  const quoted = command.map((w) => {
    const escaped = [...w].map((c) =>
      /[A-Za-z0-9_./-]/.test(c) ? c : `\\0${c.charCodeAt(0).toString(8).padStart(3, '0')}`,
    );
    // The dot keeps line ends at the end of a word, which $(…) would drop.
    return `"$(printf '%b.' '${escaped.join('')}')"`;
  });
  const assignments = quoted.map((q, i) => `a${i}=${q}; a${i}=\${a${i}%.}`).join('; ');
  const script = `${assignments}; exec ${quoted.map((_, i) => `"$a${i}"`).join(' ')}`;
  return spawn('/bin/sh', ['-c', script], options);
}
