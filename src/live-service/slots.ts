import type { SessionSlots } from '../live/types.js';

/** A limit of sessions that all mirrors of the service share. */
export class SharedSlots implements SessionSlots {
  private used = 0;
  private readonly waiting: (() => void)[] = [];

  /** `limit` 0: no limit. */
  constructor(private limit: number) {}

  get inUse(): number {
    return this.used;
  }

  async take(): Promise<() => void> {
    if (this.isFull()) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.used++;
    let held = true;
    return () => {
      if (held) this.giveBack();
      held = false;
    };
  }

  /** A new limit counts for what starts from now on. */
  setLimit(limit: number): void {
    this.limit = limit;
    while (this.waiting.length > 0 && !this.isFull()) {
      this.used++;
      this.waiting.shift()!();
    }
  }

  private isFull(): boolean {
    return this.limit > 0 && this.used >= this.limit;
  }

  private giveBack(): void {
    this.used--;
    if (this.waiting.length === 0 || this.isFull()) return;
    this.used++;
    this.waiting.shift()!();
  }
}
