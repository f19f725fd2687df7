import type { ByteString } from '../../protocol/options.js';
import type { CreateMirror } from '../live/types.js';
import { errnoText } from '../report/errno.js';
import type { ServiceConfig } from './config/types.js';
import { nameText } from './names.js';
import { RunningSync } from './running-sync.js';
import type { LogKind, ServiceLog } from './service-log.js';
import { SharedSlots } from './slots.js';
import { History } from './status/history.js';
import { writeStatusFile } from './status/lsyncd-file.js';
import { type StatusServer, serveSocket, serveTcp } from './status/server.js';
import type { ControlCommand, Controlled, ServiceStatus } from './status/types.js';
import { VERSION } from './version.js';

/** All syncs of a configuration, and the servers that show them. */
export class LiveService implements Controlled {
  readonly history = new History();
  private readonly syncs = new Map<string, RunningSync>();
  private readonly slots: SharedSlots;
  private readonly started = Date.now();
  private readonly listeners = new Set<() => void>();
  private socket: StatusServer | null = null;
  private http: StatusServer | null = null;
  private sampler: NodeJS.Timeout | null = null;
  private fileTimer: NodeJS.Timeout | null = null;
  private fileTrouble = false;

  constructor(
    private config: ServiceConfig,
    private readonly log: ServiceLog,
    private readonly createMirror: CreateMirror,
  ) {
    this.slots = new SharedSlots(config.totalSessions);
  }

  /** Port of the HTTP server, 0 when there is none. */
  get httpPort(): number {
    return this.http?.port ?? 0;
  }

  /** Opens the servers and starts every sync. Rejects when a server that the configuration names cannot be had. */
  async start(): Promise<void> {
    await this.openSocket();
    await this.openHttp();
    for (const config of this.config.syncs) this.startSync(config);
    this.startTimers();
  }

  /** Resolves when every target has been in step once, or has failed. */
  async firstRound(): Promise<void> {
    await Promise.all([...this.syncs.values()].map((sync) => sync.first));
  }

  /** Changes over to another configuration: syncs that stay the same go on untouched. */
  async reload(config: ServiceConfig): Promise<void> {
    const before = this.config;
    this.config = config;
    this.slots.setLimit(config.totalSessions);
    const wanted = new Map(config.syncs.map((sync) => [sync.spec.name, sync]));
    for (const [name, sync] of this.syncs) {
      const next = wanted.get(name);
      if (next !== undefined && sync.isSameMirror(next)) {
        sync.update(next);
        wanted.delete(name);
      } else {
        // What was pending is not lost: a mirror that starts compares everything.
        await this.removeSync(sync, next === undefined);
      }
    }
    for (const sync of wanted.values()) this.startSync(sync);
    await this.reopenServers(before);
    this.startTimers();
    this.changed();
  }

  /** Ends everything, after what is pending has been sent as far as that is possible. Returns how much was left. */
  async stop(): Promise<number> {
    this.clearTimers();
    const all = [...this.syncs.values()];
    const deadline = Date.now() + this.config.drainMs;
    const left = await Promise.all(all.map((sync) => sync.stop(this.config.drainMs)));
    const batches = await Promise.all(all.map((sync) => sync.stopHooks(Math.max(0, deadline - Date.now()))));
    const lost = batches.reduce((sum, n) => sum + n, 0);
    if (lost > 0) this.log.line('warning', `${lost} batches were not delivered to their hooks`);
    this.writeFile();
    this.socket?.close();
    this.http?.close();
    return left.reduce((sum, n) => sum + n, 0);
  }

  status(): ServiceStatus {
    return {
      version: VERSION,
      pid: process.pid,
      now: Date.now(),
      started: this.started,
      config: nameText(this.config.file),
      sessions: this.slots.inUse,
      totalSessions: this.config.totalSessions,
      syncs: [...this.syncs.values()].map((sync) => sync.status()),
    };
  }

  control(command: ControlCommand, name?: string, target?: string): void {
    const one = name === undefined ? undefined : this.syncs.get(name);
    if (name !== undefined && one === undefined) throw new Error(`there is no sync ${name}`);
    for (const sync of one === undefined ? this.syncs.values() : [one]) sync.control(command, target);
    this.changed();
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }

  private startSync(config: ServiceConfig['syncs'][number]): void {
    const sync = new RunningSync(config, {
      createMirror: this.createMirror,
      slots: this.slots,
      log: (kind: LogKind, text: string) => this.log.line(kind, text),
      changed: () => this.changed(),
    });
    this.syncs.set(sync.name, sync);
    sync.start();
  }

  /** A sync that is gone from the configuration sends what it still has; one that only changed begins anew. */
  private async removeSync(sync: RunningSync, gone: boolean): Promise<void> {
    this.syncs.delete(sync.name);
    this.log.line('info', `${sync.name}: ${gone ? 'ended' : 'begins anew'}, the configuration changed`);
    const ending = sync.stop(gone ? this.config.drainMs : 0);
    const hooks = ending.then(() => sync.stopHooks(this.config.drainMs));
    if (!gone) await ending;
    hooks.catch((error) => this.log.line('error', `${sync.name}: ${error}`));
  }

  private async openSocket(): Promise<void> {
    const { socket, socketGiven } = this.config;
    if (socket === '') return;
    try {
      this.socket = await serveSocket(this, socket);
    } catch (error) {
      const text = `status socket ${nameText(socket)}: ${errnoText(error)}`;
      if (socketGiven) throw new Error(text);
      this.log.line('warning', `${text}; going on without it`);
    }
  }

  private async openHttp(): Promise<void> {
    const { http } = this.config;
    if (http === null) return;
    try {
      this.http = await serveTcp(this, http.host, http.port);
    } catch (error) {
      throw new Error(`http port ${http.host}:${http.port}: ${errnoText(error)}`);
    }
  }

  /** Servers whose address changed; one that cannot be had is logged and left out. */
  private async reopenServers(before: ServiceConfig): Promise<void> {
    const { config } = this;
    try {
      if (config.socket !== before.socket) {
        this.socket?.close();
        this.socket = null;
        await this.openSocket();
      }
      if (JSON.stringify(config.http) !== JSON.stringify(before.http)) {
        this.http?.close();
        this.http = null;
        await this.openHttp();
      }
    } catch (error) {
      this.log.line('error', (error as Error).message);
    }
  }

  private startTimers(): void {
    this.clearTimers();
    this.sampler = setInterval(() => this.history.sample(this.status()), this.history.step * 1000);
    this.history.sample(this.status());
    if (this.config.statusFile === '') return;
    this.fileTimer = setInterval(() => this.writeFile(), this.config.statusIntervalMs);
    this.writeFile();
  }

  private clearTimers(): void {
    if (this.sampler !== null) clearInterval(this.sampler);
    if (this.fileTimer !== null) clearInterval(this.fileTimer);
  }

  private writeFile(): void {
    const path: ByteString = this.config.statusFile;
    if (path === '') return;
    try {
      writeStatusFile(path, this.status());
      this.fileTrouble = false;
    } catch (error) {
      if (!this.fileTrouble) this.log.line('error', `status file ${nameText(path)}: ${errnoText(error)}`);
      this.fileTrouble = true;
    }
  }
}
