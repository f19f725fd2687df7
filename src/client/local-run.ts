import { remoteCharset } from '../../protocol/handshake/args.js';
import { capabilityString } from '../../protocol/handshake/negotiate.js';
import type { Options } from '../../protocol/options.js';
import { ListGuard } from '../receiving/list-guard.js';
import { exitLine } from '../report/exit.js';
import { logLines } from '../report/log.js';
import { protocolVersions } from '../report/messages.js';
import { agree } from '../session/handshake.js';
import { Session } from '../session/session.js';
import { WireLog } from '../session/wire-log.js';
import { buildFilters } from '../transfer/filters.js';
import { announceFailure, asRunError } from '../transfer/goodbye.js';
import { cwd, itemContextOf } from '../transfer/item-context.js';
import { runReceivingSide } from '../transfer/roles.js';
import type { Connection } from '../transport/connection.js';
import { connectMemory } from '../transport/memory.js';
import { begin } from './run.js';
import type { BegunRun, RunPlan } from './run-plan.js';

/** The two sides of a copy on this machine. */
const CLIENT = { isServer: false, isSender: true };
const SERVER = { isServer: true, isSender: false };

/**
 * Begins a run with both ends in this process: no shell, no socket, whole files unless asked otherwise. The client sends,
 * also when files are only listed: the lines come back in messages.
 */
export async function beginLocal(plan: RunPlan): Promise<BegunRun> {
  const { options: o, log } = plan;
  const [here, there] = connectMemory(o.batch === null);
  const serverOptions: Options = {
    ...o,
    server: true,
    sender: false,
    args: [],
    outFormat: null,
    clientInfo: capabilityString(o, true),
    // What the client's side does with link targets is enough.
    mungeLinks: false,
    iconv: o.iconv === '' ? '' : remoteCharset(o) || '.',
    serverLogFormat: o.itemize > 1 ? '%i%I' : o.outFormat?.includes('%i') ? '%i' : '',
  };
  here.role = 'sender';
  if ((o.debug.proto ?? 0) >= 1) {
    log.info(protocolVersions(false, o.protocol, o.protocol));
    log.warning(protocolVersions(true, o.protocol, o.protocol));
  }
  const server = serveLocal(plan, serverOptions, there);
  server.catch((error: Error) => here.fail(error));
  const agreement = await agree(here, o, CLIENT, o.protocol, (text) => log.info(text));
  const session = new Session(here, o, log, CLIENT, agreement);
  try {
    return await begin(plan, session, server, true);
  } catch (error) {
    here.finish();
    await server.catch(() => {});
    throw error;
  }
}

/** The other end of a local copy. It shares the options and the rules, and talks to the client alone. */
async function serveLocal(plan: RunPlan, o: Options, connection: Connection): Promise<number> {
  const { job, inputs, log, hooks } = plan;
  connection.role = 'Receiver';
  const agreement = await agree(connection, o, SERVER, o.protocol, (text) => log.warning(text)).catch((error) => {
    // A peer of its own would tell, and go.
    logLines(log, 'error', `${error.message}\n`);
    log.error(exitLine(error.exitCode, 'Receiver'));
    connection.finish();
    throw error;
  });
  const wireLog = new WireLog(connection, agreement, log, false, null);
  const session = new Session(connection, o, wireLog, SERVER, agreement);
  // A listing is made by this side.
  session.listener = hooks.listener ?? null;
  const filters = buildFilters({
    options: o,
    protocol: session.protocol,
    side: 'receiver',
    isServer: true,
    isLocal: true,
    reader: inputs.rules,
    report: (text) => log.warning(`${text}\n`),
    trace: (text) => session.log.info(text),
  });
  try {
    session.startFrames();
    await runReceivingSide(session, {
      dest: job.dest?.kind === 'local' ? job.dest.path : '.',
      base: { cwd: cwd(), confined: null },
      filters,
      moduleFilters: null,
      itemContext: itemContextOf(session, null),
      moduleChmod: [],
      idsByNumber: false,
      transferLog: null,
      progress: null,
      announcer: null,
      // A batch file has differences, as it is to be small.
      isLocal: o.batch === null,
      guard: new ListGuard(null, null, 'kept'),
    });
    connection.finish();
    return session.exitCode();
  } catch (thrown) {
    const error = asRunError(thrown, connection.role);
    await announceFailure(session, error);
    return error.exitCode;
  } finally {
    connection.finish();
    connection.handOver?.close();
  }
}
