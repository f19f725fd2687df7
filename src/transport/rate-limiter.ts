/** Spreads writes over time so that the average stays below a rate. */
export class RateLimiter {
  private readonly queue: { view: Buffer; sent: () => void }[] = [];
  private owed = 0;
  private last = Date.now();
  private waiting = false;
  private idle: (() => void) | null = null;

  constructor(
    private readonly bytesPerSecond: number,
    private readonly out: (view: Buffer, sent: () => void) => void,
  ) {}

  write(view: Buffer, sent: () => void): void {
    this.queue.push({ view, sent });
    if (!this.waiting) this.step();
  }

  whenIdle(done: () => void): void {
    if (this.queue.length === 0 && !this.waiting) done();
    else this.idle = done;
  }

  private step(): void {
    this.waiting = false;
    const now = Date.now();
    this.owed = Math.max(0, this.owed - ((now - this.last) / 1000) * this.bytesPerSecond);
    this.last = now;
    while (this.queue.length > 0) {
      // A tenth of a second may be owed, so that small writes do not wait.
      if (this.owed > this.bytesPerSecond / 10) {
        this.waiting = true;
        setTimeout(() => this.step(), Math.max(1, (this.owed / this.bytesPerSecond) * 1000));
        return;
      }
      const { view, sent } = this.queue[0];
      const slice = Math.max(512, Math.min(view.length, Math.ceil(this.bytesPerSecond / 10)));
      this.owed += Math.min(slice, view.length);
      if (slice >= view.length) {
        this.queue.shift();
        this.out(view, sent);
      } else {
        this.queue[0].view = view.subarray(slice);
        this.out(view.subarray(0, slice), () => {});
      }
    }
    this.idle?.();
    this.idle = null;
  }
}
