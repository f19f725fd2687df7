import type { ByteString } from '../../protocol/options.js';
import { StderrLog } from '../daemon/log-sink.js';
import { errnoText } from '../report/errno.js';
import { FileLog } from '../report/file-log.js';
import { nameText } from './names.js';

export type LogKind = 'info' | 'warning' | 'error';

/** The log of the service: one line with its time for each event, to a file or to standard error. */
export class ServiceLog {
  private sink: FileLog | StderrLog = new StderrLog();
  private path: ByteString = '';

  /** Logs to `path` from now on, '' for standard error; the same file is opened anew. Throws an errno error. */
  open(path: ByteString): void {
    if (path === this.path && this.sink instanceof FileLog) {
      this.sink.reopen();
      return;
    }
    const next = path === '' ? new StderrLog() : new FileLog(path);
    this.close();
    this.sink = next;
    this.path = path;
  }

  /** The same where an error must not end anything: it is logged where the log was before. */
  reopen(path: ByteString): void {
    try {
      this.open(path);
    } catch (error) {
      this.line('error', `log file ${nameText(path)}: ${errnoText(error)}`);
    }
  }

  /** Text of the service's own. */
  line(kind: LogKind, text: string): void {
    this.bytes(kind, Buffer.from(text, 'utf8').toString('latin1'));
  }

  /** Text that holds names as they are. */
  bytes(kind: LogKind, text: ByteString): void {
    const mark = kind === 'info' ? '' : `${kind}: `;
    for (const line of text.split('\n')) if (line !== '') this.sink.info(mark + line);
  }

  close(): void {
    if (this.sink instanceof FileLog) this.sink.close();
  }
}
