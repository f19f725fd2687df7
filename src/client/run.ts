import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { FilterList } from '../../protocol/filter/rules.js';
import { RequestedNames } from '../../protocol/flist/requested.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { ListGuard } from '../receiving/list-guard.js';
import { STOPPING } from '../report/messages.js';
import type { WhatToList } from '../sending/list-sender.js';
import { agree } from '../session/handshake.js';
import { Session } from '../session/session.js';
import { buildFilters, exchangeFilters } from '../transfer/filters.js';
import { announceFailure, asRunError } from '../transfer/goodbye.js';
import { cwd, itemContextOf } from '../transfer/item-context.js';
import { forwardNames, receiveNames, splitNames, toAsync } from '../transfer/names.js';
import { createSendingSide, runReceivingSide } from '../transfer/roles.js';
import type { SendingSide } from '../transfer/sending-side.js';
import type { Connection } from '../transport/connection.js';
import type { BatchFiles } from './batch-files.js';
import { countTraffic, printing, reportDeletions, summarize } from './printing.js';
import type { BegunRun, RunHooks, RunPlan } from './run-plan.js';
import type { Job } from './target.js';

/** Begins the binary part of a connection as the client. `server`: who is at its other end, if that is this process. */
export async function beginRemote(
  plan: RunPlan,
  connection: Connection,
  protocol: number,
  server: Promise<number> | null = null,
): Promise<BegunRun> {
  const { options: o, log } = plan;
  const isSender = server !== null || plan.job.direction === 'push';
  const side = { isServer: false, isSender };
  const agreement = await agree(connection, o, side, protocol, (text) => log.info(text));
  return begin(plan, new Session(connection, o, log, side, agreement), server, false);
}

/**
 * Rules and limits, which all kinds of runs need. `server`: the other side of a copy on this machine. `sharesRules`: it has
 * the rules already.
 */
export async function begin(
  plan: RunPlan,
  session: Session,
  server: Promise<number> | null,
  sharesRules: boolean,
): Promise<BegunRun> {
  const { inputs, log, hooks, batch } = plan;
  const { connection, options: o, isSender } = session;
  session.listener = hooks.listener ?? null;
  hooks.onSession?.(session);
  connection.role = isSender ? 'sender' : 'Receiver';
  return announced(session, hooks, async () => {
    session.startFrames();
    if (o.timeout > 0) connection.setTimeout(o.timeout);
    if (o.bwlimit > 0) connection.limitRate(o.bwlimit * 1024);
    if (o.stopAt !== null) stopAt(connection, o.stopAt);
    const filters = buildFilters({
      options: o,
      protocol: session.protocol,
      side: isSender ? 'sender' : 'receiver',
      isServer: false,
      isLocal: sharesRules,
      reader: inputs.rules,
      report: (text) => log.warning(`${text}\n`),
      trace: (text) => session.log.info(text),
    });
    if (!sharesRules && !session.replays) await exchangeFilters(session, filters);
    if (batch !== null) await startRecording(session, batch);
    const context = { ...itemContextOf(session, null), localServer: server !== null };
    return { plan, session, filters, server, sending: null, context };
  });
}

/** From here on, what the sender says is written to a batch file. */
async function startRecording(session: Session, batch: BatchFiles): Promise<void> {
  // `awaitSeed` keeps a byte back, which the server may need before it has a seed.
  session.connection.flush();
  await session.awaitSeed();
  session.recorder = batch.recorder;
  batch.writeScript(session.protocol);
  batch.recorder.begin(session);
}

/** --stop-at and --stop-after: ends the run at a time in seconds. */
function stopAt(connection: Connection, seconds: number): void {
  const timer = setInterval(() => {
    const isTime = Date.now() >= seconds * 1000;
    if (isTime || !connection.isOpen) clearInterval(timer);
    if (isTime && connection.isOpen) connection.fail(new RsyncError(Exit.TIMEOUT, STOPPING));
  }, 1000);
  timer.unref();
}

/** Runs a part of a session; the peer is told about an error that ends it, and the caller about the role it had. */
async function announced<T>(session: Session, hooks: RunHooks, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = asRunError(thrown, session.connection.role);
    await announceFailure(session, error);
    throw error;
  } finally {
    hooks.onRole?.(session.connection.role);
  }
}

/** Brings a run to its end. `what`: what a sender lists, if not what the job says. Returns the exit code. */
export function finishRun(run: BegunRun, what: WhatToList | null): Promise<number> {
  const { session } = run;
  const { log, hooks } = run.plan;
  return announced(session, hooks, async () => {
    reportDeletions(session, run.context, log);
    if (session.isSender) await send(run, what);
    else await receive(run);
    session.connection.flush();
    const code = session.exitCode();
    if (what === null) summarize(session, log, code);
    else countTraffic(session);
    return code;
  });
}

/** Makes the sending side of a run that is told later what to send. */
export async function prepareSending(run: BegunRun): Promise<void> {
  run.sending = await makeSending(run, false);
  await run.sending.prepare();
}

function makeSending(run: BegunRun, isAnnounced: boolean): Promise<SendingSide> {
  const parts = printing(run);
  return createSendingSide(run.session, {
    ...parts,
    announcer: isAnnounced ? parts.announcer : null,
    filters: run.filters,
    moduleFilters: null,
    moduleChmod: [],
    cwd: cwd(),
    root: null,
  });
}

async function send(run: BegunRun, what: WhatToList | null): Promise<void> {
  const side = run.sending ?? (await makeSending(run, what === null));
  await side.run(what ?? sourcesOf(run));
}

async function receive(run: BegunRun): Promise<void> {
  const { session, filters } = run;
  const { options: o, job, inputs } = run.plan;
  const names = inputs.names !== null ? splitNames(inputs.names, o.from0, false) : null;
  if (names !== null) forwardNames(session, names);
  await runReceivingSide(session, {
    ...printing(run),
    dest: job.dest?.kind === 'local' ? job.dest.path : '.',
    base: { cwd: cwd(), confined: null },
    filters,
    moduleFilters: null,
    moduleChmod: [],
    isLocal: false,
    guard: guardOf(o, job, filters, names),
  });
}

function sourcesOf({ session, plan }: BegunRun) {
  const { options: o, job, inputs } = plan;
  const sources: ByteString[] = job.sources.map((s) => s.path);
  if (o.filesFrom === '') return { sources, names: null };
  if (job.filesFromRemote !== '') return { sources, names: receiveNames(session) };
  return { sources, names: toAsync(splitNames(inputs.names ?? Buffer.alloc(0), o.from0, true)) };
}

/** What the client looks for in the lists of a sender: a remote one is not trusted unless --trust-sender says so. */
function guardOf(o: Options, job: Job, filters: FilterList, names: readonly ByteString[] | null): ListGuard {
  const targets = o.mungeLinks ? 'munged' : 'kept';
  if (o.trustSender || o.batch?.kind === 'read') return new ListGuard(null, null, targets);
  const rules = filters.sendersScope();
  // With --old-args the far shell takes the arguments apart, and a list of names over there is not known here.
  if (o.oldArgs > 0 || job.filesFromRemote !== '') return new ListGuard(null, rules, targets);
  const requested = new RequestedNames(o);
  for (const name of names ?? job.remotePaths.map((path) => pathOfArgument(path, job))) requested.add(name);
  return new ListGuard(requested, rules, targets);
}

/** A daemon's arguments begin with the name of the module. */
function pathOfArgument(path: ByteString, job: Job): ByteString {
  if (job.remote?.kind !== 'daemon') return path;
  const slash = path.indexOf('/');
  return slash < 0 ? '' : path.slice(slash + 1);
}
