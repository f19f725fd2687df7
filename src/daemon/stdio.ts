import fs from 'node:fs';
import net from 'node:net';
import { Exit } from '../../protocol/constants.js';
import type { ByteString } from '../../protocol/options.js';
import { tempRegistry } from '../files/temp.js';
import { endOnSignals } from '../transport/interrupt.js';
import { connectStreams } from '../transport/streams.js';
import { plainAddress } from './address.js';
import type { DaemonConfig } from './config.js';
import { Dialogue } from './dialogue.js';
import { Entrance, refusalOf } from './entrance.js';
import { greet } from './greet.js';
import { jobFor, type Overrides } from './job.js';
import { openLog } from './log-sink.js';
import { addressFromShell, UNDETERMINED } from './names.js';
import { servePeer } from './peer.js';
import { preloadSession } from './preload.js';
import { Slots } from './slots.js';

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
 * on the module's rights itself. Returns the exit code.
 */
export async function serveStdio(config: DaemonConfig, overrides: Overrides, overTcp: boolean): Promise<number> {
  const input = new net.Socket({ fd: 0, readable: true, writable: overTcp, allowHalfOpen: true });
  const output = overTcp ? input : new net.Socket({ fd: 1, readable: false, writable: true });
  const log = openLog(overrides.logFile || config.defaults.logFile);
  const dialogue = new Dialogue(input, output);
  const address = overTcp ? plainAddress(input.remoteAddress ?? '0.0.0.0') : addressFromShell(process.env);
  const client = { address, name: UNDETERMINED };
  const hall = { config, log, slots: new Slots(), env: process.env, overTcp };
  const admission = await greet(dialogue, client, hall);
  if (admission === null) {
    await closed(output);
    return Exit.STARTCLIENT;
  }
  await preloadSession();
  await dialogue.flushed();
  const head = dialogue.release(false);
  const job = jobFor(admission, overrides, '', overTcp);
  const jobLog = job.logFile === (overrides.logFile || config.defaults.logFile) ? log : openLog(job.logFile);
  try {
    const place = new Entrance().enter(job, jobLog);
    output.write('@RSYNCD: OK\n');
    const connection = connectStreams(input, output);
    endOnSignals(connection);
    connection.received(head);
    input.resume();
    // An end that came during the text was told to nobody.
    if (input.readableEnded || input.destroyed) connection.ended();
    const code = await servePeer(connection, job, place, jobLog);
    await closed(output);
    return code;
  } catch (error) {
    const { line, reason } = refusalOf(error);
    jobLog.info(reason);
    await end(output, `${line}\n`);
    return Exit.STARTCLIENT;
  } finally {
    tempRegistry.removeAll();
    admission.slot.release();
    input.destroy();
  }
}

function end(output: net.Socket, line: ByteString): Promise<void> {
  return new Promise((resolve) => {
    output.once('close', () => resolve());
    output.end(Buffer.from(line, 'latin1'), () => resolve());
  });
}

/** Waits until everything written has gone, or nobody takes it any more. */
function closed(output: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    if (output.destroyed || output.writableFinished) resolve();
    output.once('finish', () => resolve());
    output.once('close', () => resolve());
  });
}
