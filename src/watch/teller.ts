import type { ByteString } from '../../protocol/options.js';
import { Change, type ChangeSink } from './changes.js';

/** Passes on to the sink what was asked for, until it is closed. */
export class Teller {
  closed = false;

  constructor(
    private readonly sink: ChangeSink,
    private readonly wanted: Change,
  ) {}

  changed(path: ByteString, what: Change): void {
    const bits = what & this.wanted & ~Change.DIRECTORY;
    if (bits !== 0 && !this.closed) this.sink.changed(path, bits | (what & Change.DIRECTORY));
  }

  /** A move counts as long as one of its ends does. */
  moved(from: ByteString, to: ByteString, isDir: boolean): void {
    const both = Change.MADE | Change.REMOVED;
    if ((this.wanted & both) === both) {
      if (!this.closed) this.sink.moved(from, to, isDir);
      return;
    }
    const kind = isDir ? Change.DIRECTORY : 0;
    this.changed(from, Change.REMOVED | kind);
    this.changed(to, Change.MADE | kind);
    if (isDir && (this.wanted & Change.MADE) !== 0) this.stale(to, 'moved here');
  }

  stale(path: ByteString, why: string): void {
    if (!this.closed) this.sink.stale(path, why);
  }
}
