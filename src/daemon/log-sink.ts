import fs from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { escapeForLog, escapeMessage } from '../report/escape.js';
import { errnoText, FileLog, type Log } from '../report/log.js';
import { Severity, Syslog } from '../report/syslog.js';
import { dateString } from '../report/times.js';
import type { ModuleConfig } from './config/params.js';

/** The daemon's log when it has no file: standard error, in the form of a log file. */
export class StderrLog implements Log {
  hadXferError = false;

  info(text: ByteString): void {
    const whole = text.endsWith('\n') ? text : `${text}\n`;
    try {
      fs.writeSync(
        2,
        Buffer.from(`${dateString(new Date())} [${process.pid}] ${escapeMessage(whole, escapeForLog)}`, 'latin1'),
      );
    } catch {
      // Nobody reads it any more; the daemon goes on.
    }
  }

  error(text: ByteString): void {
    this.info(text);
  }

  warning(text: ByteString): void {
    this.info(text);
  }

  /** What is meant for the client only does not get here. */
  client(_text: ByteString): void {}

  xferError(text: ByteString): void {
    this.hadXferError = true;
    this.info(text);
  }
}

/** The daemon's log when it has no file, and there is a system log. */
class SystemLog implements Log {
  hadXferError = false;

  constructor(private readonly to: Syslog) {}

  info(text: ByteString): void {
    this.to.write(Severity.INFO, text);
  }

  error(text: ByteString): void {
    this.to.write(Severity.WARNING, text);
  }

  warning(text: ByteString): void {
    this.to.write(Severity.WARNING, text);
  }

  /** What is meant for the client only does not get here. */
  client(_text: ByteString): void {}

  xferError(text: ByteString): void {
    this.hadXferError = true;
    this.error(text);
  }

  close(): void {
    this.to.close();
  }
}

/** Log of one connection: it has its own "had an error" mark over a log that several connections share. */
export class SharedLog implements Log {
  hadXferError = false;

  constructor(private readonly to: Log) {}

  info(text: ByteString): void {
    this.to.info(text);
  }

  error(text: ByteString): void {
    this.to.error(text);
  }

  warning(text: ByteString): void {
    this.to.warning(text);
  }

  client(text: ByteString): void {
    this.to.client(text);
  }

  xferError(text: ByteString): void {
    this.hadXferError = true;
    this.to.error(text);
  }
}

/** Which file a log path means now: it changes when the log was rotated. '' when there is no log file. */
export function logVersion(path: ByteString): string {
  if (path === '') return '';
  const st = fs.statSync(Buffer.from(path, 'latin1'), { throwIfNoEntry: false });
  return st === undefined ? 'none' : `${st.dev}:${st.ino}`;
}

/** Where a daemon logs to: its "log file", or else the system log, under this tag and facility. */
export type LogPlace = Pick<ModuleConfig, 'logFile' | 'syslogTag' | 'syslogFacility'>;

/** The same for the same log. */
export function logKey({ logFile, syslogTag, syslogFacility }: LogPlace): string {
  return JSON.stringify(logFile === '' ? [syslogTag, syslogFacility] : [logFile]);
}

/** Opens a log. Where neither a file nor the system log can be had, messages go to standard error. */
export function openLog(place: LogPlace): Log {
  const { logFile } = place;
  if (logFile === '') return openSystemLog(place);
  try {
    return new FileLog(logFile);
  } catch (error) {
    const log = openSystemLog(place);
    log.error(`rsync: [Receiver] failed to open log-file ${logFile}: ${errnoText(error)}`);
    log.info('Ignoring "log file" setting.');
    return log;
  }
}

function openSystemLog({ syslogTag, syslogFacility }: LogPlace): Log {
  const syslog = Syslog.open(syslogTag, syslogFacility);
  return syslog === null ? new StderrLog() : new SystemLog(syslog);
}

export function closeLog(log: Log): void {
  if (log instanceof FileLog || log instanceof SystemLog) log.close();
}
