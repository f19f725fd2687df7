/** Milliseconds that a role may run before it lets the event loop serve the socket and the other role. */
const SLICE_MS = 4;
/** The same for a role that has its process to itself, and makes much work of few bytes. */
const LONG_SLICE_MS = 40;
const CHECK_EVERY = 16;

/**
 * Cuts long synchronous work into slices. `due()` is cheap enough to be asked once per file. The clock is that of the day, a
 * fifth of the price of one that only goes forward: where it was set back, a slice ends.
 */
export class Pace {
  private calls = 0;
  private started = Date.now();
  /** What comes next may run for a long slice. */
  isLong = false;

  /** Starts the first slice, for work that begins long after this was made. */
  begin(): void {
    this.started = Date.now();
  }

  due(): boolean {
    if (++this.calls % CHECK_EVERY !== 0) return false;
    return this.dueNow();
  }

  /** The same for steps that are long themselves. */
  dueNow(): boolean {
    const passed = Date.now() - this.started;
    return passed > (this.isLong ? LONG_SLICE_MS : SLICE_MS) || passed < 0;
  }

  rest(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => {
        this.begin();
        resolve();
      });
    });
  }
}

/** A rest of a step that cannot wait: others have their turn, then `goOn` is called. */
export class Rest {
  isOn = false;

  constructor(private readonly goOn: () => void) {}

  begin(): void {
    if (this.isOn) return;
    this.isOn = true;
    setImmediate(() => {
      this.isOn = false;
      this.goOn();
    });
  }
}

/**
 * Lets one role wait until another one has changed something that both see. What is raised while nobody waits ends the
 * next wait at once: a role that has just looked, and is about to wait, must not miss it. Who waits looks again after.
 */
export class Signal {
  private waiting: (() => void)[] = [];
  private raised = false;

  wait(): Promise<void> {
    if (this.raised) {
      this.raised = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.waiting.push(resolve);
    });
  }

  raise(): void {
    if (this.waiting.length === 0) {
      this.raised = true;
      return;
    }
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}
