import { Exit, Msg, NDX_DEL_STATS, NDX_DONE } from '../../protocol/constants.js';
import { ProtocolError, RsyncError } from '../../protocol/errors.js';
import { readDelStats, readStats, writeDelStats, writeStats } from '../../protocol/stats.js';
import { errnoOf } from '../libc/errno.js';
import type { ListReceiver } from '../receiving/list-receiver.js';
import { errnoText, exitLine, logLines } from '../report/log.js';
import { applyDelStats } from '../session/run-stats.js';
import type { Session } from '../session/session.js';
import { decode, decodeWhole } from '../transport/decode.js';

/** The end of a run (13.1 to 13.3), after the sender's loop and the receiver's loop have ended. */

/** A server that was the sender tells its statistics; the client shows them as its own. */
export function sendStatistics(session: Session): void {
  const { writer } = session.connection;
  const { stats, protocol } = session;
  session.countTraffic();
  writeStats(writer, protocol, {
    read: stats.received,
    written: stats.sent,
    totalSize: stats.totalSize,
    listBuildMs: stats.listBuildMs,
    listTransferMs: stats.listTransferMs,
  });
  writer.flush();
}

/** A client that pulled reads them: what the server read is what this side sent. */
export async function receiveStatistics(session: Session): Promise<void> {
  const { connection, stats, protocol } = session;
  const theirs = await decodeWhole(connection, (reader) => readStats(reader, protocol));
  stats.totalSize = theirs.totalSize;
  stats.listBuildMs = theirs.listBuildMs;
  stats.listTransferMs = theirs.listTransferMs;
  stats.sent = theirs.read;
  stats.received = theirs.written;
}

/** Sender: the last two NDX_DONE of the generator. */
export async function senderGoodbye(session: Session): Promise<void> {
  session.inGoodbye = true;
  const { connection, protocol } = session;
  if (protocol >= 31) {
    for (let ndx = await readIndex(session); ndx !== NDX_DONE; ndx = await readIndex(session)) {
      if (ndx !== NDX_DEL_STATS) throw new ProtocolError('file index', `${ndx} in the goodbye`);
      const counts = await decodeWhole(connection, readDelStats);
      applyDelStats(session.stats, counts);
      if (session.isServer) writeDelStats(connection.writer, session.ndxOut, counts);
    }
    session.ndxOut.write(connection.writer, NDX_DONE);
    connection.flush();
  }
  if (protocol >= 24) {
    const ndx = await readIndex(session);
    if (ndx !== NDX_DONE) throw new ProtocolError('file index', `${ndx} in the goodbye`);
  }
}

function readIndex({ connection, ndxIn }: Session): Promise<number> {
  return decode(connection, (reader) => ndxIn.read(reader));
}

/** Receiving side: waits for the answer to the end of the deletions; the goodbye itself is sent by the caller. */
export async function receiverGoodbye(session: Session, lists: ListReceiver): Promise<void> {
  session.inGoodbye = true;
  if (session.protocol < 31) return;
  const ndx = await lists.nextIndex();
  if (ndx !== NDX_DONE) throw new ProtocolError('file index', `${ndx} in the goodbye`);
}

/** Exit codes that a peer is not told: it notices by itself, or cannot be reached. */
const NOT_ANNOUNCED = new Set<number>([Exit.SOCKETIO, Exit.STREAMIO, Exit.SIGNAL1, Exit.TIMEOUT]);
const LINGER_MS = 10_000;

/**
 * What ends a run. A file-system error that nobody expected to be fatal becomes exit code 11; anything else that is not
 * of this program's own making is thrown again.
 */
export function asRunError(error: unknown, role: string): RsyncError {
  if (error instanceof RsyncError) return error;
  const call = (error as NodeJS.ErrnoException | null)?.syscall;
  if (call === undefined || errnoOf(error) === 0) throw error;
  return new RsyncError(Exit.FILEIO, `rsync: [${role}] ${call} failed: ${errnoText(error)}`);
}

/** Says why the run ends, if nobody has: the text, then the line with the exit code. */
function tell(session: Session, error: RsyncError): void {
  if (error.told) return;
  error.told = true;
  if (!error.silent && error.message !== '') logLines(session.log, 'error', `${error.message}\n`);
  session.log.error(exitLine(error.exitCode, session.connection.role));
}

/**
 * Tells the peer about a fatal error (13.3) and reads on until it has closed, so that nothing said before is lost.
 * The text of a server travels as a message.
 */
export async function announceFailure(session: Session, error: RsyncError): Promise<void> {
  const { connection } = session;
  const { writer } = connection;
  const announces = session.protocol >= 31 && writer.framed && !session.inGoodbye && !NOT_ANNOUNCED.has(error.exitCode);
  // The wait has an end only if this side stays silent, too.
  connection.quiet = true;
  try {
    // What a remote shell ends with may be the better exit code for a connection that was closed.
    const isClosed = error.exitCode === Exit.STREAMIO || error.exitCode === Exit.SOCKETIO;
    if (session.isServer || !isClosed) tell(session, error);
    if (!announces) {
      writer.flush();
      return;
    }
    session.inGoodbye = true;
    connection.revive();
    session.sendNumber(Msg.ERROR_EXIT, error.exitCode);
    writer.flush();
    connection.setTimeout(LINGER_MS / 1000);
    // A peer that has understood answers in kind and waits for the end of the connection.
    for (session.isLeaving = true; !session.peerLeft; ) {
      connection.reader.drop();
      if (session.peerLeft || !(await connection.fillOrEnd())) return;
    }
  } catch {
    // The connection is gone: there is nobody left to tell.
  }
}
