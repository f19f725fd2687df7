import { type ChildProcess, fork } from 'node:child_process';
import type net from 'node:net';
import os from 'node:os';
import type { Duplex } from 'node:stream';
import type { HookRequest } from '../hooks/hooks.js';
import { NOT_SERVED, rawStatus } from '../hooks/process.js';
import { answerNames, NAME_FD } from '../modules/name-channel.js';
import type { FromWorker, Job, ToWorker } from './job.js';
import type { Held } from './stay.js';

/** Workers of one identity: one per core helps, more only cost memory. */
const MAX_PER_IDENTITY = Math.min(os.availableParallelism(), 4);
const SWEEP_MS = 5_000;
/** The start of a process takes a core for so long: a connection that has just taken the spare one goes first. */
const SPARE_DELAY_MS = 150;

export interface PoolSettings {
  /** The script that a worker runs. */
  entry: string;
  complain(text: string): void;
  /** A worker without connections ends after so many milliseconds. */
  idleMs: number;
}

/** A connection that a worker has, or is about to get. */
interface Passed {
  stay: Held;
  /** This process's hold on the socket. Node gives it up when the worker has it, but not when the worker dies before. */
  hold: { close(): void } | null;
}

class Worker {
  /** Identity that it belongs to, null while it can still take on any. */
  key: string | null = null;
  /** By job id. */
  readonly jobs = new Map<number, Passed>();
  idleSince = Date.now();
  retired = false;

  constructor(readonly child: ChildProcess) {}

  get load(): number {
    return this.jobs.size;
  }
}

/** What of a socket goes to another process; Node has no public name for it, and takes it off the socket then. */
function holdOn(socket: net.Socket): Passed['hold'] {
  return (socket as unknown as { _handle: Passed['hold'] })._handle;
}

function isSpare(worker: Worker): boolean {
  return worker.key === null && !worker.retired;
}

/**
 * The worker processes of a daemon. A spare one, which has no identity yet, is always kept warm, so that a connection
 * never waits for a process to start.
 */
export class Pool {
  private readonly workers = new Set<Worker>();
  private readonly sweeper: NodeJS.Timeout;
  private closing = false;
  /** Consecutive workers that died before they were ready; stops a loop of failing starts. */
  private failedStarts = 0;
  private respawn: NodeJS.Timeout | null = null;

  constructor(private readonly settings: PoolSettings) {
    this.sweeper = setInterval(() => this.sweep(), Math.min(SWEEP_MS, Math.max(100, settings.idleMs)));
    this.sweeper.unref();
    this.spawn();
  }

  /** Process ids, for tests and statistics. */
  get pids(): number[] {
    return [...this.workers].map((w) => w.child.pid ?? 0);
  }

  /** Hands a connection over; its stay is ended when it is over in whatever way. */
  serve(key: string, job: Job, socket: net.Socket, stay: Held): void {
    // A worker that waits for names waits with all that it has, so that it must have nothing else, before or after.
    const worker = this.choose(job.convertsNames ? `${key} ${job.id}` : key);
    worker.key = key;
    worker.retired ||= job.convertsNames;
    worker.jobs.set(job.id, { stay, hold: holdOn(socket) });
    // A socket that is not passed on is this process's again, and nobody else will ever close it.
    worker.child.send(job, socket, (error) => {
      if (error === null) return;
      socket.destroy();
      this.finish(worker, job.id, NOT_SERVED);
    });
    this.keepSpare();
  }

  private choose(key: string): Worker {
    let best: Worker | null = null;
    let count = 0;
    let spare: Worker | null = null;
    for (const worker of this.workers) {
      if (worker.retired) continue;
      if (worker.key === null) spare ??= worker;
      if (worker.key !== key) continue;
      count++;
      if (best === null || worker.load < best.load) best = worker;
    }
    if (best !== null && (best.load === 0 || count >= MAX_PER_IDENTITY)) return best;
    return spare ?? this.spawn();
  }

  private spawn(): Worker {
    const child = fork(this.settings.entry, [], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
      execArgv: process.execArgv.filter((arg) => !arg.startsWith('--inspect')),
    });
    const worker = new Worker(child);
    this.workers.add(worker);
    answerNames(child.stdio[NAME_FD] as Duplex, (id, request) => {
      return worker.jobs.get(id)?.stay.hooks?.convert(request) ?? Promise.resolve('');
    });
    child.on('message', (message: FromWorker) => this.heard(worker, message));
    child.on('error', (error) => this.settings.complain(`worker: ${error.message}`));
    child.on('exit', (code, signal) => this.gone(worker, code, signal));
    return worker;
  }

  private heard(worker: Worker, message: FromWorker): void {
    this.failedStarts = 0;
    if (message.kind === 'request') void this.ask(worker, message.id, message.request);
    if (message.kind !== 'done') return;
    worker.retired ||= message.spoiled;
    this.finish(worker, message.id, rawStatus(message.code, null));
    if (!message.bound && worker.load === 0) worker.key = null;
  }

  /** Has a client's request looked at. Nobody waits for the answer when the worker is gone. */
  private async ask(worker: Worker, id: number, request: HookRequest): Promise<void> {
    const hooks = worker.jobs.get(id)?.stay.hooks ?? null;
    if (hooks === null) return;
    const refusal = await hooks.begin(request);
    if (worker.child.connected) worker.child.send({ kind: 'answer', id, refusal } satisfies ToWorker, () => {});
  }

  private finish(worker: Worker, id: number, status: number): void {
    const passed = worker.jobs.get(id);
    if (passed === undefined) return;
    worker.jobs.delete(id);
    worker.idleSince = Date.now();
    passed.stay.end(status);
    if (worker.retired && !this.isAwaited(worker)) this.dismiss(worker);
  }

  private gone(worker: Worker, code: number | null, signal: NodeJS.Signals | null): void {
    this.workers.delete(worker);
    const { pid } = worker.child;
    if (!this.closing && (worker.load > 0 || (signal !== null && !worker.retired))) {
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      this.settings.complain(`worker ${pid} ended ${how}; connections lost: ${worker.load}`);
    }
    for (const [id, { hold }] of [...worker.jobs]) {
      hold?.close();
      this.finish(worker, id, rawStatus(code, signal));
    }
    if (worker.key === null) this.failedStarts++;
    this.keepSpare();
  }

  private keepSpare(): void {
    if (this.closing || this.respawn !== null) return;
    if ([...this.workers].some(isSpare)) return;
    const delay = this.failedStarts === 0 ? SPARE_DELAY_MS : 100 * 2 ** this.failedStarts;
    this.respawn = setTimeout(
      () => {
        this.respawn = null;
        if (![...this.workers].some(isSpare)) this.spawn();
      },
      Math.min(30_000, delay),
    );
  }

  private sweep(): void {
    let spares = 0;
    for (const worker of this.workers) {
      if (worker.load > 0) continue;
      if (worker.key === null && spares++ === 0) continue;
      if (Date.now() - worker.idleSince >= this.settings.idleMs) this.dismiss(worker);
    }
  }

  /** True as long as this process has something to do with the worker's connections, or when they end. */
  private isAwaited(worker: Worker): boolean {
    if (!this.closing) return worker.load > 0;
    return [...worker.jobs.values()].some(({ stay }) => stay.hooks !== null);
  }

  private dismiss(worker: Worker): void {
    worker.retired = true;
    // A worker whose channel closes ends by itself when its last connection is over.
    if (worker.child.connected) worker.child.disconnect();
    if (this.closing) worker.child.unref();
  }

  /** Lets every worker end after its present connections, so that new ones meet new settings and log files. */
  retireAll(): void {
    for (const worker of this.workers) {
      worker.retired = true;
      if (worker.load === 0) this.dismiss(worker);
    }
    this.keepSpare();
  }

  private stop(): void {
    this.closing = true;
    clearInterval(this.sweeper);
    if (this.respawn !== null) clearTimeout(this.respawn);
  }

  /** Leaves the workers to themselves, those with hooks when these are over: each ends with its last connection. */
  release(): void {
    this.stop();
    for (const worker of this.workers) {
      worker.retired = true;
      if (!this.isAwaited(worker)) this.dismiss(worker);
    }
  }

  /** Ends all workers, with their connections, and waits until they are gone. */
  async close(): Promise<void> {
    this.stop();
    const ends = [...this.workers].map((worker) => endWorker(worker.child));
    await Promise.all(ends);
  }
}

/** Milliseconds that a worker has to clean up before it is killed. */
const GRACE_MS = 5_000;

function endWorker(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
