import type { BackOff, Batch } from '../../live/types.js';
import type { HookAction, HookConfig } from '../config/types.js';
import { commandHook } from './command.js';
import { type Deliver, type Delivery, deliveryFor } from './delivery.js';
import { httpHook } from './http.js';
import { tcpHook } from './tcp.js';

/** Paths that may wait in one queue, whatever the number of batches. */
const MOST_PATHS = 500_000;

export interface HookStatus {
  name: string;
  queued: number;
  delivered: number;
  /** Deliveries that were given up after all their tries, or that the full queue had no room for. */
  lost: number;
  /** Of the last try, null after a success. */
  lastError: string | null;
}

function delivererOf(action: HookAction): Deliver {
  switch (action.kind) {
    case 'command':
      return commandHook(action.command, action.separator);
    case 'http':
      return httpHook(action.url, action.headerFile, action.baseUrl);
    case 'tcp':
      return tcpHook(action.host, action.port);
  }
}

/** Milliseconds before try number `attempt` (from 1), up to a quarter less by chance. */
export function retryDelay(backOff: BackOff, attempt: number): number {
  const whole = Math.min(backOff.firstMs * 2 ** Math.min(attempt - 1, 30), backOff.mostMs);
  return whole * (1 - Math.random() / 4);
}

/** Delivers batches to one hook, one after the other, in the background: nothing ever waits for it. */
export class HookRunner {
  private readonly queue: Delivery[] = [];
  private queuedPaths = 0;
  private running: Promise<void> | null = null;
  private readonly ending = new AbortController();
  private readonly deliver: Deliver;
  private readonly state = { delivered: 0, lost: 0, lastError: null as string | null };
  private full = false;

  constructor(
    readonly config: HookConfig,
    private readonly log: (kind: 'info' | 'warning' | 'error', text: string) => void,
  ) {
    this.deliver = delivererOf(config.action);
  }

  /** Takes a batch when it concerns this hook. The oldest one gives way when the queue is full. */
  offer(batch: Batch): void {
    const delivery = deliveryFor(this.config, batch);
    if (delivery === null || this.ending.signal.aborted) return;
    this.queue.push(delivery);
    this.queuedPaths += delivery.paths.length + delivery.deleted.length;
    // The first one is being delivered.
    while (this.queue.length > 2 && (this.queue.length > this.config.queue + 1 || this.queuedPaths > MOST_PATHS)) {
      this.remove(1);
      this.state.lost++;
      if (!this.full) this.log('warning', `hook ${this.config.name}: queue is full, the oldest batches are dropped`);
      this.full = true;
    }
    this.running ??= this.work().finally(() => {
      this.running = null;
    });
  }

  status(): HookStatus {
    return { name: this.config.name, queued: this.queue.length, ...this.state };
  }

  /** Waits at most `ms` for the queue to empty, then gives up what is left; returns the number of lost batches. */
  async stop(ms: number): Promise<number> {
    const timer = setTimeout(() => this.ending.abort(new Error('the service ends')), ms);
    await this.running;
    clearTimeout(timer);
    this.ending.abort(new Error('the service ends'));
    return this.queue.length;
  }

  private remove(index: number): void {
    const [gone] = this.queue.splice(index, 1);
    this.queuedPaths -= gone.paths.length + gone.deleted.length;
  }

  private async work(): Promise<void> {
    while (this.queue.length > 0) {
      if (!(await this.deliverFirst())) return;
      this.remove(0);
      this.full = this.queue.length > this.config.queue;
    }
  }

  /** Tries the first of the queue as often as is allowed; false when the service ends. */
  private async deliverFirst(): Promise<boolean> {
    const { name, retries, backOff, timeoutMs } = this.config;
    for (let attempt = 1; ; attempt++) {
      if (this.ending.signal.aborted) return false;
      try {
        await this.deliver(this.queue[0], AbortSignal.any([this.ending.signal, AbortSignal.timeout(timeoutMs)]));
        if (this.state.lastError !== null) this.log('info', `hook ${name}: works again`);
        this.state.lastError = null;
        this.state.delivered++;
        return true;
      } catch (error) {
        if (this.ending.signal.aborted) return false;
        this.failed(error as Error, attempt);
        if (attempt > retries) return true;
      }
      await pause(retryDelay(backOff, attempt), this.ending.signal);
    }
  }

  private failed(error: Error, attempt: number): void {
    const { name, retries, timeoutMs } = this.config;
    const text = error.name === 'TimeoutError' ? `no end after ${timeoutMs} ms` : error.message;
    const lost = attempt > retries;
    if (lost) this.state.lost++;
    if (lost && this.state.lastError !== null)
      this.log('error', `hook ${name}: given up after ${attempt} tries: ${text}`);
    else if (this.state.lastError === null) {
      this.log(lost ? 'error' : 'warning', `hook ${name}: ${text}${lost ? '' : '; it is tried again'}`);
    }
    this.state.lastError = text;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
