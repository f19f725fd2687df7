import fs from 'node:fs';
import { streamFlags } from '../../protocol/batch.js';
import { writeVarint } from '../../protocol/bytes/varint.js';
import { ByteWriter } from '../../protocol/bytes/writer.js';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { Options } from '../../protocol/options.js';
import { writeStats } from '../../protocol/stats.js';
import { errnoText } from '../report/errno.js';
import type { Session } from './session.js';

/** Writes a batch file (14): a head, and then the sender's data stream as it goes by. */
export class BatchRecorder {
  private readonly out: ByteWriter;
  private isBroken = false;
  /** For messages. */
  private role = 'client';

  /** `isOnly`: the content of files goes to the batch file alone (--only-write-batch). */
  constructor(
    private readonly fd: number,
    readonly isOnly: boolean,
    o: Options,
  ) {
    this.out = new ByteWriter({
      write: (view, release) => {
        this.write(view);
        release();
      },
    });
    this.out.i32(streamFlags(o));
  }

  /** Throws RsyncError 12 when the disk does not take it. */
  private write(view: Buffer): void {
    try {
      for (let at = 0; at < view.length; ) at += fs.writeSync(this.fd, view, at);
    } catch (error) {
      this.isBroken = true;
      const what = `safe_write failed to write ${view.length} bytes to batch file`;
      throw new RsyncError(Exit.STREAMIO, `rsync: [${this.role}] ${what}: ${errnoText(error)}`);
    }
  }

  /** From now on all data of the sender is written. The seed must be known. */
  begin(session: Session): void {
    const { connection, protocol, isSender } = session;
    const { out } = this;
    this.role = connection.role;
    out.i32(protocol);
    if (protocol >= 30) writeVarint(out, session.compatFlags);
    out.i32(session.checksumSeed);
    (isSender ? connection.writer : connection.reader).tap = (b, from, to) => out.bytes(b, from, to);
  }

  /** A client that sends puts in what a server that sends would say here. */
  statistics(session: Session): void {
    const { connection, stats, protocol } = session;
    connection.flush();
    writeStats(this.out, protocol, {
      read: stats.received,
      written: stats.sent,
      totalSize: stats.totalSize,
      listBuildMs: stats.listBuildMs,
      listTransferMs: stats.listTransferMs,
    });
  }

  /** Writes what is left, also of a run that failed. */
  close(): void {
    try {
      if (!this.isBroken) this.out.flush();
    } finally {
      fs.closeSync(this.fd);
    }
  }
}
