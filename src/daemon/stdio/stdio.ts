import { type ChildProcess, fork } from 'node:child_process';
import fs from 'node:fs';
import type { Duplex } from 'node:stream';
import { Exit } from '../../../protocol/constants.js';
import { RsyncError } from '../../../protocol/errors.js';
import { tempRegistry } from '../../files/temp.js';
import { endOnSignals } from '../../transport/interrupt.js';
import { plainAddress } from '../clients/address.js';
import { addressFromShell, clientName, UNDETERMINED } from '../clients/names.js';
import type { DaemonConfig, Module } from '../config/config.js';
import { Dialogue } from '../dialogue.js';
import { type DaemonRights, hasDaemonRights, takeOnDaemonRights } from '../gate/rights.js';
import { greet, type Hall } from '../greet.js';
import { rawStatus } from '../hooks/process.js';
import { logKey, openLog } from '../log-sink.js';
import { answerNames, NAME_FD } from '../modules/name-channel.js';
import { type FromWorker, type Job, jobFor, type Overrides, type ToWorker } from '../workers/job.js';
import { preloadSession } from '../workers/preload.js';
import { Slots } from '../workers/slots.js';
import type { Stay } from '../workers/stay.js';
import { closed, openStdio, type Streams, serveOnStdio } from './session.js';

/** True when standard input is a socket: a super-server has accepted a connection, or a program made a pair of them. */
export function stdinIsSocket(): boolean {
  try {
    return fs.readlinkSync('/proc/self/fd/0').startsWith('socket:');
  } catch {
    return false;
  }
}

/**
 * Serves the one connection that is on standard input (and output, behind a remote shell) in this process, which takes
 * on the module's rights itself, or (hooks need those of the daemon) in one that runs `workerEntry`. Returns the exit code.
 */
export async function serveStdio(
  config: DaemonConfig,
  overrides: Overrides,
  overTcp: boolean,
  workerEntry: string,
): Promise<number> {
  const streams = openStdio(overTcp);
  const { input, output } = streams;
  const { defaults } = config;
  const place = { ...defaults, logFile: overrides.logFile || defaults.logFile };
  const log = openLog(place);
  const dialogue = new Dialogue(input, output);
  const address = overTcp ? plainAddress(input.remoteAddress ?? '0.0.0.0') : addressFromShell(process.env);
  const hall: Hall = {
    config,
    log,
    slots: new Slots(),
    env: process.env,
    overTcp,
    // Standard output, and with a super-server standard error as well, may be the connection.
    hookOutput: 'ignore',
    hooked: new Set(),
  };
  const client = { address, name: UNDETERMINED };
  let elsewhere: ChildProcess | null = null;
  let rights: DaemonRights | null = null;
  if (hasDaemonRights(config)) {
    // Afterwards no name may be known, no program be there, and nothing to load.
    if (defaults.reverseLookup) client.name = await clientName(address, (text) => log.info(text));
    if (config.modules.some(mayHaveHooks)) elsewhere = startElsewhere(workerEntry);
    try {
      await preloadSession();
      rights = await takeOnDaemonRights(config, process.env);
    } catch (error) {
      if (!(error instanceof RsyncError)) throw error;
      log.error(error.message);
      letGo(elsewhere);
      return error.exitCode;
    }
  }
  const admission = await greet(dialogue, client, hall);
  // This process may have no right any more to send it a signal; it ends when nobody is left to give it work.
  if (typeof admission === 'number' || admission.stay.hooks === null) letGo(elsewhere);
  if (typeof admission === 'number') {
    await Promise.all([closed(output), ...hall.hooked]);
    return admission;
  }
  const { stay } = admission;
  await dialogue.flushed();
  if (stay.hooks !== null) {
    const job = jobFor(admission, overrides, dialogue.release(true).toString('base64'), overTcp);
    if (rights !== null) job.identity = { ...job.identity, daemon: rights };
    return serveElsewhere({ ...job, onStdio: true }, streams, stay, elsewhere ?? startElsewhere(workerEntry));
  }
  await preloadSession();
  const head = dialogue.release(false);
  const job = jobFor(admission, overrides, '', overTcp);
  const jobLog = logKey(job.config) === logKey(place) ? log : openLog(job.config);
  try {
    return await serveOnStdio(job, streams, head, jobLog, async () => null, endOnSignals);
  } finally {
    tempRegistry.removeAll();
    stay.end(0);
  }
}

function startElsewhere(entry: string): ChildProcess {
  return fork(entry, [], { stdio: [0, 1, 2, 'ipc', 'pipe'] });
}

function letGo(child: ChildProcess | null): void {
  if (child === null) return;
  if (child.connected) child.disconnect();
  child.unref();
}

function mayHaveHooks({ config: { earlyExec, preXferExec, postXferExec, nameConverter } }: Module): boolean {
  return earlyExec + preXferExec + postXferExec + nameConverter !== '';
}

/** Has a process of its own serve the connection, and runs the hooks around it. Returns the exit code. */
async function serveElsewhere(job: Job, streams: Streams, stay: Stay, child: ChildProcess): Promise<number> {
  answerNames(child.stdio[NAME_FD] as Duplex, async (_id, request) => (await stay.hooks?.convert(request)) ?? '');
  const say = (message: ToWorker) => child.connected && child.send(message, () => {});
  child.on('message', async (message: FromWorker) => {
    if (message.kind !== 'request' || stay.hooks === null) return;
    const refusal = await stay.hooks.begin(message.request);
    say({ kind: 'answer', id: message.id, refusal });
  });
  say(job);
  // As long as this process has them, too, the client would not see their end.
  streams.input.destroy();
  streams.output.destroy();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGTERM'));
  const { code, status } = await ended(child);
  stay.end(status);
  await stay.hooks?.over;
  return code;
}

function ended(child: ChildProcess): Promise<{ code: number; status: number }> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: Exit.IPC, status: rawStatus(Exit.IPC, null) }));
    child.once('exit', (code, signal) => {
      resolve({ code: code ?? Exit.CRASHED, status: rawStatus(code, signal) });
    });
  });
}
