import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Program } from './project.js';

export interface RunOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** What the program reads; without it standard input is empty. */
  input?: string | Buffer;
  /** Milliseconds until the whole process group is killed. */
  timeout?: number;
  /** Called with the child as soon as it runs, for tests that kill it. */
  started?: (child: ChildProcess) => void;
}

export interface RunResult {
  /** Exit code; null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Bytes as latin1 strings. */
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

const DEFAULT_TIMEOUT = 60_000;

/**
 * The environment for a program under test: without the hooks that the test runner gives its children (they would be
 * loaded by every Node started from here) and without a user's own rsync settings. Certificates that a machine adds to
 * Node's own go too: reading them takes a start longer than everything else in it.
 */
export function cleanEnv(extra: Record<string, string | undefined> = {}): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || /^(_?TAP|_TAPJS|RSYNC_|NODE_(OPTIONS|V8_COVERAGE|EXTRA_CA_CERTS))/.test(name)) continue;
    env[name] = value;
  }
  env.LC_ALL = 'C.UTF-8';
  env.TZ = 'UTC';
  for (const [name, value] of Object.entries(extra)) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}

/** Runs a program to its end. Arguments are byte strings (latin1), so names that are not UTF-8 can be given. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const launcher = launcherFor(command, args);
  const child = spawn(launcher.command, launcher.args, {
    env: cleanEnv(options.env),
    cwd: options.cwd,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  options.started?.(child);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child, 'SIGKILL');
  }, options.timeout ?? DEFAULT_TIMEOUT);
  return new Promise((resolve, reject) => {
    child.on('error', (error) => {
      clearTimeout(timer);
      launcher.remove();
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      launcher.remove();
      const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString('latin1');
      resolve({ code, signal, stdout: text(stdout), stderr: text(stderr), timedOut });
    });
  });
}

/** Runs one of the two programs of a conversation. */
export function runProgram(program: Program, args: readonly string[], options?: RunOptions): Promise<RunResult> {
  return run(program.command, [...program.prefix, ...args], options);
}

/** Sends a signal to a child and to everything that it started. Nothing happens when it is gone. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}

interface Launcher {
  command: string;
  args: string[];
  remove(): void;
}

/** Node encodes arguments as UTF-8; other bytes go through a small shell script that holds them quoted. */
function launcherFor(command: string, args: readonly string[]): Launcher {
  if (args.every((arg) => /^[\x00-\x7f]*$/.test(arg))) return { command, args: [...args], remove: () => {} };
  const dir = mkdtempSync(join(tmpdir(), 'tsrsync-args-'));
  const script = join(dir, 'run');
  const words = [command, ...args].map(shellQuote).join(' ');
  writeFileSync(script, Buffer.from(`exec ${words}\n`, 'latin1'));
  return { command: '/bin/sh', args: [script], remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** One shell word that stands for exactly these bytes. */
export function shellQuote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
