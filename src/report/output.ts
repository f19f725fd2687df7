import fs from 'node:fs';
import type { ByteString } from '../../protocol/options.js';

/** Bytes that are held back at most before they are written. */
const LIMIT = 16 * 1024;
const RETRY_MS = 5;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** The `code` of an error of Node. */
function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/**
 * Writes to a descriptor such as standard output: synchronous, so that nothing is lost at the end, and patient with
 * a pipe that is full. When the reader is gone, the rest is dropped; the run itself goes on.
 */
export class Output {
  private held = '';
  private scheduled = false;
  private gone = false;

  constructor(
    readonly fd: number,
    /** True: every text at once. False: what one turn of the event loop prints goes out together. */
    private readonly unbuffered: boolean,
  ) {}

  write(text: ByteString): void {
    if (this.gone) return;
    this.held += text;
    if (this.unbuffered || this.held.length >= LIMIT) {
      this.flush();
    } else if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => {
        this.scheduled = false;
        this.flush();
      });
    }
  }

  /** Writes everything that was held back. */
  flush(): void {
    if (this.held === '') return;
    const bytes = Buffer.from(this.held, 'latin1');
    this.held = '';
    let at = 0;
    while (at < bytes.length && !this.gone) {
      try {
        at += fs.writeSync(this.fd, bytes, at);
      } catch (error) {
        if (codeOf(error) === 'EAGAIN') Atomics.wait(sleeper, 0, 0, RETRY_MS);
        else if (codeOf(error) !== 'EINTR') this.gone = true;
      }
    }
  }
}
