import type { Carrier } from './carrier.js';
import { Connection } from './connection.js';
import { HandOver } from './handover.js';

/** One direction between two connections of this process. */
class MemoryPipe {
  private readonly queue: { view: Buffer; sent: () => void }[] = [];
  private paused = false;
  private ending = false;
  private reader: Connection | null = null;

  attach(reader: Connection): void {
    this.reader = reader;
  }

  write(view: Buffer, sent: () => void): void {
    this.queue.push({ view, sent });
    this.deliver();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.deliver();
  }

  end(): void {
    this.ending = true;
    this.deliver();
  }

  private deliver(): void {
    while (!this.paused && this.queue.length > 0) {
      const { view, sent } = this.queue.shift()!;
      this.reader?.received(view);
      sent();
    }
    if (this.ending && this.queue.length === 0) this.reader?.ended();
  }
}

/**
 * Two connections that are each other's peer, for a local copy within one process. `handsOver`: whole files may go past the
 * stream.
 */
export function connectMemory(handsOver = true): [Connection, Connection] {
  const there = new MemoryPipe();
  const back = new MemoryPipe();
  const carrier = (out: MemoryPipe, input: MemoryPipe): Carrier => ({
    write: (view, sent) => out.write(view, sent),
    pauseInput: () => input.pause(),
    resumeInput: () => input.resume(),
    endOutput: () => out.end(),
    destroy: () => out.end(),
  });
  const a = new Connection(carrier(there, back), true);
  const b = new Connection(carrier(back, there), true);
  if (handsOver) a.handOver = b.handOver = new HandOver();
  there.attach(b);
  back.attach(a);
  return [a, b];
}
