import type { ByteString } from '../../protocol/options.js';
import type { FileLog } from '../report/file-log.js';
import type { ClientLog } from '../report/log.js';
import { linesOf } from './text.js';
import type { RunOptions } from './types.js';

/** Hands the lines of a run to its caller. */
export class CallerLog implements ClientLog {
  hadXferError = false;
  readonly file: FileLog | null = null;
  readonly errors: string[] = [];

  constructor(private readonly caller: Pick<RunOptions, 'onOutput' | 'onError'>) {}

  info(text: ByteString): void {
    const { caller } = this;
    if (caller.onOutput !== undefined) for (const line of linesOf(text)) caller.onOutput(line);
  }

  client(text: ByteString): void {
    this.info(text);
  }

  progress(text: ByteString): void {
    this.info(text);
  }

  finishLine(text: ByteString): void {
    this.info(text);
  }

  warning(text: ByteString): void {
    this.error(text);
  }

  error(text: ByteString): void {
    for (const line of linesOf(text)) {
      this.errors.push(line);
      this.caller.onError?.(line);
    }
  }

  xferError(text: ByteString): void {
    this.hadXferError = true;
    this.error(text);
  }
}
