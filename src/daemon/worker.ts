import type net from 'node:net';
import { Exit } from '../../protocol/constants.js';
import type { ByteString } from '../../protocol/options.js';
import { tempRegistry } from '../files/temp.js';
import type { Log } from '../report/log.js';
import type { Connection } from '../transport/connection.js';
import { interruption } from '../transport/interrupt.js';
import { adoptSocket } from '../transport/streams.js';
import { Entrance, refusalOf } from './entrance.js';
import type { Place } from './identity.js';
import type { FromWorker, Job } from './job.js';
import { openLog, SharedLog } from './log-sink.js';
import { servePeer } from './peer.js';
import { preloadSession } from './preload.js';

/** Milliseconds after which a connection that is over is cut, whatever the client does. */
const LINGER_MS = 10_000;
/** Milliseconds that connections have to end in order after a signal. */
const GRACE_MS = 4000;

/**
 * A process that serves connections with the rights of one identity. It takes the identity on with its first
 * connection, and ends when its parent's channel is closed and no connection is left.
 */
class Worker {
  private readonly entrance = new Entrance();
  private readonly logs = new Map<ByteString, Log>();
  private readonly connections = new Set<Connection>();
  private live = 0;
  /** Ends with the last connection: the parent is gone, or wants it. */
  private leaving: number | null = null;
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

  async serve(job: Job, given: net.Socket): Promise<void> {
    this.live++;
    const log = new SharedLog(this.log(job.logFile));
    const head = Buffer.from(job.head, 'base64');
    const { socket, connection } = adoptSocket(given, head);
    try {
      socket.setKeepAlive(true);
      await this.loaded;
      const place = this.welcome(job, socket, log);
      if (place !== null) {
        this.connections.add(connection);
        await servePeer(connection, job, place, log).finally(() => this.connections.delete(connection));
      }
    } finally {
      this.live--;
      const { bound, spoiled } = this.entrance;
      this.tell({ kind: 'done', id: job.id, bound, spoiled });
      linger(socket);
      this.endIfDone();
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
    this.leaving ??= Exit.OK;
    this.endIfDone();
  }

  private endIfDone(): void {
    const code = this.leaving;
    if (code !== null && this.live === 0) setTimeout(() => process.exit(code), 100);
  }

  crash(error: unknown): void {
    for (const log of this.logs.values()) log.error(`internal error: ${String((error as Error)?.stack ?? error)}`);
    if (this.logs.size === 0) console.error(error);
    process.exit(Exit.CRASHED);
  }

  /** Ends every connection as an error does: the peers are told, unfinished files go or stay as --partial asks. */
  terminate(): void {
    if (this.leaving === Exit.SIGNAL) return;
    this.leaving = Exit.SIGNAL;
    for (const connection of this.connections) connection.fail(interruption());
    setTimeout(() => process.exit(Exit.SIGNAL), GRACE_MS);
    this.endIfDone();
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
  process.on('exit', () => tempRegistry.removeAll());
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
