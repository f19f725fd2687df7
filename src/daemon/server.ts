import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { type DaemonOptions, parseDaemonArgs } from '../cli/option-daemon.js';
import { exitLine } from '../report/exit.js';
import { confText, type DaemonConfigObject } from './config/conf-text.js';
import { checkDparams, type DaemonConfig, loadConfig, parseConfig } from './config/config.js';
import { detach, isDetachedCopy, reportStart } from './detach.js';
import { checkSocketOptions } from './listen.js';
import { serveStdio, stdinIsSocket } from './stdio/stdio.js';
import { Daemon } from './workers/parent.js';

export type { DaemonConfigObject } from './config/conf-text.js';

const SYSTEM_CONFIG = '/etc/rsyncd.conf';
/** Of a user whose remote shell starts a daemon, relative to the home directory. */
const USER_CONFIG = 'rsyncd.conf';

/** The script that workers run: beside the bundle, or beside this module. */
function workerEntry(): string {
  for (const name of ['./workers/main.js', './worker.js']) {
    const path = fileURLToPath(new URL(name, import.meta.url));
    // In the bundles workers/main does not exist; unbundled, worker.js is a module that runs nothing by itself.
    if (existsSync(path)) return path;
  }
  throw new RsyncError(Exit.IPC, 'the program for worker processes is missing');
}

function configPath(d: DaemonOptions): ByteString {
  if (d.config !== '') return d.config;
  return d.server && process.getuid?.() !== 0 ? USER_CONFIG : SYSTEM_CONFIG;
}

function settingsOf(d: DaemonOptions, load: () => DaemonConfig) {
  return {
    load,
    address: d.address,
    port: d.port === 0 ? null : d.port,
    family: d.ipFamily,
    logFile: d.logFile,
    logFormat: d.logFileFormat,
    bwlimit: d.bwlimit,
    workerEntry: workerEntry(),
    idleMs: 0,
  };
}

function toStderr(text: ByteString): void {
  process.stderr.write(Buffer.from(text.endsWith('\n') ? text : `${text}\n`, 'latin1'));
}

/**
 * `--daemon`: serves until it is told to end. `argv` is the whole command line, for the copy in the background.
 * Returns the exit code.
 */
export async function runDaemon(d: DaemonOptions, argv: readonly ByteString[]): Promise<number> {
  const inBackground = isDetachedCopy();
  const show = (text: ByteString) => {
    if (inBackground) void reportStart({ kind: 'line', text });
    else toStderr(text);
  };
  const fail = async (error: unknown): Promise<number> => {
    if (!(error instanceof RsyncError)) throw error;
    show(error.message);
    show(exitLine(error.exitCode, 'Receiver').trimEnd());
    if (inBackground) await reportStart({ kind: 'failed', code: error.exitCode });
    return error.exitCode;
  };
  const path = configPath(d);
  const load = () => loadConfig(path, d.dparams, process.env);
  let daemon: Daemon;
  try {
    checkDparams(d.dparams);
  } catch (error) {
    return fail(error);
  }
  try {
    if (d.server || stdinIsSocket()) {
      return await serveStdio(
        load(),
        { logFile: d.logFile, logFormat: d.logFileFormat, bwlimit: d.bwlimit },
        !d.server,
        workerEntry(),
      );
    }
    if (!d.noDetach && !inBackground) {
      // What is wrong with the file is known before anything is started.
      load();
      return await detach(argv);
    }
    daemon = new Daemon(settingsOf(d, load));
    for (const text of daemon.notices) show(text);
    checkSocketOptions(d.sockopts || daemon.socketOptions, show);
    if (inBackground && !daemon.keepsLog)
      show('no "log file" is set, and there is no system log: what the daemon has to say is lost');
    await daemon.start();
  } catch (error) {
    if (error instanceof RsyncError && error.exitCode === Exit.SYNTAX) show(`Failed to parse config file: ${path}`);
    return fail(error);
  }
  if (inBackground) await reportStart({ kind: 'started' });
  return untilSignal(daemon);
}

/** `--server --daemon`: the arguments are those of a daemon, the connection is on standard input and output (1.7). */
export async function runDaemonOnStdio(argv: readonly ByteString[]): Promise<number> {
  return runDaemon({ ...parseDaemonArgs(argv).daemon, server: true }, argv);
}

/**
 * SIGHUP reads the configuration again. SIGTERM and SIGINT end the daemon; as with rsync, transfers that are under way
 * go on to their end unless their own processes get a signal. Where hooks have to be waited for, a second one does not.
 */
function untilSignal(daemon: Daemon): Promise<number> {
  return new Promise((resolve) => {
    let ending = false;
    const end = (code: number) => {
      if (ending) resolve(code);
      if (ending) return;
      ending = true;
      daemon.close(true).then(
        () => resolve(code),
        () => resolve(Exit.CRASHED),
      );
    };
    process.on('SIGHUP', () => daemon.hup());
    process.on('SIGTERM', () => end(Exit.OK));
    process.on('SIGINT', () => end(Exit.SIGNAL));
  });
}

/** A daemon inside this process's program. */
export interface RunningDaemon {
  /** The port it listens on. */
  port: number;
  /** What the author of the configuration should know: unknown parameters and the like, in plain sentences. */
  notices: readonly string[];
  /** Process ids of the workers, at this moment. */
  workerPids(): number[];
  /** Reads the configuration again, as SIGHUP does. */
  reload(): void;
  /** Ends all connections and stops. */
  close(): Promise<void>;
}

/** How a daemon is to be started. */
export interface ServeOptions {
  /** '' or undefined: what the configuration says, or all addresses. */
  address?: string;
  /** 0 takes a free one; undefined: what the configuration says, or 873. */
  port?: number;
  family?: 0 | 4 | 6;
  /** Log file of the daemon and of all modules. */
  logFile?: string;
  /** KiB per second for each connection. */
  bwlimit?: number;
  /** Milliseconds after which a worker without connections ends. */
  idleMs?: number;
}

/**
 * Starts a daemon: `config` is the path of an rsyncd.conf, or the same as an object. Resolves when it listens.
 * Errors: RsyncError, with the exit code that the command would have.
 */
export async function startDaemon(
  config: string | DaemonConfigObject,
  options: ServeOptions = {},
): Promise<RunningDaemon> {
  const load = () =>
    typeof config === 'string'
      ? loadConfig(Buffer.from(config).toString('latin1'), [], process.env)
      : parseConfig(confText(config), 'configuration', [], process.env);
  const daemon = new Daemon({
    load,
    address: options.address ?? '',
    port: options.port ?? null,
    family: options.family ?? 0,
    logFile: Buffer.from(options.logFile ?? '').toString('latin1'),
    logFormat: '',
    bwlimit: options.bwlimit ?? 0,
    workerEntry: workerEntry(),
    idleMs: options.idleMs ?? 0,
  });
  const port = await daemon.start();
  return {
    port,
    notices: daemon.notices.map((text) => Buffer.from(text, 'latin1').toString()),
    workerPids: () => daemon.workerPids,
    reload: () => daemon.hup(),
    close: () => daemon.close(),
  };
}
