import { FileStat, fstatInto, lstatInto } from '../../files/stat.js';
import { streamLength } from '../../session/hand-over.js';
import { Rest } from '../../session/pace.js';
import type { Session } from '../../session/session.js';
import type { HandOver } from '../../transport/handover.js';
import type { FileReceiver } from '../landing/file-receiver.js';
import type { Receiving } from '../receiving.js';
import type { SetAside } from './set-aside.js';

/** Takes a single file that is handed over beside the stream: leaves it to the thread, or copies it piece by piece. */
export class HandedCopy {
  /** The next piece is copied after it. */
  private readonly rest = new Rest(() => this.session.connection.poke());

  private readonly stat = new FileStat();
  private readonly session: Session;

  constructor(
    private readonly receiving: Receiving,
    private readonly handOver: HandOver,
    private readonly aside: SetAside,
    private readonly files: FileReceiver,
  ) {
    this.session = receiving.session;
  }

  /** True when the data of this item does not come in the stream. */
  take(ndx: number): boolean {
    const { handOver, stat } = this;
    if (!handOver.take(ndx)) return false;
    // The sender has not looked whether it is as long as it was.
    if (fstatInto(handOver.fd, stat) !== 0 || !stat.isRegular || stat.size === handOver.size) return true;
    handOver.source?.resized(handOver.size, stat.size);
    handOver.size = stat.size;
    return true;
  }

  /** A file of a run, which was counted as long as its row says, has another length, and was copied whole. */
  resized(row: number): void {
    const { receiving, session, stat, files } = this;
    if (lstatInto(receiving.destPath(row), stat) !== 0) return;
    const listed = session.list.size(row);
    files.literalBytes += stat.size - listed;
    session.connection.carried(0, streamLength(session, stat.size) - streamLength(session, listed));
    this.handOver.source?.resized(listed, stat.size);
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
