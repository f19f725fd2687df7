import { type ChildProcess, spawn } from 'node:child_process';
import { type CompareOptions, diffDirs } from './compare.js';
import { TSRSYNC } from './project.js';
import { cleanEnv } from './run.js';
import type { Teardown } from './temp.js';
import { waitFor } from './wait.js';

/** A `tsrsync --watch` that runs. */
export interface RunningMirror {
  child: ChildProcess;
  /** What it has printed so far on both channels. */
  output(): string;
  /** Waits until it has printed `text`. */
  says(text: string | RegExp, ms?: number): Promise<void>;
  /** Sends SIGINT and waits for the end; returns the exit code. */
  stop(): Promise<number | null>;
}

const PATIENCE_MS = 30_000;

/** Starts `tsrsync --watch` with more arguments; the test's end kills it. */
export function startMirror(
  t: Teardown,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): RunningMirror {
  const child = spawn(TSRSYNC.command, [...TSRSYNC.prefix, '--watch', ...args], {
    env: cleanEnv(options.env),
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const output = () => Buffer.concat(chunks).toString('latin1');
  return {
    child,
    output,
    says: async (text, ms = PATIENCE_MS) => {
      const found = () => (typeof text === 'string' ? output().includes(text) : text.test(output()));
      await waitFor(() => found() || child.exitCode !== null, ms, `${text} in the output:\n${output()}`);
      if (!found()) throw new Error(`the mirror ended with ${child.exitCode} before it said ${text}:\n${output()}`);
    },
    stop: async () => {
      child.kill('SIGINT');
      return ended;
    },
  };
}

/** The same, and waits until the first comparison is done. */
export async function startInStep(
  t: Teardown,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<RunningMirror> {
  const mirror = startMirror(t, args, options);
  await mirror.says('in step with');
  return mirror;
}

/** Waits until both trees are equal; throws with what differs. */
export async function becomesEqual(
  source: string,
  copy: string,
  options: CompareOptions = {},
  ms = PATIENCE_MS,
): Promise<void> {
  let differences: string[] = [];
  const look = () => {
    try {
      differences = diffDirs(source, copy, options);
    } catch (error) {
      // Something went away while the trees were read.
      differences = [String(error)];
    }
    return differences.length === 0;
  };
  await waitFor(look, ms, 'both trees to be equal').catch((error) => {
    throw new Error(`${error.message}; they differ in: ${differences.slice(0, 8).join('; ')}`);
  });
}
