import type net from 'node:net';
import { RsyncError } from '../../../protocol/errors.js';
import type { Log } from '../../report/log.js';
import { Dialogue } from '../dialogue.js';
import { greet, type Hall } from '../greet.js';
import { logKey, logVersion, openLog } from '../log-sink.js';
import { type FromGate, jobFor, type Overrides, type ToGate } from '../workers/job.js';
import { Slots } from '../workers/slots.js';
import type { Stay } from '../workers/stay.js';
import { type DaemonRights, takeOnDaemonRights } from './rights.js';

/** Connections that may be in their text part at once; more are closed at once. */
const MAX_HANDSHAKES = 2000;

type Opening = Extract<ToGate, { kind: 'gate' }>;
type ClientMessage = Extract<ToGate, { kind: 'client' }>;

/** The other end of a `Gate`: leads the text part of connections, with the daemon's own root directory, group and user. */
export class GateProcess {
  private readonly hall: Hall;
  private readonly log: Log;
  private readonly overrides: Overrides;
  private readonly logFile: string;
  private readonly dialogues = new Set<Dialogue>();
  private readonly stays = new Map<number, Stay>();
  private nextStay = 1;
  private isLeaving = false;
  /** null: they could not be taken on, which each client's record tells. */
  private readonly rights: Promise<DaemonRights | null>;
  private failure = '';

  /** `loaded`: nothing more has to be loaded. */
  constructor({ config, overrides }: Opening, loaded: Promise<void>) {
    this.overrides = overrides;
    const { defaults } = config;
    const place = { ...defaults, logFile: overrides.logFile || defaults.logFile };
    this.logFile = place.logFile;
    // The log is outside of the new root.
    this.log = openLog(place);
    const env = process.env;
    this.hall = {
      config,
      log: this.log,
      slots: new Slots(),
      env,
      overTcp: true,
      hookOutput: 'inherit',
      hooked: new Set(),
    };
    const taken = loaded.then(() => takeOnDaemonRights(config, env));
    this.rights = taken.catch((error) => {
      this.failure = error instanceof RsyncError ? error.message : String((error as Error).stack);
      this.tell({ kind: 'failed' });
      return null;
    });
  }

  private tell(message: FromGate, socket?: net.Socket): void {
    if (process.connected) process.send?.(message, socket, {}, (error) => error !== null && socket?.destroy());
    else socket?.destroy();
  }

  heard(message: ToGate, socket: net.Socket | undefined): void {
    if (message.kind === 'client' && socket !== undefined) void this.receive(message, socket);
    else if (message.kind === 'request')
      void this.answer(message.question, this.stays.get(message.stay)?.hooks?.begin(message.request));
    else if (message.kind === 'convert')
      void this.answer(message.question, this.stays.get(message.stay)?.hooks?.convert(message.request));
    else if (message.kind === 'over') this.end(message.stay, message.status);
    else if (message.kind === 'leave') this.leave(message.now);
  }

  private async answer(question: number, answer: Promise<string | null> | undefined): Promise<void> {
    this.tell({ kind: 'answer', question, text: (await answer) ?? null });
  }

  private async receive({ client, head }: ClientMessage, socket: net.Socket): Promise<void> {
    const dialogue = new Dialogue(socket, socket, Buffer.from(head, 'base64'));
    this.dialogues.add(dialogue);
    socket.once('close', () => this.forget(dialogue));
    const rights = await this.rights;
    if (rights === null) this.log.error(this.failure);
    if (rights === null || this.dialogues.size > MAX_HANDSHAKES) {
      socket.destroy();
      return;
    }
    const admission = await greet(dialogue, client, this.hall);
    if (typeof admission === 'number') return;
    await dialogue.flushed();
    const { stay } = admission;
    const number = this.nextStay++;
    this.stays.set(number, stay);
    const job = jobFor(admission, this.overrides, dialogue.release(true).toString('base64'), true);
    job.identity = { ...job.identity, daemon: rights };
    // Any other log than the daemon's own is one of the new root.
    const { config } = job;
    if (config.logFile !== '' && config.logFile !== this.logFile) config.logFile = `${rights.root}${config.logFile}`;
    const key = JSON.stringify([job.identity, logKey(config), logVersion(config.logFile)]);
    this.tell({ kind: 'pass', key, job, stay: number, hasHooks: stay.hooks !== null }, socket);
    this.forget(dialogue);
  }

  private forget(dialogue: Dialogue): void {
    this.dialogues.delete(dialogue);
    this.endIfDone();
  }

  private end(number: number, status: number): void {
    this.stays.get(number)?.end(status);
    this.stays.delete(number);
    this.endIfDone();
  }

  /** `now`: nobody who is not admitted yet will be. */
  leave(now: boolean): void {
    this.isLeaving = true;
    if (now) for (const dialogue of this.dialogues) dialogue.input.destroy();
    this.endIfDone();
  }

  private endIfDone(): void {
    if (!this.isLeaving || this.dialogues.size > 0 || this.stays.size > 0) return;
    void Promise.all(this.hall.hooked).then(() => process.exit(0));
  }
}
