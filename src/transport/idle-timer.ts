/** What an idle timer tells its owner. */
export interface IdleEvents {
  /** Nothing has come or gone for `seconds`, which is as long as the limit. */
  expired(seconds: number): void;
  /** Nothing has gone out for half of the limit: the peer, which has a limit of its own, should hear something. */
  lull(): void;
}

/** Watches how long a connection has been silent. Times are milliseconds of `Date.now()`. */
export class IdleTimer {
  private timer: NodeJS.Timeout | null = null;
  private limitMs = 0;
  private lastIn = 0;
  private lastOut = 0;

  constructor(private readonly events: IdleEvents) {}

  /** Without a limit, nobody asks when something came; copies on this machine would look at the clock for each file. */
  noteInput(): void {
    if (this.timer !== null) this.lastIn = Date.now();
  }

  noteOutput(): void {
    if (this.timer !== null) this.lastOut = Date.now();
  }

  get seconds(): number {
    return this.limitMs / 1000;
  }

  /** Begins anew with another limit; 0 ends it. */
  start(seconds: number): void {
    this.stop();
    this.limitMs = seconds * 1000;
    if (seconds <= 0) return;
    this.lastIn = this.lastOut = Date.now();
    this.timer = setInterval(() => this.tick(), Math.min(1000, this.limitMs / 4));
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  private tick(): void {
    const now = Date.now();
    const idle = now - Math.max(this.lastIn, this.lastOut);
    if (idle >= this.limitMs) {
      this.events.expired(Math.floor(idle / 1000));
      return;
    }
    const lull = Math.ceil(this.limitMs / 2000) * 1000;
    if (now - this.lastOut >= lull) this.events.lull();
  }
}
