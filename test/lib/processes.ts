import { readdirSync, readFileSync } from 'node:fs';
import { waitFor } from './wait.js';

/** Name of the environment variable that marks the processes of one test, however they were started. */
export const MARK = 'TSRSYNC_TEST_MARK';

let counter = 0;

/** A value for MARK that no other test uses. */
export function newMark(): string {
  return `${process.pid}-${counter++}`;
}

/** Command lines of the living processes whose environment has the mark. Zombies have no environment left. */
export function marked(mark: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const env = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
      if (!env.includes(`${MARK}=${mark}`)) continue;
      found.push(`${pid}: ${readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')}`);
    } catch {
      // It ended while we looked, or is somebody else's.
    }
  }
  return found;
}

/** Waits until every process with the mark is gone; throws with their command lines otherwise. */
export async function noneLeft(mark: string, ms = 10_000): Promise<void> {
  try {
    await waitFor(() => marked(mark).length === 0, ms, 'processes to end');
  } catch {
    throw new Error(`still running: ${marked(mark).join('; ')}`);
  }
}
