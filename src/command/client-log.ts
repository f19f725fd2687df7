import type { CommandOptions } from '../cli/options.js';
import { errnoText } from '../report/errno.js';
import { FileLog } from '../report/file-log.js';
import { ConsoleLog } from '../report/log.js';
import { foreignLink } from '../report/messages.js';

/** Where a client's messages go. A --log-file that cannot be opened is told of and left out, as by rsync. */
export function openClientLog(o: CommandOptions): ConsoleLog {
  if (o.logFile === '') return new ConsoleLog(o);
  try {
    return new ConsoleLog(o, new FileLog(o.logFile, { insecureLinks: o.insecureLinks }));
  } catch (error) {
    const log = new ConsoleLog(o);
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') log.error(foreignLink());
    log.error(`rsync: [client] failed to open log-file ${o.logFile}: ${errnoText(error)}\n`);
    log.client('Ignoring "log file" setting.\n');
    return log;
  }
}
