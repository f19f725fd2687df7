import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { CommandOptions } from '../cli/options.js';
import { confineTo } from '../libc/confinement.js';
import { errnoText } from '../report/errno.js';

/**
 * Does what --confine-root says, for this process; only a program of our own may, so the option is none that others take.
 * Exit code 1 when the directory is not there.
 */
export function confineProcess(o: CommandOptions): void {
  if (o.confineRoot === '') return;
  try {
    confineTo(o.confineRoot);
  } catch (error) {
    throw new RsyncError(Exit.SYNTAX, `--confine-root: ${o.confineRoot}: ${errnoText(error)}`);
  }
  o.confineRoot = '';
}
