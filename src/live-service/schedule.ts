import { Cron } from 'croner';
import type { Schedule } from './config/types.js';

/** Runs a job at the times of several schedules until it is stopped. */
export class ScheduledJobs {
  private readonly crons: Cron[] = [];
  private readonly timers: { timer: NodeJS.Timeout; ms: number; last: number }[] = [];

  constructor(schedules: readonly Schedule[], job: () => void) {
    for (const schedule of schedules) {
      if (schedule.kind === 'cron') {
        this.crons.push(new Cron(schedule.pattern, { unref: true }, job));
        continue;
      }
      const entry = { ms: schedule.ms, last: Date.now(), timer: undefined as unknown as NodeJS.Timeout };
      entry.timer = setInterval(() => {
        entry.last = Date.now();
        job();
      }, schedule.ms);
      entry.timer.unref();
      this.timers.push(entry);
    }
  }

  /** Milliseconds since 1970 of the next run, or null when there is none. */
  next(): number | null {
    const times = [
      ...this.crons.map((cron) => cron.nextRun()?.getTime() ?? Number.POSITIVE_INFINITY),
      ...this.timers.map((entry) => entry.last + entry.ms),
    ];
    const first = Math.min(...times);
    return Number.isFinite(first) ? first : null;
  }

  stop(): void {
    for (const cron of this.crons) cron.stop();
    for (const { timer } of this.timers) clearInterval(timer);
  }
}
