import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { expandAliases, readAliases } from '../cli/option-aliases.js';
import { type CommandOptions, type ParsedCommand, parseCommand } from '../cli/options.js';
import { runClient } from '../client/client.js';
import { TargetError } from '../client/target.js';
import { tempRegistry } from '../files/temp.js';
import { exitLine } from '../report/exit.js';
import { logLines } from '../report/log.js';
import { openClientLog } from '../report/open-log.js';
import { Output } from '../report/output.js';
import type { Session } from '../session/session.js';
import { interruption } from '../transport/interrupt.js';
import { confineProcess } from './confine.js';

/** Runs a command line of the program and returns its exit code. */
export async function runCommand(given: ByteString[]): Promise<number> {
  let command: ParsedCommand;
  if (given.includes('--server')) {
    const { runServer } = await import('./server.js');
    return runServer(given);
  }
  const aliases = readAliases(process.env.HOME);
  const argv = aliases.size === 0 ? given : expandAliases(given, aliases);
  try {
    command = parseCommand(argv, process.env);
  } catch (error) {
    return complain(error, error instanceof TargetError ? error.role : 'client');
  }
  switch (command.kind) {
    case 'help':
    case 'version':
      printText(command.text ?? '');
      return Exit.OK;
    case 'daemon': {
      const { runDaemon } = await import('../daemon/server.js');
      return runDaemon(command.daemon!, argv);
    }
    default:
      if (command.options.watch) {
        const { runWatch } = await import('./watch.js');
        return runWatch(argv, command.options, complain);
      }
      return runTransfer(command.options);
  }
}

/** Not through process.stdout, which takes longer to load than all of this takes. */
function printText(text: string): void {
  const out = new Output(1, true);
  out.write(Buffer.from(text).toString('latin1'));
}

/** An error before there is a log: its text, then rsync's closing line. */
function complain(error: unknown, role: string): number {
  if (!(error instanceof RsyncError)) throw error;
  const text = error.message.endsWith('\n') ? error.message : `${error.message}\n`;
  process.stderr.write(Buffer.from(text + exitLine(error.exitCode, role), 'latin1'));
  return error.exitCode;
}

async function runTransfer(o: CommandOptions): Promise<number> {
  try {
    confineProcess(o);
  } catch (error) {
    return complain(error, 'client');
  }
  const log = openClientLog(o);
  let session: Session | null = null;
  let role = 'client';
  const interrupted = interruption();
  const endNow = () => {
    if (!interrupted.told) log.exit(Exit.SIGNAL, exitLine(Exit.SIGNAL, role));
    tempRegistry.removeAll();
    log.close();
    process.exit(Exit.SIGNAL);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      // A run that has not begun, or that cannot be ended in order, is ended here.
      if (session === null) endNow();
      session?.connection.fail(interrupted);
      setTimeout(endNow, 2000).unref();
    });
  }
  const result = { code: 0 };
  try {
    result.code = await runClient(o, log, {
      onRole(name) {
        role = name;
      },
      onSession(begun) {
        session = begun;
      },
    });
    if (result.code !== Exit.OK) log.exit(result.code, exitLine(result.code, role));
  } catch (error) {
    if (!(error instanceof RsyncError)) throw error;
    result.code = error.exitCode;
    if (!error.told) {
      if (error instanceof TargetError) role = error.role;
      if (error.message !== '') logLines(log, 'error', `${error.message}\n`);
      log.exit(error.exitCode, exitLine(error.exitCode, role));
    }
  } finally {
    tempRegistry.removeAll();
    log.close();
  }
  return result.code;
}
