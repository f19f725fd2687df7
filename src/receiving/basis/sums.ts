import fs from 'node:fs';
import { availableParallelism } from 'node:os';
import { flength, type SumHead, type SumWriter } from '../../../protocol/delta/blocks.js';
import { SumLeader } from '../../../protocol/delta/sum-share.js';
import type { SumKernel } from '../../../protocol/kernel/sum-kernel.js';
import { readFully, readFullyAside } from '../../files/window.js';
import { Pace } from '../../session/pace.js';
import type { Connection } from '../../transport/connection.js';
import { helpSumming } from './sum-thread.js';

/** Bytes of a basis that are read at once, and when another thread reads: a handing over costs as much as 100 KiB. */
const PIECE = 256 * 1024;
const PIECE_ASIDE = 1024 * 1024;
/** Bytes of a basis from which on another thread helps. */
const WORTH_ASIDE = 16 * 1024 * 1024;

/** A basis whose block sums are being sent. */
interface Basis {
  fd: number;
  head: SumHead;
}

/** A run of blocks of a basis, and its place in the memory where it is read to and summed. */
interface Piece {
  first: number;
  count: number;
  bytes: Uint8Array;
  at: number;
  length: number;
}

/** Sends the block sums of one basis after the other (9.6). */
export class BasisSums {
  private readonly pace = new Pace();

  constructor(
    private readonly connection: Connection,
    private readonly sums: SumWriter,
    /** Of the block sums. */
    private readonly seed: number,
    private readonly hasHelp = availableParallelism() > 1,
  ) {}

  /** Sends all sums of `head` in slices, and closes `fd`. What is missing of a basis that shrank counts as zeros. */
  async send(fd: number, head: SumHead): Promise<void> {
    // Between two of them, the generator rests by a pace of its own.
    this.pace.begin();
    try {
      const { kernel } = this.sums;
      if (!this.hasHelp || flength(head) < WORTH_ASIDE || head.blockLength > PIECE_ASIDE)
        await this.sendReadHere({ fd, head });
      else if (kernel !== null) await this.sendShared({ fd, head }, kernel);
      else await this.sendReadAside({ fd, head });
    } finally {
      fs.closeSync(fd);
    }
  }

  private async sendReadHere(basis: Basis): Promise<void> {
    const { head } = basis;
    const most = Math.min(head.count, Math.max(1, Math.floor(PIECE / head.blockLength)));
    const room = this.sums.room(most * head.blockLength, most, head);
    for (let first = 0; first < head.count; first += most) {
      const piece = pieceOf(head, first, most, room.bytes, room.at);
      this.write(head, piece, readFully(basis.fd, piece.bytes, piece.at, piece.length, first * head.blockLength));
      if (this.isPauseDue) await this.pause();
    }
  }

  private get isPauseDue(): boolean {
    return this.connection.congested || this.pace.dueNow();
  }

  private async pause(): Promise<void> {
    if (this.connection.congested) await this.connection.drain();
    if (!this.pace.dueNow()) return;
    this.connection.flush();
    await this.pace.rest();
  }

  /** Another thread reads and sums as well. */
  private async sendShared({ fd, head }: Basis, kernel: SumKernel): Promise<void> {
    const leader = new SumLeader(head, kernel, (target, at, length, offset) =>
      readFully(fd, target, at, length, offset),
    );
    helpSumming({ memory: leader.memory, fd, head, seed: this.seed });
    try {
      while (!leader.isDone) {
        const sums = leader.step();
        if (sums !== null) this.connection.writer.bytes(sums);
        if (this.isPauseDue) await this.pause();
      }
    } finally {
      leader.stop();
    }
  }

  /** Checksums of other packages: while this thread sums a piece, one of Node's pool reads the next one. */
  private async sendReadAside(basis: Basis): Promise<void> {
    const { head } = basis;
    const most = Math.floor(PIECE_ASIDE / head.blockLength);
    const { bytes, at } = this.sums.room(2 * most * head.blockLength, 2 * most, head);
    const places = [at, at + most * head.blockLength];
    let piece = pieceOf(head, 0, most, bytes, places[0]);
    let reading = read(basis, piece);
    try {
      for (let turn = 1; ; turn++) {
        const have = await reading;
        const done = piece.first + piece.count === head.count;
        const present = piece;
        if (!done) {
          piece = pieceOf(head, piece.first + most, most, bytes, places[turn & 1]);
          reading = read(basis, piece);
        }
        this.write(head, present, have);
        if (done) return;
        if (this.connection.congested) await this.connection.drain();
        this.tell();
      }
    } finally {
      // The descriptor is closed next. What has failed here was thrown above, or something else was before.
      await reading.catch(() => 0);
    }
  }

  /** Waiting for the other thread lets others work; what was summed goes out as often as elsewhere. */
  private tell(): void {
    if (!this.pace.dueNow()) return;
    this.connection.flush();
    this.pace.begin();
  }

  private write(head: SumHead, piece: Piece, have: number): void {
    const { bytes, at, length } = piece;
    if (have < length) bytes.fill(0, at + have, at + length);
    this.sums.write(this.connection.writer, bytes, at, at + length, head);
  }
}

/** Up to `most` blocks from `first` on, to be read to `at`. */
function pieceOf(head: SumHead, first: number, most: number, bytes: Uint8Array, at: number): Piece {
  const count = Math.min(most, head.count - first);
  const isLast = first + count === head.count;
  const length = count * head.blockLength - (isLast && head.remainder > 0 ? head.blockLength - head.remainder : 0);
  return { first, count, bytes, at, length };
}

function read(basis: Basis, piece: Piece): Promise<number> {
  return readFullyAside(basis.fd, piece.bytes, piece.at, piece.length, piece.first * basis.head.blockLength);
}
