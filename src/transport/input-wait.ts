interface Waiter {
  resolve(): void;
  reject(error: Error): void;
  /** Takes what has arrived and says whether that was enough; null: any input ends the wait. */
  step: (() => boolean) | null;
}

/**
 * The one role that waits for input: for any, or with a step that runs, without a promise in between, whenever something
 * has arrived. `unsatisfied` is called each time a step wants more.
 */
export class InputWait {
  private waiter: Waiter | null = null;
  /** A step is at work; more has arrived since it began. */
  private stepping = false;
  private again = false;

  constructor(private readonly unsatisfied: () => void) {}

  get isWaited(): boolean {
    return this.waiter !== null;
  }

  /** Begins to wait. `step` is called at the next input, not now. */
  begin(step: (() => boolean) | null): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject, step };
    });
  }

  /** Ends the wait with an error. */
  fail(error: Error): void {
    const { waiter } = this;
    this.waiter = null;
    waiter?.reject(error);
  }

  /** Something has arrived. */
  arrived(): void {
    const { waiter } = this;
    if (waiter === null) return;
    if (waiter.step === null) this.end(waiter);
    else this.run(waiter, waiter.step);
  }

  /** What a step sends may bring more input at once, when the peer is in this process: then it is repeated, not entered. */
  private run(waiter: Waiter, step: () => boolean): void {
    if (this.stepping) {
      this.again = true;
      return;
    }
    let enough = false;
    this.stepping = true;
    try {
      do {
        this.again = false;
        enough = step();
      } while (!enough && this.again);
    } catch (error) {
      this.fail(error as Error);
      return;
    } finally {
      this.stepping = false;
    }
    if (enough) this.end(waiter);
    else this.unsatisfied();
  }

  private end(waiter: Waiter): void {
    if (this.waiter === waiter) this.waiter = null;
    waiter.resolve();
  }
}
