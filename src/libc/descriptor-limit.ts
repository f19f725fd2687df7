import { readFileSync } from 'node:fs';

/** How many files this process may have open; null where the system does not tell. */
export function descriptorLimit(): number | null {
  try {
    const found = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    return found === null ? null : Number(found[1]);
  } catch {
    return null;
  }
}
