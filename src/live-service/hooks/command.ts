import { type ChildProcess, spawn } from 'node:child_process';
import type { ByteString } from '../../../protocol/options.js';
import { nameText } from '../names.js';
import type { Deliver, Delivery } from './delivery.js';

/** Bytes of a command's standard error that an error message shows. */
const SHOWN_ERROR = 300;

/**
 * Runs a shell command once for a batch, the paths on its standard input, or, when it has a `{}`, once for each path
 * in the place of that.
 */
export function commandHook(command: ByteString, separator: string): Deliver {
  if (!command.includes('{}')) {
    return (delivery, signal) => {
      const paths = [...delivery.paths, ...delivery.deleted];
      return run(command, paths.map((path) => path + separator).join(''), delivery, signal);
    };
  }
  // The name comes through standard input, because Node could not pass bytes that are not UTF-8 as an argument.
  const script = `p=$(cat; echo x); p=\${p%x}; exec </dev/null; ${command.replaceAll('{}', '"$p"')}`;
  return async (delivery, signal) => {
    for (const path of [...delivery.paths, ...delivery.deleted]) await run(script, path, delivery, signal);
  };
}

function environment(delivery: Delivery): NodeJS.ProcessEnv {
  const { RSYNC_PASSWORD: _, NOTIFY_SOCKET: __, ...env } = process.env;
  return {
    ...env,
    TSRSYNC_SYNC: delivery.mirror,
    TSRSYNC_TARGET: delivery.target,
    TSRSYNC_FULL: delivery.full ? '1' : '0',
    TSRSYNC_EXIT_CODE: String(delivery.exitCode),
    TSRSYNC_SENT_BYTES: String(delivery.sentBytes),
  };
}

function run(script: ByteString, input: ByteString, delivery: Delivery, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const child = spawn('/bin/sh', ['-c', nameText(script)], {
    env: environment(delivery),
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
  });
  const end = () => killGroup(child);
  signal.addEventListener('abort', end, { once: true });
  let shown = '';
  child.stderr.on('data', (chunk: Buffer) => {
    shown = (shown + chunk.toString('latin1')).slice(-SHOWN_ERROR);
  });
  // A command that does not read its input is none that failed.
  child.stdin.on('error', () => {});
  child.stdin.end(Buffer.from(input, 'latin1'));
  return new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killed) => {
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(signal.reason);
      else if (code === 0) resolve();
      else reject(new Error(`${code === null ? `ended by ${killed}` : `exit code ${code}`} ${shown.trim()}`.trim()));
    });
  });
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}
