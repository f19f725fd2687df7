import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { type CommandOptions, parseCommand, unsupportedOption } from '../cli/options.js';
import { runClient } from '../client/client.js';
import type { RunHooks } from '../client/run-plan.js';
import type { FileLog } from '../report/file-log.js';
import type { ClientLog } from '../report/log.js';
import type { RunStats } from '../report/stats.js';
import { emptyStats } from '../session/run-stats.js';
import { withSignal } from './abort.js';

/** How a transfer is to be run. */
export interface RunOptions {
  /** rsync's options as they would be typed, one word each: `['-az', '--delete', '--exclude=*.tmp']`. */
  options?: readonly string[];
  /** Password for a daemon. Without it RSYNC_PASSWORD or --password-file is used. */
  password?: string;
  /**
   * Ends the run, which rejects with an RsyncError of exit code 20 whose `cause` is the signal's reason. What is unfinished
   * stays only where --partial says so.
   */
  signal?: AbortSignal;
  /** Lines that the command would print on standard output, without their ends. */
  onOutput?(line: string): void;
  /** Lines that the command would print on standard error. */
  onError?(line: string): void;
}

/** What a run came to. */
export interface RunResult {
  /** 0; 23, 24 or 25 when only a part of the files could be transferred. Any other code is thrown as RsyncError. */
  exitCode: number;
  /** What was counted, as --stats prints it. */
  stats: RunStats;
  /** What went wrong with single files. */
  errors: string[];
}

const PARTIAL_CODES = new Set([0, 23, 24, 25]);

/** Text of a program as bytes: names are UTF-8 there. */
export function toBytes(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The other way; what is not UTF-8 becomes U+FFFD. */
export function toText(bytes: ByteString): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Hands the lines of a run to its caller. */
class CallerLog implements ClientLog {
  hadXferError = false;
  readonly file: FileLog | null = null;
  readonly errors: string[] = [];

  constructor(private readonly run: RunOptions) {}

  info(text: ByteString): void {
    if (this.run.onOutput !== undefined) for (const line of linesOf(text)) this.run.onOutput(line);
  }

  client(text: ByteString): void {
    this.info(text);
  }

  progress(text: ByteString): void {
    this.info(text);
  }

  finishLine(text: ByteString): void {
    this.info(text);
  }

  warning(text: ByteString): void {
    this.error(text);
  }

  error(text: ByteString): void {
    for (const line of linesOf(text)) {
      this.errors.push(line);
      this.run.onError?.(line);
    }
  }

  xferError(text: ByteString): void {
    this.hadXferError = true;
    this.error(text);
  }
}

function linesOf(text: ByteString): string[] {
  return toText(text)
    .split(/[\r\n]/)
    .filter((line) => line !== '');
}

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

/** Runs a transfer in this process. Rejects with RsyncError, whose `exitCode` is rsync's. */
export async function runTransfer(o: CommandOptions, run: RunOptions, hooks: RunHooks = {}): Promise<RunResult> {
  const log = new CallerLog(run);
  // A listing of modules has no session, and has counted nothing.
  let stats = emptyStats();
  const exitCode = await withSignal(run.signal, (connected) =>
    runClient(o, log, {
      ...hooks,
      onConnection: connected,
      onSession(session) {
        connected(session.connection);
        stats = session.stats;
        hooks.onSession?.(session);
      },
    }),
  );
  if (!PARTIAL_CODES.has(exitCode)) throw new RsyncError(exitCode, log.errors.join('\n'));
  return { exitCode, stats, errors: log.errors };
}
