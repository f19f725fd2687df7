import { type ChildProcess, spawn } from 'node:child_process';
import { Exit } from '../../protocol/constants.js';
import type { ByteString } from '../../protocol/options.js';

/** Set in the environment of the copy that goes to the background. */
const MARK = 'TSRSYNC_DETACHED';

/** What the copy tells the process that the user started. */
type Report = { kind: 'line'; text: ByteString } | { kind: 'started' } | { kind: 'failed'; code: number };

/** True in the copy. The mark is taken out of the environment, so that nothing else inherits it. */
export function isDetachedCopy(): boolean {
  const marked = process.env[MARK] !== undefined && process.send !== undefined;
  delete process.env[MARK];
  return marked;
}

/** In the copy: sends one line for the user's terminal, or how the start ended; after that nobody listens any more. */
export function reportStart(report: Report): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) resolve();
    else
      process.send?.(report, () => {
        if (report.kind !== 'line' && process.connected) process.disconnect();
        resolve();
      });
  });
}

/**
 * Starts the same command line again without a terminal, in a session of its own, and waits until it listens or has
 * failed: its first lines are shown here. Returns the exit code for this process.
 */
export function detach(argv: readonly ByteString[]): Promise<number> {
  const words = argv.map((arg) => Buffer.from(arg, 'latin1').toString());
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1], ...words], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, [MARK]: '1' },
  });
  return new Promise((resolve) => watch(child, resolve));
}

function watch(child: ChildProcess, resolve: (code: number) => void): void {
  let started = false;
  child.on('message', (report: Report) => {
    if (report.kind === 'line') process.stderr.write(Buffer.from(`${report.text}\n`, 'latin1'));
    else if (report.kind === 'started') started = true;
    else resolve(report.code);
    if (!started) return;
    child.unref();
    if (child.connected) child.disconnect();
    resolve(Exit.OK);
  });
  child.on('error', () => resolve(Exit.IPC));
  child.on('exit', (code) => {
    if (!started) resolve(code || Exit.IPC);
  });
}
