import fs from 'node:fs';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { MAX_EARLY_INPUT } from '../../protocol/handshake/greeting.js';
import type { CommandOptions } from '../cli/options.js';
import { checkOperatorPath } from '../files/operator-path.js';
import { errnoText } from '../report/errno.js';
import { foreignLink } from '../report/messages.js';

/** The content of the --early-input file, empty without one. Errors: exit code 5. */
export function readEarlyInput(o: CommandOptions, role: string): Buffer {
  const path = o.earlyInput;
  if (path === '') return Buffer.alloc(0);
  let fd = -1;
  let notice = '';
  try {
    checkOperatorPath(path, o, () => {
      notice = foreignLink();
    });
    fd = fs.openSync(Buffer.from(path, 'latin1'), 'r');
    const { size } = fs.fstatSync(fd);
    if (size > MAX_EARLY_INPUT) throw new RsyncError(Exit.STARTCLIENT, `${path} is > ${MAX_EARLY_INPUT} bytes.`);
    const content = Buffer.alloc(size);
    if (fs.readSync(fd, content) < size) throw new RsyncError(Exit.STARTCLIENT, `Early EOF in ${path}`);
    return content;
  } catch (error) {
    if (error instanceof RsyncError) throw error;
    const what = fd < 0 ? 'open' : 'read';
    throw new RsyncError(Exit.STARTCLIENT, `${notice}rsync: [${role}] failed to ${what} ${path}: ${errnoText(error)}`);
  } finally {
    if (fd >= 0) fs.closeSync(fd);
  }
}
