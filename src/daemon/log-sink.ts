import fs from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { escapeForLog, escapeMessage } from '../report/escape.js';
import { errnoText, FileLog, type Log } from '../report/log.js';
import { dateString } from '../report/times.js';

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

/** Opens a "log file"; when that fails, messages go to standard error, the failure first. */
export function openLog(path: ByteString): Log {
  if (path === '') return new StderrLog();
  try {
    return new FileLog(path);
  } catch (error) {
    const log = new StderrLog();
    log.error(`rsync: [Receiver] failed to open log-file ${path}: ${errnoText(error)}`);
    log.info('Ignoring "log file" setting.');
    return log;
  }
}
