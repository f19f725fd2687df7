interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** The roles that wait until output has gone. */
export class DrainWait {
  private waiters: Waiter[] = [];

  get isWaited(): boolean {
    return this.waiters.length > 0;
  }

  begin(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
    });
  }

  /** There is room again. */
  end(): void {
    for (const waiter of this.take()) waiter.resolve();
  }

  fail(error: Error): void {
    for (const waiter of this.take()) waiter.reject(error);
  }

  private take(): Waiter[] {
    const { waiters } = this;
    this.waiters = [];
    return waiters;
  }
}
