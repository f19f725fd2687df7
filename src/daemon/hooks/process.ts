import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import os from 'node:os';
import type { Readable } from 'node:stream';
import { Exit } from '../../../protocol/constants.js';
import type { ByteString } from '../../../protocol/options.js';
import { errnoText } from '../../report/errno.js';

/** Bytes of a hook's output that a client gets to see. */
const MAX_OUTPUT = 5119;
/** Where a shell that does not end with the hook's status writes it, and bytes of it. */
const STATUS_FD = 3;
const MAX_STATUS = 16;
/** What a shell that cannot be started counts as. */
export const NOT_STARTED = rawStatus(127, null);
/** How a process of rsync ends that turns a client away before the transfer. */
export const NOT_SERVED = rawStatus(255, null);
/** How it ends when it finds that the client has gone. */
export const CLIENT_GONE = rawStatus(Exit.STREAMIO, null);

/** The environment of a hook: bytes, without NUL. */
export type HookEnv = Readonly<Record<string, ByteString>>;

export interface HookRun {
  command: ByteString;
  env: HookEnv;
  /** What it reads. */
  input: Buffer;
  /** Keeps the beginning of what it writes to standard output, instead of sending it to `output`. */
  keeps: boolean;
  /** Where standard output and standard error of hooks go. */
  output: 'inherit' | 'ignore';
  complain(text: ByteString): void;
}

export interface HookResult {
  /** As waitpid() has it. */
  status: number;
  output: ByteString;
}

/** How a process ended, as waitpid() tells it. */
export function rawStatus(code: number | null, signal: NodeJS.Signals | null): number {
  return signal === null ? ((code ?? Exit.CRASHED) & 0xff) << 8 : os.constants.signals[signal];
}

/** Runs a command with the shell of RSYNC_SHELL, or /bin/sh, and waits for its end. Never throws. */
export function runHook(run: HookRun): Promise<HookResult> {
  return new Promise((resolve) => {
    const fail = (error: unknown) => {
      run.complain(`rsync: [Receiver] Failed to exec hook: ${errnoText(error)}`);
      resolve({ status: NOT_STARTED, output: '' });
    };
    let child: ChildProcess;
    try {
      child = start(run);
    } catch (error) {
      fail(error);
      return;
    }
    const output = collect(child.stdout, MAX_OUTPUT);
    const told = collect(child.stdio[STATUS_FD] as Readable | undefined, MAX_STATUS);
    // A command need not read what it is given.
    child.stdin?.on('error', () => {});
    child.stdin?.end(run.input);
    child.on('error', fail);
    child.on('close', (code, signal) => {
      const status = told().length > 0 ? rawStatus(Number.parseInt(told(), 10), null) : rawStatus(code, signal);
      resolve({ status, output: output().replaceAll('\r\n', '\n') });
    });
  });
}

/** Gathers what comes, up to a number of bytes: whoever writes more finds that nobody reads. */
function collect(stream: Readable | null | undefined, most: number): () => ByteString {
  let held = Buffer.alloc(0);
  stream?.on('error', () => {});
  stream?.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]).subarray(0, most);
    if (held.length === most) stream.destroy();
  });
  return () => held.toString('latin1');
}

/** Starts a command whose standard input and output are pipes to this process. Throws when there is no shell for it. */
export function startCoprocess(command: ByteString, env: HookEnv, output: HookRun['output']): ChildProcess {
  return spawnScript(command, env, BETWEEN, ['pipe', 'pipe', output]);
}

function start(run: HookRun): ChildProcess {
  const { command, input, output } = run;
  const reads = input.length > 0;
  const script = run.keeps ? WRITING : reads ? READING : PLAIN;
  const stdio: StdioOptions = [reads ? 'pipe' : 'ignore', run.keeps ? 'pipe' : output, output];
  if (run.keeps) stdio[STATUS_FD] = 'pipe';
  return spawnScript(command, run.env, script, stdio);
}

/** Runs a command by a script that stands around it. */
function spawnScript(command: ByteString, bytes: HookEnv, script: string, stdio: StdioOptions): ChildProcess {
  const shell = bytes.RSYNC_SHELL || '/bin/sh';
  const env: Record<string, string> = {};
  const escaped: string[] = [];
  for (const [name, value] of Object.entries(bytes)) {
    const text = asText(value);
    env[name] = text ?? printfEscapes(value);
    if (text === null) escaped.push(name);
  }
  const line = asText(command);
  if (line !== null && escaped.length === 0 && script === PLAIN) return spawn(shell, ['-c', line], { stdio, env });
  const args = ['-c', UNESCAPE + script, '/bin/sh', shell, printfEscapes(command), ...escaped];
  return spawn('/bin/sh', args, { stdio, env });
}

/** Node gives UTF-8 to a child. What is none comes in escapes, and this puts the bytes in before the hook's own shell. */
const UNESCAPE = `_tsrsync_shell=$1 _tsrsync_line=$(printf '%b.' "$2")
_tsrsync_line=\${_tsrsync_line%.}
shift 2
for _tsrsync_name; do
  eval "_tsrsync_value=\\$$_tsrsync_name"
  _tsrsync_value=$(printf '%b.' "$_tsrsync_value")
  export "$_tsrsync_name=\${_tsrsync_value%.}"
done
`;
/** Node's pipes are sockets, and a hook could not open its /dev/stdin or /dev/stdout: it gets pipes of a shell. */
const PLAIN = 'exec "$_tsrsync_shell" -c "$_tsrsync_line"';
const READING = 'cat | "$_tsrsync_shell" -c "$_tsrsync_line"';
/** The script does not keep standard output itself: its end is the command's, though what feeds the command may wait for more. */
const BETWEEN = `exec 4<&0
cat <&4 4<&- | "$_tsrsync_shell" -c "$_tsrsync_line" 4<&- | cat 4<&- &
exec >&- 4<&-
wait`;
const WRITING = '{ "$_tsrsync_shell" -c "$_tsrsync_line" 3>&-; echo $? >&3; } | cat 3>&-';

/** The text whose UTF-8 these bytes are; null when they are none. */
function asText(value: ByteString): string | null {
  const bytes = Buffer.from(value, 'latin1');
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? text : null;
}

/** Bytes as printf's %b reads them. */
function printfEscapes(value: ByteString): string {
  return value.replace(/[^ -[\]-~]/g, (char) => `\\0${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
