import type { Options } from '../../protocol/options.js';
import { errnoText } from './errno.js';
import { FileLog } from './file-log.js';
import { ConsoleLog, type Log } from './log.js';
import { foreignLink } from './messages.js';

/** Opens the file of --log-file; null without one. One that cannot be opened is told of and left out, as by rsync. */
export function openLogFile(
  o: Options,
  role: 'client' | 'server' | 'Receiver',
  told: Pick<Log, 'error' | 'client'>,
): FileLog | null {
  if (o.logFile === '') return null;
  try {
    return new FileLog(o.logFile, { insecureLinks: o.insecureLinks });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') told.error(foreignLink());
    told.error(`rsync: [${role}] failed to open log-file ${o.logFile}: ${errnoText(error)}\n`);
    told.client('Ignoring "log file" setting.\n');
    return null;
  }
}

/** Where a client's messages go. */
export function openClientLog(o: Options): ConsoleLog {
  const log = new ConsoleLog(o);
  const file = openLogFile(o, 'client', log);
  if (file === null) return log;
  log.close();
  return new ConsoleLog(o, file);
}
