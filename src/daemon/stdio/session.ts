import net from 'node:net';
import { Exit } from '../../../protocol/constants.js';
import type { ByteString } from '../../../protocol/options.js';
import type { Log } from '../../report/log.js';
import type { Connection } from '../../transport/connection.js';
import { connectStreams } from '../../transport/streams.js';
import { type Ask, servePeer } from '../peer.js';
import { Entrance, refusalOf } from '../workers/entrance.js';
import type { Job } from '../workers/job.js';

/** Both directions of a connection. */
export interface Streams {
  input: net.Socket;
  output: net.Socket;
}

/** The connection on standard input, and on standard output behind a remote shell. */
export function openStdio(overTcp: boolean): Streams {
  const input = new net.Socket({ fd: 0, readable: true, writable: overTcp, allowHalfOpen: true });
  const output = overTcp ? input : new net.Socket({ fd: 1, readable: false, writable: true });
  return { input, output };
}

/**
 * Serves the client of an admitted connection in this process, which takes on the module's rights. `head` was read of it
 * already; `began` is told the connection. Returns the exit code.
 */
export async function serveOnStdio(
  job: Job,
  { input, output }: Streams,
  head: Buffer,
  log: Log,
  ask: Ask,
  began: (connection: Connection) => void,
): Promise<number> {
  try {
    const place = await new Entrance().enter(job, log);
    output.write('@RSYNCD: OK\n');
    const connection = connectStreams(input, output);
    began(connection);
    connection.received(head);
    input.resume();
    // An end that came during the text was told to nobody.
    if (input.readableEnded || input.destroyed) connection.ended();
    const code = await servePeer(connection, job, place, log, ask);
    await closed(output);
    return code;
  } catch (error) {
    const { line, reason } = refusalOf(error);
    log.info(reason);
    await end(output, `${line}\n`);
    return Exit.STARTCLIENT;
  } finally {
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
export function closed(output: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    if (output.destroyed || output.writableFinished) resolve();
    output.once('finish', () => resolve());
    output.once('close', () => resolve());
  });
}
