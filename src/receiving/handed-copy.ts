import { streamLength } from '../session/hand-over.js';
import { Rest } from '../session/pace.js';
import type { Session } from '../session/session.js';
import type { HandOver } from '../transport/handover.js';
import type { FileReceiver } from './file-receiver.js';
import type { SetAside } from './set-aside.js';

/** Takes a single file that is handed over beside the stream: leaves it to the thread, or copies it piece by piece. */
export class HandedCopy {
  /** The next piece is copied after it. */
  private readonly rest = new Rest(() => this.session.connection.poke());

  constructor(
    private readonly session: Session,
    private readonly handOver: HandOver,
    private readonly aside: SetAside,
    private readonly files: FileReceiver,
  ) {}

  /** True when the data of this item does not come in the stream. */
  take(ndx: number): boolean {
    return this.handOver.take(ndx);
  }

  /** Leaves the file that was taken to the thread; false when that is not possible. */
  setAside(ndx: number, row: number): boolean {
    const { handOver, session } = this;
    const { fd, size } = handOver;
    if (!this.aside.openCopy(row, fd, size)) return false;
    handOver.pass();
    this.aside.commit(ndx, row);
    this.files.literalBytes += size;
    session.connection.carried(0, streamLength(session, size));
    return true;
  }

  /** Copies a piece of the file that was taken; true at its end. Between pieces others get their turn. */
  piece(): boolean {
    const { files, session, handOver } = this;
    const { connection } = session;
    if (this.rest.isOn) return false;
    if (files.copy(handOver.fd, handOver.size)) {
      connection.carried(0, streamLength(session, handOver.size));
      handOver.end(files.readError);
      return true;
    }
    handOver.tellCopied(files.offset);
    this.rest.begin();
    return false;
  }
}
