import type net from 'node:net';
import { Exit } from '../../protocol/constants.js';
import type { ByteString } from '../../protocol/options.js';
import { exitLine, type Log } from '../report/log.js';
import { connectSocket } from '../transport/streams.js';
import { Entrance, refusalOf } from './entrance.js';
import type { Place } from './identity.js';
import type { FromWorker, Job } from './job.js';
import { openLog, SharedLog } from './log-sink.js';
import { servePeer } from './peer.js';
import { preloadSession } from './preload.js';
import { acknowledgeSmall } from './quick-ack.js';

/** Milliseconds after which a connection that is over is cut, whatever the client does. */
const LINGER_MS = 10_000;

/**
 * A process that serves connections with the rights of one identity. It takes the identity on with its first
 * connection, and ends when its parent's channel is closed and no connection is left.
 */
class Worker {
  private readonly entrance = new Entrance();
  private readonly logs = new Map<ByteString, Log>();
  private live = 0;
  private orphaned = false;
  readonly loaded = preloadSession();

  tell(message: FromWorker): void {
    if (process.connected) process.send?.(message);
  }

  private log(path: ByteString): Log {
    let log = this.logs.get(path);
    if (log === undefined) {
      log = openLog(path);
      this.logs.set(path, log);
    }
    return log;
  }

  async serve(job: Job, socket: net.Socket): Promise<void> {
    this.live++;
    const log = new SharedLog(this.log(job.logFile));
    try {
      // Node would close our half as soon as the client closes its own; what is still to be sent must get through.
      socket.allowHalfOpen = true;
      socket.setKeepAlive(true);
      socket.on('error', () => {});
      await this.loaded;
      const place = this.welcome(job, socket, log);
      if (place !== null) {
        const connection = connectSocket(socket, Buffer.from(job.head, 'base64'));
        acknowledgeSmall(socket);
        await servePeer(connection, job, place, log);
      }
    } finally {
      this.live--;
      this.tell({ kind: 'done', id: job.id, bound: this.entrance.bound });
      linger(socket);
      this.endIfOrphaned();
    }
  }

  /** Tells the client that it may go on, or why not. */
  private welcome(job: Job, socket: net.Socket, log: Log): Place | null {
    try {
      const place = this.entrance.enter(job, log);
      socket.write('@RSYNCD: OK\n');
      return place;
    } catch (error) {
      const { line, reason } = refusalOf(error);
      log.info(reason);
      socket.end(Buffer.from(`${line}\n`, 'latin1'));
      socket.resume();
      return null;
    }
  }

  orphan(): void {
    this.orphaned = true;
    this.endIfOrphaned();
  }

  private endIfOrphaned(): void {
    if (this.orphaned && this.live === 0) setTimeout(() => process.exit(0), 100);
  }

  crash(error: unknown): void {
    for (const log of this.logs.values()) log.error(`internal error: ${String((error as Error)?.stack ?? error)}`);
    if (this.logs.size === 0) console.error(error);
    process.exit(Exit.CRASHED);
  }

  /** Ends at the daemon's request; what is unfinished is cleaned up by whoever registered for the exit. */
  terminate(): void {
    if (this.live > 0) for (const log of this.logs.values()) log.error(exitLine(Exit.SIGNAL, 'server'));
    process.exit(Exit.SIGNAL);
  }
}

function linger(socket: net.Socket): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  timer.unref();
  socket.once('end', () => socket.destroySoon());
  socket.once('close', () => clearTimeout(timer));
}

/** Runs this process as a worker of a daemon. */
export function runWorker(): void {
  const worker = new Worker();
  process.on('message', (job: Job, socket: net.Socket | undefined) => {
    if (job.kind !== 'serve' || socket === undefined) return;
    worker.serve(job, socket).catch((error) => worker.crash(error));
  });
  process.on('disconnect', () => worker.orphan());
  process.on('uncaughtException', (error) => worker.crash(error));
  process.on('SIGTERM', () => worker.terminate());
  process.on('SIGINT', () => worker.terminate());
  process.on('SIGHUP', () => {});
  worker.loaded.then(
    () => worker.tell({ kind: 'ready' }),
    (error) => worker.crash(error),
  );
}
