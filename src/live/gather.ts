/** A session with at least so many paths, right behind another one, is a sign of a storm. */
const STORM_PATHS = 3;
const FIRST_GAP_MS = 10;
const MOST_GAP_MS = 50;
/** The most that a steady trickle waits for the next of its sessions. */
const MOST_OWED_MS = 200;
/** A storm is over when nothing has changed for so long. */
const LULL_MS = 20;
/** Sessions that may follow each other at once, and how many a second come back. */
const BURST = 100;
const PER_SECOND = 20;

/**
 * Decides how long changes gather after a session before the next one takes them. A change that comes alone goes at
 * once. In a storm the pause doubles with each session, so that many files share one, and ends with the storm. It stays
 * short: long sessions share much anyway, and what is left at the end of the storm should be little. A steady trickle
 * gets a bounded number of sessions a second.
 */
export class Gather {
  private gap = 0;
  private ended = 0;
  private tokens = BURST;
  private refilled = 0;

  /** A session of `paths` paths ran from `started` to `ended` (milliseconds). */
  note(paths: number, started: number, ended: number): void {
    const close = started - this.ended <= this.gap + FIRST_GAP_MS;
    if (close && paths >= STORM_PATHS) this.gap = Math.min(MOST_GAP_MS, Math.max(FIRST_GAP_MS, 2 * this.gap));
    else if (paths < STORM_PATHS) this.gap = 0;
    this.tokens = Math.min(BURST, this.tokens + ((started - this.refilled) / 1000) * PER_SECOND) - 1;
    this.refilled = started;
    this.ended = ended;
  }

  /** The time before which no session should start, as far as is known when the last change was at `lastChange`. */
  next(lastChange: number): number {
    const lull = Math.max(lastChange + LULL_MS, this.ended + FIRST_GAP_MS);
    const owed = this.tokens >= 1 ? 0 : ((1 - this.tokens) / PER_SECOND) * 1000;
    return Math.max(Math.min(this.ended + this.gap, lull), this.ended + Math.min(owed, MOST_OWED_MS));
  }
}
