/**
 * The command line: what rsync 3.5.0's option table makes of it. No yargs here: its parser would see words that the
 * walk over popt's rules has already split, checked and applied in order, and only cost time at every start.
 */
import { readFileSync } from 'node:fs';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { TargetError } from '../client/target.js';
import { daemonHelpText, helpText } from './help.js';
import { HelpRequest } from './option-actions.js';
import { DaemonHelp, type DaemonOptions, parseDaemonArgs } from './option-daemon.js';
import { type Environment, type ImplyContext, implyAll, implyTransfer, NeedUsage } from './option-imply.js';
import { compileRefusals } from './option-refuse.js';
import { type CommandOptions, toOptions } from './option-result.js';
import { ScanError, scanOptions, walk } from './option-scan.js';
import { Settings } from './option-settings.js';
import { CLIENT_INDEX, OPTION_INDEX, OPTION_ROWS, type Row } from './option-table.js';
import { usageError } from './option-values.js';
import { versionText } from './version.js';

export { daemonHelpText, helpText } from './help.js';
export type { DaemonOptions } from './option-daemon.js';
export { compileRefusals } from './option-refuse.js';
export type { CommandOptions } from './option-result.js';
export { versionText } from './version.js';

export interface ParsedCommand {
  kind: 'transfer' | 'help' | 'version' | 'daemon';
  options: CommandOptions;
  /** Settings of a daemon; only with kind 'daemon'. */
  daemon?: DaemonOptions;
  /** Number of -V; 2 asks for JSON. */
  versionLevel?: number;
  /** What to print on standard output; with kinds 'help' and 'version'. */
  text?: string;
}

/** An error in a server's arguments. `options` are those read so far: a daemon needs them to report the error. */
export class ServerOptionError extends RsyncError {
  constructor(
    error: RsyncError,
    readonly options: CommandOptions,
  ) {
    super(error.exitCode, error.message);
    this.name = 'ServerOptionError';
  }
}

/** What an rsync for Linux is built without: refused by name, on either side. */
const NOT_BUILT: ReadonlySet<Row> = new Set(OPTION_ROWS.filter((row) => row.long === 'crtimes'));

function contextFor(
  env: Environment,
  isDaemon: boolean,
  server: () => boolean,
  refused: ReadonlySet<Row>,
): ImplyContext {
  const isRefused = (name: string) => refused.has(OPTION_INDEX.get(name) as Row);
  return {
    env,
    isDaemon,
    isRefused,
    checkRefused: (name) => {
      if (isRefused(name)) throw refusal(OPTION_INDEX.get(name) as Row, isDaemon, server());
    },
  };
}

function refusal(row: Row, isDaemon: boolean, server: boolean): RsyncError {
  const who = isDaemon
    ? 'The server is configured to refuse'
    : server
      ? 'The server does not support'
      : 'This rsync does not support';
  const letter = row.short === '' ? '' : `-${row.short}`;
  return usageError(`${who} ${row.long === '' ? letter : `--${row.long}${letter && ` (${letter})`}`}`);
}

const ARCHIVE_PARTS = ['-r', '-d', '-l', '-p', '-t', '-g', '-o', '-D'];

/** Refuses an option, or what it stands for, before it takes effect. */
function checkRow(row: Row, c: ImplyContext): void {
  if (row.short !== '') c.checkRefused(`-${row.short}`);
  else c.checkRefused(`--${row.long}`);
  if (row.action === 'archive') for (const part of ARCHIVE_PARTS) c.checkRefused(part);
  if (row.action === 'partialProgress') {
    c.checkRefused('--partial');
    c.checkRefused('--progress');
  }
}

function complaint(e: ScanError, s: Settings): RsyncError {
  return usageError(s.server ? `on remote machine: ${e.text}` : e.text);
}

/** argv without node and script; env: the process's environment. Throws RsyncError with rsync's message. */
export function parseCommand(argv: ByteString[], env: Environment): ParsedCommand {
  if (argv.length === 0) throw new RsyncError(Exit.SYNTAX, helpText());
  const s = new Settings();
  s.words = argv;
  s.iconv = env.RSYNC_ICONV || null;
  const c = contextFor(env, false, () => s.server > 0, NOT_BUILT);
  const isDaemon = () => s.daemon > 0;
  try {
    scanOptions(argv, CLIENT_INDEX, s, (row) => {
      if (row.long === 'sender' && !s.server) throw new NeedUsage();
      if (row.action === 'daemon') s.daemon = 1;
      if (row.long === 'help') s.help = 1;
      if (s.help || s.daemon) return true;
      checkRow(row, c);
      return false;
    });
    if (isDaemon()) return daemonCommand(argv, s);
    if (s.help || (s.humanReadable > 1 && argv.length === 1 && !s.server)) return help(s, helpText());
    if (s.version)
      return { kind: 'version', options: toOptions(s), versionLevel: s.version, text: versionText(s.version) };
    implyAll(s, c);
    if (!(s.secludedArgs && s.server)) implyTransfer(s, c);
    if (s.args.length === 0 && !s.server) throw new TargetError(helpText(), 'Receiver');
  } catch (e) {
    if (e instanceof ScanError) throw complaint(e, s);
    if (e instanceof HelpRequest) return help(s, e.text);
    if (e instanceof NeedUsage) throw new RsyncError(Exit.SYNTAX, helpText());
    throw e;
  }
  return { kind: 'transfer', options: toOptions(s) };
}

/**
 * Takes a client's command line apart: its options, one word each and without --watch, and the arguments. It must be one
 * that `parseCommand` takes.
 */
export function splitWords(argv: readonly ByteString[]): { options: ByteString[]; args: ByteString[] } {
  const options: ByteString[] = [];
  const args: ByteString[] = [];
  walk(
    argv,
    CLIENT_INDEX,
    args,
    () => false,
    ({ long, short, arg }, value) => {
      if (long === 'watch') return;
      if (long === '') options.push(`-${short}${value}`);
      else options.push(arg === 'none' ? `--${long}` : `--${long}=${value}`);
    },
  );
  return { options, args };
}

function help(s: Settings, text: string): ParsedCommand {
  return { kind: 'help', options: toOptions(s), text };
}

function daemonCommand(argv: ByteString[], s: Settings): ParsedCommand {
  try {
    const { daemon, args } = parseDaemonArgs(argv);
    const options = { ...toOptions(s), daemon: true, server: daemon.server, args };
    return { kind: 'daemon', options, daemon };
  } catch (e) {
    if (e instanceof DaemonHelp) return help(s, daemonHelpText());
    throw e;
  }
}

export interface ServerArgsContext {
  isDaemon: boolean;
  /** Words of a daemon's "refuse options". */
  refuse?: readonly string[];
  /** The module has a charset: --iconv is then not refused. */
  charset?: boolean;
  env?: Environment;
  /** The arguments include the second list of -s (1.5). Without it, -s ends the work after the options' syntax. */
  secludedDone?: boolean;
}

/**
 * A server's side: the peer's arguments (first is usually --server), read with the same table. With -s the caller
 * parses the first list, reads the second from the connection, and parses both together with `secludedDone`.
 * Throws ServerOptionError.
 */
export function parseServerArgs(argv: readonly ByteString[], o: ServerArgsContext): CommandOptions {
  const s = new Settings();
  const env = o.env ?? {};
  s.server = o.isDaemon ? 1 : 0;
  const refused = o.isDaemon ? compileRefusals(o.refuse ?? [], o.charset).refused : NOT_BUILT;
  const c = contextFor(env, o.isDaemon, () => true, refused);
  try {
    scanOptions(argv, OPTION_INDEX, s, (row) => {
      if (row.action === 'daemon') throw usageError('Attempt to hack rsync thwarted!');
      checkRow(row, c);
      return false;
    });
    s.server = 1;
    implyAll(s, c);
    if (s.iconv === null) c.checkRefused('--no-iconv');
    if (!s.secludedArgs || o.secludedDone) implyTransfer(s, c);
  } catch (e) {
    throw serverError(e, s, argv, env);
  }
  return toOptions(s);
}

function serverError(e: unknown, s: Settings, argv: readonly ByteString[], env: Environment): unknown {
  s.server = 1;
  let error = e;
  if (e instanceof ScanError) error = complaint(e, s);
  else if (e instanceof HelpRequest || e instanceof NeedUsage) error = new RsyncError(Exit.SYNTAX, helpText());
  if (!(error instanceof RsyncError)) return error;
  return new ServerOptionError(error, toOptions(understood(argv, env)));
}

/**
 * All that can be made of a refused client's arguments: it takes for agreed what it has said, and would not find the error in a
 * stream that is set up otherwise (1.6).
 */
function understood(argv: readonly ByteString[], env: Environment): Settings {
  const s = new Settings();
  argv.forEach((word, i) => {
    const alone = word === '--files-from' && i + 1 < argv.length;
    try {
      scanOptions(alone ? [word, argv[i + 1]] : [word], OPTION_INDEX, s, (row) => row.action === 'daemon');
    } catch (e) {
      if (!(e instanceof ScanError || e instanceof RsyncError || e instanceof HelpRequest)) throw e;
    }
  });
  s.server = 1;
  try {
    implyAll(
      s,
      contextFor(env, true, () => true, new Set()),
    );
  } catch (e) {
    if (!(e instanceof RsyncError)) throw e;
  }
  return s;
}

/** What concerns a process as a whole: only a program of our own can do it. */
const UNSUPPORTED: ReadonlyArray<readonly [(o: Options & Partial<CommandOptions>) => boolean, string]> = [
  [(o) => o.copyAs !== null, '--copy-as is not supported on this client'],
  [(o) => (o.confineRoot ?? '') !== '', '--confine-root is not supported on this client'],
];

/** Why a client inside another program, or one that mirrors, cannot do what its options ask for (exit code 4), or null. */
export function unsupportedOption(o: Options): string | null {
  for (const [asked, text] of UNSUPPORTED) if (asked(o)) return text;
  return null;
}

/**
 * The arguments as bytes, without node and script. Node decodes process.argv as UTF-8 and loses what is not; then the
 * kernel's copy is read.
 */
export function argvBytes(): ByteString[] {
  const decoded = process.argv.slice(2);
  if (!decoded.some((arg) => arg.includes('\ufffd'))) return decoded.map((arg) => Buffer.from(arg).toString('latin1'));
  const raw = readFileSync('/proc/self/cmdline', 'latin1').split('\0');
  raw.pop();
  return decoded.length === 0 ? [] : raw.slice(-decoded.length);
}
