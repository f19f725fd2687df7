import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { serverArgParts } from '../../protocol/handshake/args.js';
import { type CommandOptions, parseServerArgs } from '../cli/options.js';
import { exitLine } from '../report/exit.js';
import { logLines } from '../report/log.js';
import { openLogFile } from '../report/open-log.js';
import { serveSession } from '../transfer/serve.js';
import type { Connection } from '../transport/connection.js';
import { connectMemory } from '../transport/memory.js';
import { beginRemote } from './run.js';
import type { BegunRun, RunPlan } from './run-plan.js';

/**
 * Begins a copy on this machine whose receiving side has options of its own (--remote-option): a server in this process, which
 * is given the arguments that one on another machine would be.
 */
export async function beginServed(plan: RunPlan): Promise<BegunRun> {
  const [here, there] = connectMemory(false);
  here.role = 'sender';
  const server = serve(plan, there);
  server.catch((error: Error) => here.fail(error));
  try {
    return await beginRemote(plan, here, plan.options.protocol, server);
  } catch (error) {
    here.finish();
    await server.catch(() => {});
    throw error;
  }
}

async function serve(plan: RunPlan, connection: Connection): Promise<number> {
  const { job, log } = plan;
  connection.role = 'Receiver';
  try {
    const options = toldOptions(plan.options);
    const record = openLogFile(options, 'Receiver', log);
    try {
      return await serveSession({
        connection,
        options,
        paths: [job.dest?.kind === 'local' ? job.dest.path : '.'],
        module: null,
        protocol: options.protocol,
        log,
        record,
        itemFormat: options.logFileFormat,
        refused: null,
      });
    } finally {
      record?.close();
    }
  } catch (error) {
    if (!(error instanceof RsyncError)) throw error;
    logLines(log, 'error', `${error.message}\n`);
    log.error(exitLine(error.exitCode, 'Receiver'));
    connection.finish();
    return error.exitCode;
  }
}

/** What the server makes of its arguments. Its errors go to the client, which shows them. Throws as `parseServerArgs`. */
function toldOptions(o: CommandOptions): CommandOptions {
  const { open, rest } = serverArgParts({ ...o, wholeFile: o.wholeFile ?? true }, true, { local: true });
  const options = parseServerArgs([...open, ...rest, '.'], { isDaemon: false, env: process.env, secludedDone: true });
  if (options.copyAs !== null) {
    const text = '--remote-option=--copy-as is not supported in a copy on this machine: both sides are one process';
    throw new RsyncError(Exit.UNSUPPORTED, text);
  }
  return { ...options, protocol: o.protocol, stderrMode: 'client' };
}
