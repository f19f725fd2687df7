import { readFileSync } from 'node:fs';

/** Directories of a tree held open at once: at most, at least, and for how many files that the process may have open. */
const MOST_HELD = 64;
const FEWEST_HELD = 4;
const HELD_SHARE = 1 / 16;

/** How many files this process may have open; null where the system does not tell. */
export function descriptorLimit(): number | null {
  try {
    const found = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    return found === null ? null : Number(found[1]);
  } catch {
    return null;
  }
}

let mostHeld = 0;

/** True when a tree that holds `count` directories open may hold one more. */
export function mayHold(count: number): boolean {
  if (count < FEWEST_HELD) return true;
  if (mostHeld === 0) {
    const share = Math.floor((descriptorLimit() ?? Number.POSITIVE_INFINITY) * HELD_SHARE);
    mostHeld = Math.max(FEWEST_HELD, Math.min(MOST_HELD, share));
  }
  return count < mostHeld;
}
