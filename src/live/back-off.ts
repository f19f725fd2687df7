import type { BackOff } from './types.js';

/** How long to wait after `attempts` failures in a row (at least 1): doubled each time, and up to a quarter less by chance. */
export function backOffDelay({ firstMs, mostMs }: BackOff, attempts: number, chance = Math.random()): number {
  const delay = Math.min(mostMs, firstMs * 2 ** Math.min(attempts - 1, 40));
  return Math.round(delay * (1 - chance / 4));
}

/** Milliseconds between attempts at what a user has to mend first. */
const PATIENT_MS = 60_000;

/** Ever longer pauses, up to a minute at least: for what will hardly go by itself. */
export function patient({ firstMs, mostMs }: BackOff): BackOff {
  return { firstMs, mostMs: Math.max(mostMs, PATIENT_MS) };
}
