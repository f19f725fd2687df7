import { type ChildProcess, fork } from 'node:child_process';
import type net from 'node:net';
import type { ByteString } from '../../../protocol/options.js';
import type { Client } from '../clients/access.js';
import type { DaemonConfig } from '../config/config.js';
import { NOT_SERVED } from '../hooks/process.js';
import type { FromGate, Job, Overrides, ToGate } from '../workers/job.js';
import type { Held, HeldHooks } from '../workers/stay.js';

/** What a gate needs to know, and who takes the connections that it has admitted. */
export interface GateSettings {
  /** The script that workers run, too. */
  entry: string;
  config: DaemonConfig;
  overrides: Overrides;
  pass(key: string, job: Job, socket: net.Socket, stay: Held): void;
  complain(text: string): void;
}

/**
 * The process that talks to clients in place of the daemon's parent, when "daemon chroot", "daemon uid" or "daemon gid" are set:
 * it has taken these on, and so cannot start others. What it has admitted comes back, and goes to a worker of the parent's.
 */
export class Gate {
  private readonly child: ChildProcess;
  /** What waits for an answer, by number. */
  private readonly waiting = new Map<number, (answer: ByteString | null) => void>();
  private nextQuestion = 1;
  /** Settled when the process is gone. */
  readonly over: Promise<void>;
  /** Takes no more clients: it could not take on its rights, or is gone. */
  isUseless = false;

  constructor(private readonly settings: GateSettings) {
    this.child = fork(settings.entry, [], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'ignore'],
      execArgv: process.execArgv.filter((arg) => !arg.startsWith('--inspect')),
    });
    this.child.on('message', (message: FromGate, socket: net.Socket | undefined) => this.heard(message, socket));
    this.child.on('error', (error) => settings.complain(`gate: ${error.message}`));
    this.over = new Promise((resolve) => {
      this.child.once('exit', () => {
        this.isUseless = true;
        for (const answer of this.waiting.values()) answer(null);
        this.waiting.clear();
        resolve();
      });
    });
    const { config, overrides } = settings;
    this.tell({ kind: 'gate', config: { ...config, sources: new Map() }, overrides });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  private tell(message: ToGate, socket?: net.Socket): void {
    if (!this.child.connected) socket?.destroy();
    else this.child.send(message, socket, (error) => error !== null && socket?.destroy());
  }

  /** Hands a new connection over, with what was read of it already. */
  receive(socket: net.Socket, client: Client, head: string): void {
    this.tell({ kind: 'client', client, head }, socket);
  }

  private heard(message: FromGate, socket: net.Socket | undefined): void {
    if (message.kind === 'failed') this.isUseless = true;
    else if (message.kind === 'answer') {
      this.waiting.get(message.question)?.(message.text);
      this.waiting.delete(message.question);
    } else {
      const { stay, job, key, hasHooks } = message;
      if (socket === undefined) this.tell({ kind: 'over', stay, status: NOT_SERVED });
      else this.settings.pass(key, job, socket, this.held(stay, hasHooks));
    }
  }

  private held(stay: number, hasHooks: boolean): Held {
    const hooks: HeldHooks = {
      begin: (request) => this.ask((question) => ({ kind: 'request', stay, question, request })),
      convert: async (request) => (await this.ask((question) => ({ kind: 'convert', stay, question, request }))) ?? '',
    };
    return { hooks: hasHooks ? hooks : null, end: (status) => this.tell({ kind: 'over', stay, status }) };
  }

  private ask(make: (question: number) => ToGate): Promise<ByteString | null> {
    const question = this.nextQuestion++;
    return new Promise((resolve) => {
      this.waiting.set(question, resolve);
      if (this.isUseless) resolve('the daemon is going');
      else this.tell(make(question));
    });
  }

  /** It ends when it has nothing more to do with any connection; with `now`, those that are not admitted yet are closed. */
  leave(now: boolean): void {
    this.isUseless = true;
    this.tell({ kind: 'leave', now });
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}
