import type net from 'node:net';
import { RsyncError } from '../../../protocol/errors.js';
import type { ByteString } from '../../../protocol/options.js';
import { exitLine, FileLog, type Log, SPOKEN_VERSION } from '../../report/log.js';
import { isTrustedProxy } from '../clients/access.js';
import { plainAddress } from '../clients/address.js';
import { clientName, UNDETERMINED } from '../clients/names.js';
import { readProxyHeader } from '../clients/proxy.js';
import { type DaemonConfig, isStale, markFresh } from '../config/config.js';
import { Dialogue, stopReading } from '../dialogue.js';
import { Gate } from '../gate/gate.js';
import { hasDaemonRights } from '../gate/rights.js';
import { type Admission, greet, type Hall, handshakeSeconds } from '../greet.js';
import { NOT_SERVED } from '../hooks/process.js';
import { type Listeners, listen } from '../listen.js';
import { closeLog, type LogPlace, logKey, logVersion, openLog, StderrLog } from '../log-sink.js';
import { createPidFile, type PidFile } from '../pid-file.js';
import { type Job, jobFor } from './job.js';
import { Pool } from './pool.js';
import { Slots } from './slots.js';
import type { Held } from './stay.js';

/** Connections that may be in their text part at once; more are closed at once. */
const MAX_HANDSHAKES = 2000;
const IDLE_MS = 60_000;

export interface DaemonSettings {
  /** Reads the configuration anew; throws when it is broken. */
  load(): DaemonConfig;
  /** Overrides; '' and null where the configuration decides. */
  address: string;
  port: number | null;
  family: 0 | 4 | 6;
  logFile: ByteString;
  logFormat: ByteString;
  /** KiB per second for each connection, 0 for no limit. */
  bwlimit: number;
  workerEntry: string;
  /** Milliseconds after which a worker without connections ends; 0 for the default. */
  idleMs: number;
}

/**
 * The parent of a daemon. It listens, leads the text part of each connection, and hands the socket to a worker that
 * runs with the module's rights: it never touches a module's files itself.
 */
export class Daemon {
  private config: DaemonConfig;
  private log: Log;
  private readonly logPlace: LogPlace;
  private logStamp: string;
  private readonly slots = new Slots();
  private readonly dialogues = new Set<Dialogue>();
  private readonly hooked: Hall['hooked'] = new Set();
  private pool: Pool | null = null;
  private listeners: Listeners | null = null;
  private pidFile: PidFile | null = null;
  /** Leads the text part instead of this process, where the configuration says who is to do so. */
  private gate: Gate | null = null;
  private nextId = 1;
  private crowded = false;

  constructor(private readonly settings: DaemonSettings) {
    this.config = settings.load();
    const { defaults } = this.config;
    this.logPlace = { ...defaults, logFile: settings.logFile || defaults.logFile };
    this.log = openLog(this.logPlace);
    this.logStamp = logVersion(this.logPlace.logFile);
  }

  /** What the configuration's author should know. */
  get notices(): readonly ByteString[] {
    return this.config.notices;
  }

  /** What there is to say is kept, in a file or by the system. */
  get keepsLog(): boolean {
    return !(this.log instanceof StderrLog);
  }

  /** The configured "socket options". */
  get socketOptions(): ByteString {
    return this.config.global.socketOptions;
  }

  get workerPids(): number[] {
    return this.pool?.pids ?? [];
  }

  /** Begins to listen. Errors: 10 when no address can be listened on, 11 for the pid file. Returns the port. */
  async start(): Promise<number> {
    const { settings, config } = this;
    for (const text of this.notices) this.log.warning(text);
    try {
      if (config.global.pidFile !== '') this.pidFile = createPidFile(config.global.pidFile);
      const port = settings.port ?? (config.global.port || 873);
      if (port !== 0) this.announce(port);
      this.listeners = await listen(
        {
          address: settings.address || config.global.address,
          port,
          family: settings.family,
          backlog: config.global.listenBacklog,
        },
        this.log,
        (socket) => this.accept(socket),
      );
    } catch (error) {
      if (error instanceof RsyncError) {
        this.log.error(error.message);
        this.log.error(exitLine(error.exitCode, 'Receiver'));
      }
      this.pidFile?.remove();
      throw error;
    }
    if (settings.port === 0) this.announce(this.listeners.port);
    const idleMs = settings.idleMs || IDLE_MS;
    this.pool = new Pool({ entry: settings.workerEntry, idleMs, complain: (text) => this.log.error(text) });
    if (hasDaemonRights(config)) this.openGate();
    return this.listeners.port;
  }

  private openGate(): Gate {
    const gate = new Gate({
      entry: this.settings.workerEntry,
      config: this.config,
      overrides: this.settings,
      pass: (key, job, socket, stay) => this.passOn(key, job, socket, stay, gate),
      complain: (text) => this.log.error(text),
    });
    this.gate = gate;
    return gate;
  }

  /** Lets the gate go on with what it has; the next connection finds another one. */
  private leaveGate(): void {
    this.gate?.leave(false);
    this.gate = null;
  }

  private passOn(key: string, job: Job, socket: net.Socket, stay: Held, gate: Gate): void {
    stopReading(socket);
    if (stay.hooks !== null) {
      this.hooked.add(gate.over);
      void gate.over.then(() => this.hooked.delete(gate.over));
    }
    if (this.pool === null) {
      stay.end(NOT_SERVED);
      socket.destroy();
      return;
    }
    job.id = this.nextId++;
    this.pool.serve(key, job, socket, stay);
  }

  private announce(port: number): void {
    this.log.info(`rsyncd version ${SPOKEN_VERSION} starting, listening on port ${port}`);
  }

  private accept(socket: net.Socket): void {
    if (this.dialogues.size >= MAX_HANDSHAKES) {
      if (!this.crowded) this.log.warning(`more than ${MAX_HANDSHAKES} connections before login: closing new ones`);
      this.crowded = true;
      socket.destroy();
      return;
    }
    this.crowded = false;
    const dialogue = new Dialogue(socket, socket);
    this.dialogues.add(dialogue);
    socket.once('close', () => this.dialogues.delete(dialogue));
    this.receive(dialogue, socket).catch((error) => {
      this.log.error(`internal error: ${String((error as Error).stack)}`);
      socket.destroy();
    });
  }

  private async receive(dialogue: Dialogue, socket: net.Socket): Promise<void> {
    this.refresh(false);
    const { config, log, slots } = this;
    const client = { address: plainAddress(socket.remoteAddress ?? '0.0.0.0'), name: UNDETERMINED };
    if (config.global.proxyProtocol) {
      dialogue.deadline(handshakeSeconds(config.defaults));
      const trusted = await isTrustedProxy(config.global.proxyProtocolHosts, client, (text) => log.info(text));
      if (!trusted) log.info(`proxy protocol rejected from untrusted peer ${client.name} (${client.address})`);
      const header = trusted ? await readProxyHeader(dialogue) : null;
      if (header === null) {
        dialogue.close();
        return;
      }
      if (header.address !== null) client.address = header.address;
    }
    if (hasDaemonRights(config)) {
      // The new root may have nothing that tells names.
      if (config.defaults.reverseLookup) client.name = await clientName(client.address, (text) => log.info(text));
      const head = dialogue.release(true).toString('base64');
      this.dialogues.delete(dialogue);
      if (this.gate?.isUseless !== false) this.openGate();
      this.gate?.receive(socket, client, head);
      return;
    }
    const { hooked } = this;
    const hall: Hall = { config, log, slots, env: process.env, overTcp: true, hookOutput: 'inherit', hooked };
    const admission = await greet(dialogue, client, hall);
    if (typeof admission !== 'number') await this.pass(dialogue, socket, admission);
  }

  /** Hands an admitted connection to a worker. */
  private async pass(dialogue: Dialogue, socket: net.Socket, admission: Admission): Promise<void> {
    await dialogue.flushed();
    const { stay, identity } = admission;
    if (dialogue.fate !== '' || this.pool === null) {
      stay.end(NOT_SERVED);
      dialogue.close();
      return;
    }
    const head = dialogue.release(true).toString('base64');
    this.dialogues.delete(dialogue);
    const job = this.jobOf(admission, head);
    const { config } = job;
    const key = JSON.stringify([identity, logKey(config), logVersion(config.logFile)]);
    this.pool.serve(key, job, socket, stay);
  }

  private jobOf(admission: Admission, head: string): Job {
    const { settings } = this;
    const job = jobFor(admission, settings, head, true);
    job.id = this.nextId++;
    // The file has to be there before its version is asked for, or the next connection would find another one.
    const { config } = job;
    if (config.logFile !== '' && logVersion(config.logFile) === 'none') closeLog(openLog(config));
    return job;
  }

  /** Follows changes of the configuration and of the log file. A broken configuration leaves the old one in force. */
  private refresh(force: boolean): void {
    if (force || isStale(this.config)) this.reload();
    if (force || logVersion(this.logPlace.logFile) !== this.logStamp) this.reopenLog();
  }

  private reload(): void {
    try {
      this.config = this.settings.load();
      this.leaveGate();
      for (const text of this.notices) this.log.warning(text);
    } catch (error) {
      this.log.error(`${(error as Error).message}; the previous configuration stays in force`);
      markFresh(this.config);
    }
  }

  private reopenLog(): void {
    if (!(this.log instanceof FileLog)) return;
    try {
      this.leaveGate();
      this.log.reopen();
    } catch {
      // The old file stays in use.
    }
    this.logStamp = logVersion(this.logPlace.logFile);
  }

  /** SIGHUP: reads the configuration, reopens the log, and lets workers end after their present connections. */
  hup(): void {
    this.refresh(true);
    this.pool?.retireAll();
  }

  /**
   * Stops listening and ends every connection; with `finishing` those of logged-in clients go on to their end, in workers
   * that nobody waits for. Connections that have hooks are waited for, as these run here.
   */
  async close(finishing = false): Promise<void> {
    this.listeners?.close();
    for (const dialogue of this.dialogues) {
      dialogue.input.destroy();
      dialogue.output.destroy();
    }
    if (finishing) this.pool?.release();
    else await this.pool?.close();
    this.pool = null;
    this.gate?.leave(true);
    this.gate = null;
    this.pidFile?.remove();
    this.pidFile = null;
    await Promise.all(this.hooked);
    closeLog(this.log);
  }
}
