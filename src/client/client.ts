import { convertAnyhow } from '../../protocol/charset.js';
import { Exit, MIN_PROTOCOL_VERSION, PROTOCOL_VERSION, RSYNC_PORT } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { serverArgParts } from '../../protocol/handshake/args.js';
import { daemonPath, escapePath } from '../../protocol/handshake/escape.js';
import type { ByteString } from '../../protocol/options.js';
import type { CommandOptions } from '../cli/options.js';
import type { ClientLog } from '../report/log.js';
import { commandLine, protocolVersions } from '../report/messages.js';
import type { WhatToList } from '../sending/list-sender.js';
import { exchangeVersions } from '../session/handshake.js';
import type { Session } from '../session/session.js';
import { preloadRole } from '../transfer/roles.js';
import type { Connection } from '../transport/connection.js';
import { type DaemonRequest, sendSecluded, startDaemon } from './daemon-connect.js';
import { connectDaemon } from './daemon-transport.js';
import { readInputs } from './inputs.js';
import { defaultUser } from './password.js';
import { beginRemote, finishRun, prepareSending } from './run.js';
import type { BegunRun, RunHooks, RunPlan } from './run-plan.js';
import { KILLED, type ShellRun, shellCommand, startShell } from './shell.js';
import { type DaemonTarget, type Job, planJob, type ShellTarget, TargetError } from './target.js';

/** A connection that is ready for the binary part, and what must be waited for after it. */
interface Opened {
  connection: Connection;
  /** null: the daemon had nothing but text to say. */
  protocol: number | null;
  shell: ShellRun | null;
}

/** Runs one transfer as its options say; returns the exit code. Errors that end the run are thrown as RsyncError. */
export async function runClient(o: CommandOptions, log: ClientLog, hooks: RunHooks = {}): Promise<number> {
  const ready = await prepareClient(o, log, hooks);
  return ready === null ? Exit.OK : ready.finish();
}

/**
 * Opens the connection of a run and brings it up to the file list. Null: a daemon had nothing but text to say.
 * Errors that end the run are thrown as RsyncError.
 */
export async function prepareClient(o: CommandOptions, log: ClientLog, hooks: RunHooks = {}): Promise<ReadyRun | null> {
  const job = planJob(o);
  checkProtocol(o, job);
  const inputs = readInputs(o, job);
  hooks.onRole?.(job.direction === 'push' || job.direction === 'local' ? 'sender' : 'Receiver');
  o.listOnly ||= job.direction === 'list';
  const charset = o.iconv === '' ? null : await (await import('../session/charset.js')).openCharset(o.iconv);
  const writesBatch = o.batch !== null && o.batch.kind !== 'read';
  const batch = writesBatch ? new (await import('./batch-files.js')).BatchFiles(o, inputs, log) : null;
  let ready: ReadyRun | null = null;
  try {
    ready = await readyRun({ options: o, job, inputs, log, hooks, charset, batch });
    return ready;
  } finally {
    if (ready === null) batch?.close();
  }
}

async function readyRun(plan: RunPlan): Promise<ReadyRun | null> {
  if (plan.job.remote === null) await becomeUser(plan);
  if (plan.options.batch?.kind === 'read') {
    const { beginBatch } = await import('./batch-run.js');
    return new ReadyRun(await beginBatch(plan), null);
  }
  if (plan.job.remote !== null) return readyRemote(plan);
  if (plan.options.remoteOptions.length > 0 && !plan.options.listOnly) {
    const { beginServed } = await import('./local-server.js');
    return new ReadyRun(await beginServed(plan), null);
  }
  const { beginLocal } = await import('./local-run.js');
  return new ReadyRun(await beginLocal(plan), null);
}

/** --copy-as: only now, as the way to the other side may need the rights that are given up. Both sides of a local copy are this process. */
async function becomeUser({ options: o, job }: RunPlan): Promise<void> {
  if (o.copyAs === null) return;
  const { copyAs } = await import('../transfer/copy-as.js');
  await copyAs(o.copyAs, isPush(job) || job.direction === 'local' ? 'sender' : 'Receiver');
}

async function readyRemote(plan: RunPlan): Promise<ReadyRun | null> {
  const { connection, protocol, shell } = await open(plan);
  if (protocol === null) {
    connection.finish();
    return null;
  }
  try {
    await becomeUser(plan);
    return new ReadyRun(await beginRemote(plan, connection, protocol), shell);
  } catch (error) {
    throw await afterFailure(error, connection, shell);
  }
}

/** A run that waits for what it is to send or to receive. */
export class ReadyRun {
  constructor(
    private readonly begun: BegunRun,
    private readonly shell: ShellRun | null,
  ) {}

  get session(): Session {
    return this.begun.session;
  }

  /** Has all made that can be before it is known what is to be sent; to be called once the seed is there. */
  prepareSending(): Promise<void> {
    return prepareSending(this.begun);
  }

  /** Brings the run to its end. `what`: what is sent, if not what the command line says. Returns the exit code. */
  async finish(what: WhatToList | null = null): Promise<number> {
    try {
      return await this.run(what);
    } finally {
      this.begun.plan.batch?.close();
    }
  }

  private async run(what: WhatToList | null): Promise<number> {
    const { begun, shell } = this;
    const { connection } = begun.session;
    let code: number;
    try {
      code = await finishRun(begun, what);
    } catch (error) {
      if (begun.server === null) throw await afterFailure(error, connection, shell);
      connection.finish();
      // What ended the client is the reason; the other end only notices that it is gone.
      await begun.server.catch(() => {});
      throw error;
    }
    connection.finish();
    if (begun.server !== null) return Math.max(code, await begun.server);
    if (shell === null) {
      connection.destroy();
      return code;
    }
    const ended = await shellEnd(shell);
    return Math.max(code, ended === KILLED ? Exit.TERMINATED : ended);
  }

  /** Ends a run that is not wanted any more, whatever state it is in. */
  abandon(): void {
    this.begun.session.connection.destroy();
    this.begun.server?.catch(() => {});
    this.shell?.kill();
  }
}

async function afterFailure(error: unknown, connection: Connection, shell: ShellRun | null): Promise<unknown> {
  connection.finish();
  connection.destroy();
  return withShellEnd(error, shell);
}

/** --protocol must name a version that this program speaks. */
function checkProtocol(o: CommandOptions, job: Job): void {
  const fail = (text: string) => {
    const role = job.direction === 'push' || job.direction === 'local' ? 'sender' : 'Receiver';
    throw new TargetError(`--protocol must be ${text} on the Client.`, role, Exit.PROTOCOL);
  };
  if (o.protocol < MIN_PROTOCOL_VERSION) fail(`at least ${MIN_PROTOCOL_VERSION}`);
  if (o.protocol > PROTOCOL_VERSION) fail(`no more than ${PROTOCOL_VERSION}`);
}

/** How a connection ends whose remote shell has ended: its exit code says more. */
const CLOSED = new Set<number>([Exit.SOCKETIO, Exit.STREAMIO]);

const SHELL_PATIENCE_MS = 20_000;

/** The remote shell ends by itself once both pipes are closed; one that does not is ended. */
async function shellEnd(shell: ShellRun): Promise<number> {
  const timer = setTimeout(() => shell.kill(), SHELL_PATIENCE_MS);
  const code = await shell.ended;
  clearTimeout(timer);
  return code;
}

/** Ends the remote shell of a run that failed. What it ends with may be the better exit code. */
async function withShellEnd(error: unknown, shell: ShellRun | null): Promise<unknown> {
  if (shell === null || !(error instanceof RsyncError)) return error;
  const isClosed = CLOSED.has(error.exitCode);
  if (!isClosed) shell.kill();
  const ended = await shellEnd(shell);
  return isClosed && ended > error.exitCode ? new RsyncError(ended, error.message) : error;
}

function open(plan: RunPlan): Promise<Opened> {
  const remote = plan.job.remote!;
  return remote.kind === 'shell' ? openShell(plan, remote) : openDaemon(plan, remote);
}

/** -s: arguments as they travel. */
function secludedForm(args: readonly ByteString[], { charset }: RunPlan): ByteString[] {
  return args.map((arg) => convertAnyhow(charset, 'toWire', arg));
}

function isPush(job: Job): boolean {
  return job.direction === 'push';
}

function filesFromExtra(job: Job) {
  return job.filesFromRemote === '' ? {} : { filesFromRemote: job.filesFromRemote };
}

async function openShell(plan: RunPlan, remote: ShellTarget): Promise<Opened> {
  const { options: o, job, log, hooks } = plan;
  const parts = serverArgParts(o, isPush(job), filesFromExtra(job));
  const context = { pull: !isPush(job), ...filesFromExtra(job) };
  const paths = job.remotePaths.map((path) => escapePath(path, o, context));
  const rest = [...parts.rest, '.', ...paths];
  const args = o.secludedArgs ? parts.open : [...parts.open, ...rest];
  const command = shellCommand(o, remote.host, remote.user, args);
  if ((o.debug.cmd ?? 0) >= 1) log.client(commandLine('opening connection using:', command));
  const shell = startShell(command, process.env, isPush(job) ? 'sender' : 'Receiver');
  const { connection } = shell;
  hooks.onConnection?.(connection);
  if (o.timeout > 0) connection.setTimeout(o.timeout);
  if (o.secludedArgs) sendSecluded(connection, secludedForm(rest, plan));
  try {
    const protocol = await exchangeVersions(connection, o.protocol, (theirs, agreed) => {
      if ((o.debug.proto ?? 0) >= 1) log.info(protocolVersions(false, theirs, agreed));
    });
    return { connection, protocol, shell };
  } catch (error) {
    connection.destroy();
    throw await withShellEnd(error, shell);
  }
}

async function openDaemon(plan: RunPlan, remote: DaemonTarget): Promise<Opened> {
  const { options: o, job, log, hooks } = plan;
  const role = isPush(job) ? 'sender' : 'Receiver';
  let shell: ShellRun | null = null;
  let connection: Connection;
  if (job.daemonOverShell) {
    const command = shellCommand(o, remote.host, remote.user, ['--server', '--daemon', '.']);
    const env = { ...process.env, RSYNC_PORT: String(remote.port || o.port || RSYNC_PORT) };
    shell = startShell(command, env, role);
    connection = shell.connection;
  } else {
    connection = await connectDaemon(o, remote.host, remote.port || o.port || RSYNC_PORT, role, log);
  }
  hooks.onConnection?.(connection);
  if (o.timeout > 0) connection.setTimeout(o.timeout);
  try {
    const request = daemonRequest(plan, remote);
    // The role is loaded while the daemon answers.
    const answered = startDaemon(connection, request, o, log);
    const [protocol] = await Promise.all([answered, job.listModules ? null : preloadRole(isPush(job))]);
    return { connection, protocol, shell };
  } catch (error) {
    connection.destroy();
    throw await withShellEnd(error, shell);
  }
}

function daemonRequest(plan: RunPlan, remote: DaemonTarget): DaemonRequest {
  const { options: o, job } = plan;
  const user = remote.user ?? defaultUser();
  if (job.listModules) return { module: '', user, args: [], secluded: null };
  const parts = serverArgParts(o, isPush(job), filesFromExtra(job));
  const paths: ByteString[] = job.remotePaths.map((path) => daemonPath(path, remote.module, o));
  const rest = [...parts.rest, '.', ...paths];
  return o.secludedArgs
    ? { module: remote.module, user, args: parts.open, secluded: secludedForm(rest, plan) }
    : { module: remote.module, user, args: [...parts.open, ...rest], secluded: null };
}
