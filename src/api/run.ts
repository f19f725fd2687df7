import { EXIT_TEXT, RsyncError } from '../../protocol/errors.js';
import { type CommandOptions, parseCommand, unsupportedOption } from '../cli/options.js';
import { runClient } from '../client/client.js';
import type { RunHooks } from '../client/run-plan.js';
import { emptyStats } from '../session/run-stats.js';
import type { Session } from '../session/session.js';
import { withSignal } from './abort.js';
import { Callbacks } from './callbacks.js';
import { CallerLog } from './caller-log.js';
import type { ItemStream } from './item-stream.js';
import { changedItem, deletedItem } from './items.js';
import { ProgressTimer } from './progress.js';
import { toBytes } from './text.js';
import type { RunItem, RunOptions, RunResult } from './types.js';

const PARTIAL_CODES = new Set([0, 23, 24, 25]);

/** The options of a run over `args`, sources and destination. Throws RsyncError for what no transfer can be made of. */
export function parseRun(args: readonly string[], run: RunOptions): CommandOptions {
  const argv = [...(run.options ?? []), '--', ...args].map(toBytes);
  const command = parseCommand(argv, process.env);
  if (command.kind !== 'transfer') throw new RsyncError(1, 'these options run no transfer');
  if (command.options.watch) throw new RsyncError(1, '--watch is a function of its own here: watch()');
  const missing = unsupportedOption(command.options);
  if (missing !== null) throw new RsyncError(4, missing);
  if (run.password !== undefined) command.options.password = toBytes(run.password);
  return command.options;
}

/** Who is told of a run, and the signal that this is not wanted any more. */
export interface Consumer extends Pick<RunHooks, 'listener' | 'onSession'> {
  signal?: AbortSignal;
}

/** Brings what a transfer does to its files to a stream. */
export function itemConsumer(stream: ItemStream<RunItem>): Consumer {
  return {
    signal: stream.signal,
    listener: {
      listed: () => {},
      changed: ({ connection }, item, context) => stream.push(changedItem(item, context), connection),
      deleted: ({ connection }, path, mode) => stream.push(deletedItem(path, mode), connection),
    },
  };
}

/** The other side is to tell of everything that -i would show. */
export function itemize(o: CommandOptions): void {
  o.itemize ||= 1;
  if (o.outFormat === null || !/%[-'\d]*i/.test(o.outFormat)) o.outFormat = `%i ${o.outFormat ?? ''}`;
}

/** Runs a transfer in this process. Rejects with RsyncError, whose `exitCode` is rsync's, or with what the caller's functions throw. */
export async function runTransfer(o: CommandOptions, run: RunOptions, consumer: Consumer = {}): Promise<RunResult> {
  const callbacks = new Callbacks(run);
  const log = new CallerLog(callbacks);
  const progress = callbacks.onProgress && new ProgressTimer(callbacks.onProgress);
  const signals = [run.signal, callbacks.signal, consumer.signal].filter((signal) => signal !== undefined);
  // A listing of modules has no session, and has counted nothing.
  let session: Session | null = null;
  try {
    const exitCode = await withSignal(AbortSignal.any(signals), (connected) =>
      runClient(o, log, {
        onConnection: connected,
        onSession(begun) {
          session = begun;
          connected(begun.connection);
          progress?.begin(begun);
          consumer.onSession?.(begun);
        },
        listener: consumer.listener,
      }),
    );
    if (!PARTIAL_CODES.has(exitCode)) throw new RsyncError(exitCode, '');
    const { stats } = session ?? { stats: emptyStats() };
    progress?.end();
    if (callbacks.signal.aborted) throw callbacks.signal.reason;
    return { exitCode, stats, errors: log.errors };
  } catch (error) {
    progress?.stop();
    if (callbacks.signal.aborted) throw callbacks.signal.reason;
    throw error instanceof RsyncError ? withMessages(error, log.errors) : error;
  }
}

/** The error of a run that failed, with all that was said about it; its own message would be the last line. */
function withMessages(error: RsyncError, said: readonly string[]): RsyncError {
  const { message } = error;
  error.messages = message === '' || said.includes(message) ? said : [...said, message];
  if (message === '') error.message = said.join('\n') || (EXIT_TEXT[error.exitCode] ?? '');
  return error;
}
