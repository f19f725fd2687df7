import type net from 'node:net';
import { Exit } from '../../../protocol/constants.js';
import type { ByteString } from '../../../protocol/options.js';
import { tempRegistry } from '../../files/temp.js';
import type { Log } from '../../report/log.js';
import { stayForLong } from '../../session/engine.js';
import type { Connection } from '../../transport/connection.js';
import { interruption } from '../../transport/interrupt.js';
import { adoptSocket } from '../../transport/streams.js';
import { GateProcess } from '../gate/process.js';
import type { HookRequest } from '../hooks/hooks.js';
import { type LogPlace, logKey, openLog, SharedLog } from '../log-sink.js';
import { servePeer } from '../peer.js';
import { openStdio, serveOnStdio } from '../stdio/session.js';
import { Entrance, refusalOf } from './entrance.js';
import type { Place } from './identity.js';
import type { FromWorker, Job, ToGate, ToWorker } from './job.js';
import { preloadSession } from './preload.js';

/** Milliseconds after which a connection that is over is cut, whatever the client does. */
const LINGER_MS = 10_000;
/** Milliseconds that connections have to end in order after a signal. */
const GRACE_MS = 4000;
/** Exit code of a client that was turned away. */
const TURNED_AWAY = 255;

/**
 * A process that serves connections with the rights of one identity. It takes the identity on with its first
 * connection, and ends when its parent's channel is closed and no connection is left.
 */
class Worker {
  private readonly entrance = new Entrance();
  private readonly logs = new Map<ByteString, Log>();
  private readonly connections = new Set<Connection>();
  /** Those who wait for an answer of the parent, by job id. */
  private readonly asking = new Map<number, (refusal: ByteString | null) => void>();
  private live = 0;
  /** Ends with the last connection: the parent is gone, or wants it. */
  private leaving: number | null = null;
  readonly loaded = preloadSession().then(stayForLong);

  tell(message: FromWorker): void {
    if (process.connected) process.send?.(message);
  }

  private log(place: LogPlace): Log {
    const key = logKey(place);
    let log = this.logs.get(key);
    if (log === undefined) {
      log = openLog(place);
      this.logs.set(key, log);
    }
    return log;
  }

  async serve(job: Job, given: net.Socket): Promise<void> {
    this.live++;
    const log = new SharedLog(this.log(job.config));
    const head = Buffer.from(job.head, 'base64');
    const { socket, connection } = adoptSocket(given, head);
    let code = TURNED_AWAY;
    try {
      socket.setKeepAlive(true);
      await this.loaded;
      const place = await this.welcome(job, socket, log);
      if (place !== null) {
        this.connections.add(connection);
        const ask = (request: HookRequest) => this.ask(job.id, request);
        code = await servePeer(connection, job, place, log, ask).finally(() => this.connections.delete(connection));
      }
    } finally {
      this.live--;
      const { bound, spoiled } = this.entrance;
      this.tell({ kind: 'done', id: job.id, code, bound, spoiled });
      linger(socket);
      this.endIfDone();
    }
  }

  /** Serves the one connection that this process was started with. */
  async serveStdio(job: Job): Promise<void> {
    this.live++;
    await this.loaded;
    const ask = (request: HookRequest) => this.ask(job.id, request);
    const began = (connection: Connection) => this.connections.add(connection);
    const head = Buffer.from(job.head, 'base64');
    const code = await serveOnStdio(job, openStdio(job.overTcp), head, this.log(job.config), ask, began);
    process.exit(code);
  }

  private ask(id: number, request: HookRequest): Promise<ByteString | null> {
    if (!process.connected) return Promise.resolve(NOBODY_TO_ASK);
    return new Promise((resolve) => {
      this.asking.set(id, resolve);
      this.tell({ kind: 'request', id, request });
    });
  }

  answered(id: number, refusal: ByteString | null): void {
    this.asking.get(id)?.(refusal);
    this.asking.delete(id);
  }

  /** Tells the client that it may go on, or why not. */
  private async welcome(job: Job, socket: net.Socket, log: Log): Promise<Place | null> {
    try {
      const place = await this.entrance.enter(job, log);
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
    for (const id of [...this.asking.keys()]) this.answered(id, NOBODY_TO_ASK);
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

/** Why a transfer must not be that "pre-xfer exec" cannot be asked about. */
const NOBODY_TO_ASK = 'pre-xfer exec preparation failed';

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
  let gate: GateProcess | null = null;
  process.on('message', (message: ToWorker | ToGate, socket: net.Socket | undefined) => {
    if (message.kind === 'gate') {
      gate = new GateProcess(message, worker.loaded);
      return;
    }
    if (gate !== null) {
      gate.heard(message as ToGate, socket);
      return;
    }
    if (message.kind !== 'serve' && message.kind !== 'answer') return;
    if (message.kind === 'answer') worker.answered(message.id, message.refusal);
    else if (message.onStdio) worker.serveStdio(message).catch((error) => worker.crash(error));
    else if (socket !== undefined) worker.serve(message, socket).catch((error) => worker.crash(error));
  });
  process.on('exit', () => tempRegistry.removeAll());
  process.on('disconnect', () => {
    if (gate === null) worker.orphan();
    else gate.leave(true);
  });
  process.on('uncaughtException', (error) => worker.crash(error));
  process.on('SIGTERM', () => worker.terminate());
  process.on('SIGINT', () => worker.terminate());
  process.on('SIGHUP', () => {});
  worker.loaded.then(
    () => worker.tell({ kind: 'ready' }),
    (error) => worker.crash(error),
  );
}
