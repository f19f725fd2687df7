import type { Hooks } from '../hooks/hooks.js';
import type { Slot } from './slots.js';

/** What a worker may have asked about its connection. */
export type HeldHooks = Pick<Hooks, 'begin' | 'convert'>;

/** A stay, or what stands for one that another process has. */
export interface Held {
  readonly hooks: HeldHooks | null;
  end(status: number): void;
}

/** What one connection holds in the daemon's parent: its place among "max connections", and what its module runs around it. */
export class Stay implements Held {
  hooks: Hooks | null = null;
  private ended = false;

  constructor(private readonly slot: Slot) {}

  /** The connection is over, with this status of a process (waitpid). The slot is free when the last hook has ended. */
  end(status: number): void {
    if (this.ended) return;
    this.ended = true;
    if (this.hooks === null) this.slot.release();
    else void this.hooks.finish(status).then(() => this.slot.release());
  }
}
