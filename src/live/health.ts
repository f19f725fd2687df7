import type { RsyncError } from '../../protocol/errors.js';
import { backOffDelay } from './back-off.js';
import { plainText } from './session-log.js';
import type { BackOff, TargetStatus } from './types.js';

/** How the sessions of one target end: what failed, since when, and when the next attempt is due. Milliseconds since 1970. */
export class Health {
  lastSuccess: number | null = null;
  lastError: TargetStatus['lastError'] = null;
  /** Failed in a row. */
  attempts = 0;
  nextAttempt: number | null = null;
  private downSince = 0;

  constructor(private readonly backOff: BackOff) {}

  /** Returns what a log is to say of it, or null. */
  succeeded(now: number): string | null {
    const { attempts } = this;
    this.lastSuccess = now;
    this.attempts = 0;
    this.nextAttempt = null;
    if (attempts === 0) return null;
    return `in step again after ${Math.round((now - this.downSince) / 1000)} s (${attempts} attempts failed)`;
  }

  /** Returns what a log is to say of it, or null when that has been said. */
  failed(error: RsyncError, now: number): string | null {
    const text = plainText(error.message) || `exit code ${error.exitCode}`;
    if (this.attempts === 0) this.downSince = now;
    this.attempts++;
    this.nextAttempt = now + backOffDelay(this.backOff, this.attempts);
    const isNew = this.attempts === 1 || this.lastError?.text !== text;
    this.lastError = { time: now, exitCode: error.exitCode, text };
    return isNew ? `${text} (code ${error.exitCode}); trying again` : null;
  }

  /** The next attempt need not wait. */
  hurry(): void {
    this.nextAttempt = null;
  }
}
