import { Exit } from '../../protocol/constants.js';
import { EXIT_TEXT } from '../../protocol/errors.js';
import { errnoText } from './errno.js';

/** Who speaks: a process of rsync has one role; `Receiver` is the receiving side before its generator exists. */
export type Role = 'sender' | 'receiver' | 'generator' | 'Receiver' | 'client' | 'server';

/** The version whose behaviour and messages are ours; it stands in the last line of a run that failed. */
export const SPOKEN_VERSION = '3.5.0';

/** The role as it stands in messages: `[sender]`. */
export function whoAmI(role: Role): `[${Role}]` {
  return `[${role}]`;
}

/**
 * The last line of a run that ends with `code`. Where rsync names a line of its source, we name the program.
 * Vanished files are a warning, everything else is an error; see `isWarningExit`.
 */
export function exitLine(code: number, role: string): string {
  const kind = isWarningExit(code) ? 'warning' : 'error';
  const text = EXIT_TEXT[code] ?? 'unexplained error';
  return `rsync ${kind}: ${text} (code ${code}) at tsrsync [${role}=${SPOKEN_VERSION}]\n`;
}

export function isWarningExit(code: number): boolean {
  return code === Exit.VANISHED;
}

/** A failed system call: `rsync: [sender] opendir "/x" failed: Permission denied (13)`. */
export function systemError(role: Role, what: string, err: unknown): string {
  return `rsync: [${role}] ${what}: ${errnoText(err)}\n`;
}
