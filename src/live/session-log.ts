import type { ByteString } from '../../protocol/options.js';
import type { FileLog } from '../report/file-log.js';
import type { ClientLog } from '../report/log.js';

/** Lines of errors that are kept of one session. */
const MOST_LINES = 200;

/**
 * The log of one session of a mirror. What the options want to be printed is passed on at once; errors and warnings are
 * kept until the session is over, because they are not told again with every attempt.
 */
export class SessionLog implements ClientLog {
  hadXferError = false;
  /** Errors about single files. */
  xferErrors = 0;
  readonly complaints: { kind: 'warning' | 'error'; text: ByteString }[] = [];

  /** `out`: where the output of sessions goes; null when nobody wants it. */
  constructor(private readonly out: ClientLog | null) {}

  get file(): FileLog | null {
    return this.out?.file ?? null;
  }

  info(text: ByteString): void {
    this.out?.info(text);
  }

  client(text: ByteString): void {
    this.out?.client(text);
  }

  progress(text: ByteString): void {
    this.out?.progress(text);
  }

  finishLine(text: ByteString): void {
    this.out?.finishLine(text);
  }

  warning(text: ByteString): void {
    this.keep('warning', text);
  }

  error(text: ByteString): void {
    this.keep('error', text);
  }

  xferError(text: ByteString): void {
    this.hadXferError = true;
    this.xferErrors++;
    this.keep('error', text);
  }

  private keep(kind: 'warning' | 'error', text: ByteString): void {
    if (this.complaints.length < MOST_LINES) this.complaints.push({ kind, text });
  }

  /** All complaints as one text; the closing lines with an exit code say nothing that the mirror does not say itself. */
  get text(): string {
    return this.complaints
      .map((c) => c.text)
      .filter((line) => !/^(rsync|tsrsync) (error|warning): .* \(code \d+\)/.test(line))
      .join('')
      .trimEnd();
  }

  /** What was said about an entry, given its whole path; null when nothing was. */
  about(path: ByteString): string | null {
    const found = this.complaints.find(({ text }) => text.includes(`"${path}"`));
    return found === undefined ? null : plainText(found.text);
  }
}

/** A message of rsync's kind for a log of one line a message. */
export function plainText(text: ByteString): string {
  return Buffer.from(text.trimEnd().replaceAll('\n', '; '), 'latin1').toString('utf8');
}
