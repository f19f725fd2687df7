import { Exit } from '../../protocol/constants.js';
import { EXIT_TEXT, type RsyncError } from '../../protocol/errors.js';
import { backOffDelay, patient } from './back-off.js';
import { plainText } from './session-log.js';
import type { BackOff, TargetStatus } from './types.js';

/** Nothing that time would mend: the user has to change something. */
const LASTING = new Set<number>([Exit.SYNTAX, Exit.PROTOCOL, Exit.UNSUPPORTED, Exit.STARTCLIENT]);

/** Messages with such a code that pass: a daemon that is full, or that ended while it was being spoken to. */
const PASSING = /max connections|didn't get server startup line|did not see server greeting/;

/** True for an error that trying again will not mend. */
export function isLasting(error: RsyncError): boolean {
  return LASTING.has(error.exitCode) && !PASSING.test(error.message);
}

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
    const text = plainText(error.message) || (EXIT_TEXT[error.exitCode] ?? 'it ended');
    if (this.attempts === 0) this.downSince = now;
    this.attempts++;
    this.nextAttempt = now + backOffDelay(isLasting(error) ? patient(this.backOff) : this.backOff, this.attempts);
    const isNew = this.attempts === 1 || this.lastError?.text !== text;
    this.lastError = { time: now, exitCode: error.exitCode, text };
    return isNew ? `${text} (code ${error.exitCode}); trying again` : null;
  }

  /** The next attempt need not wait. */
  hurry(): void {
    this.nextAttempt = null;
  }
}
