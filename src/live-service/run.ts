import type { ByteString } from '../../protocol/options.js';
import { detach, isDetachedCopy, reportStart } from '../daemon/detach.js';
import { createPidFile, type PidFile } from '../daemon/pid-file.js';
import { notifyService } from '../libc/service.js';
import { createMirror } from '../live/mirror.js';
import { errnoText } from '../report/errno.js';
import { checkConfig } from './config/check.js';
import { ConfigError } from './config/lines.js';
import { printConfig } from './config/print.js';
import type { ServiceConfig } from './config/types.js';
import { loadConfig } from './load.js';
import { runOnce } from './once.js';
import { LiveService } from './service.js';
import { ServiceLog } from './service-log.js';

export interface RunArguments {
  config: ByteString;
  check: boolean;
  once: boolean;
  detach: boolean;
  /** The command line, for the copy that goes to the background. */
  argv: readonly ByteString[];
}

/** Exit codes are rsync's: 1 for what is wrong with the configuration, 11 for files that cannot be had. */
const SYNTAX = 1;
const FILES = 11;

function complain(text: string): void {
  process.stderr.write(Buffer.from(`${text}\n`, 'latin1'));
}

/** Runs the service, or one of its checks; returns the exit code. */
export async function run(args: RunArguments): Promise<number> {
  const isCopy = isDetachedCopy();
  const config = await loadConfig(args.config);
  if (args.check) return check(config);
  if (args.once) {
    const log = new ServiceLog();
    return runOnce(config, (kind, text) => log.bytes(kind, text));
  }
  const problems = fatal(checkConfig(config));
  if (problems.length > 0) throw new ConfigError(problems);
  if (args.detach && !isCopy) return detach(args.argv);
  return serve(args, config, isCopy);
}

function check(config: ServiceConfig): number {
  process.stdout.write(Buffer.from(printConfig(config), 'latin1'));
  const problems = checkConfig(config);
  for (const problem of problems) complain(problem);
  return problems.length === 0 ? 0 : SYNTAX;
}

/** A source that is not there yet is waited for; everything else has to be mended first. */
function fatal(problems: readonly string[]): string[] {
  return problems.filter((problem) => !/\] source /.test(problem));
}

async function serve(args: RunArguments, config: ServiceConfig, isCopy: boolean): Promise<number> {
  const log = new ServiceLog();
  const service = new LiveService(config, log, createMirror);
  let pidFile: PidFile | null = null;
  try {
    log.open(config.logFile);
    if (config.pidFile !== '') pidFile = createPidFile(config.pidFile);
    await service.start();
  } catch (error) {
    await service.stop().catch(() => {});
    pidFile?.remove();
    await reportFailure(error as Error, config, isCopy);
    return FILES;
  }
  const names = config.syncs.map((sync) => sync.spec.name).join(', ');
  log.line('info', `started: ${names}${service.httpPort === 0 ? '' : `; http://127.0.0.1:${service.httpPort}/`}`);
  if (isCopy) await reportStart({ kind: 'started' });
  tellManager('READY=1', log);
  const code = await untilEnded(args, service, log);
  pidFile?.remove();
  log.close();
  return code;
}

/** Tells the user why the start failed; a copy in the background does so through the process that the user started. */
async function reportFailure(error: Error, config: ServiceConfig, isCopy: boolean): Promise<void> {
  const text = 'code' in error ? `log file ${config.logFile}: ${errnoText(error)}` : error.message;
  if (!isCopy) return complain(text);
  await reportStart({ kind: 'line', text });
  await reportStart({ kind: 'failed', code: FILES });
}

/** Tells systemd how far the service is, when it was started by that. */
function tellManager(state: string, log: ServiceLog): void {
  try {
    notifyService(state);
  } catch (error) {
    log.line('warning', `the service manager could not be told ${state}: ${(error as Error).message}`);
  }
}

/** Serves signals until one of them ends the service. */
function untilEnded(args: RunArguments, service: LiveService, log: ServiceLog): Promise<number> {
  return new Promise((resolve) => {
    let ending = false;
    let reloading = Promise.resolve();
    const end = async (signal: string) => {
      if (ending) {
        log.line('warning', `${signal} again: ended at once`);
        resolve(20);
        return;
      }
      ending = true;
      tellManager('STOPPING=1', log);
      log.line('info', `${signal}: ending, pending changes are sent first`);
      const left = await service.stop();
      log.line(
        left === 0 ? 'info' : 'warning',
        left === 0 ? 'ended, nothing was left' : `ended, ${left} changes were left`,
      );
      resolve(0);
    };
    process.on('SIGTERM', () => void end('SIGTERM'));
    process.on('SIGINT', () => void end('SIGINT'));
    process.on('SIGHUP', () => {
      if (!ending) reloading = reloading.then(() => reload(args, service, log));
    });
  });
}

async function reload(args: RunArguments, service: LiveService, log: ServiceLog): Promise<void> {
  try {
    const config = await loadConfig(args.config);
    const problems = fatal(checkConfig(config));
    if (problems.length > 0) throw new ConfigError(problems);
    log.reopen(config.logFile);
    log.line('info', 'SIGHUP: reading the configuration again');
    await service.reload(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.bytes('error', `${error.message}\nthe configuration stays as it was`);
  }
}
