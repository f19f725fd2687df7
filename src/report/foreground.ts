import fs from 'node:fs';

/** Fields of /proc/self/stat behind the name in parentheses: process group, and the one that owns the terminal. */
const PROCESS_GROUP = 2;
const TERMINAL_GROUP = 5;

/**
 * False when this process has a terminal that another process group owns: a job in the background, which should not
 * draw progress lines over what the user does.
 */
export function inForeground(): boolean {
  try {
    const stat = fs.readFileSync('/proc/self/stat', 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const owner = Number(fields[TERMINAL_GROUP]);
    return owner === -1 || owner === Number(fields[PROCESS_GROUP]);
  } catch {
    return true;
  }
}
