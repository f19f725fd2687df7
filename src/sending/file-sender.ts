import fs from 'node:fs';
import type { ByteWriter } from '../../protocol/bytes/writer.js';
import { CHUNK_SIZE } from '../../protocol/constants.js';
import { type BlockSums, flength } from '../../protocol/delta/blocks.js';
import type { BlockSearch } from '../../protocol/delta/search.js';
import { PlainTokenWriter, type TokenSink, type TokenWriter } from '../../protocol/delta/tokens.js';
import type { Digest } from '../../protocol/hash/digest.js';
import { FIRST_FREE, type Kernel } from '../../protocol/kernel/kernel.js';
import type { OpenStream } from '../codec/compression.js';
import { Errno, systemError } from '../libc/errno.js';
import { readAt } from '../libc/files.js';
import type { LongFiles } from '../session/long-files.js';
import { LookoutThread } from './lookout/thread.js';

/** How one file is to be sent. */
export interface SendMode {
  /** --append of this file: 0 no, 1 sum of the sent part only, 2 sum of the whole file (9.7). */
  append: number;
  /** The receiver writes into its basis (9.8). */
  updating: boolean;
}

/** Bytes that one step sends at most. */
export const STEP = 8 * CHUNK_SIZE;

/** STEP bytes for data that is to be summed: in the memory of the kernel that does it, where there is one. */
class Room {
  readonly from: number;
  private scratch: Uint8Array | null = null;

  constructor(private readonly kernel: Kernel | null) {
    this.from = kernel === null ? 0 : FIRST_FREE;
  }

  get bytes(): Uint8Array {
    if (this.kernel !== null) {
      this.kernel.reserve(FIRST_FREE + STEP);
      return this.kernel.bytes;
    }
    this.scratch ??= Buffer.allocUnsafeSlow(STEP);
    return this.scratch;
  }
}

/** Counts what a run's statistics want to know and passes tokens on. */
class CountingSink implements TokenSink {
  literalBytes = 0;
  matchedBytes = 0;

  constructor(private readonly tokens: TokenWriter) {}

  literal(data: Uint8Array, from: number, to: number): void {
    this.literalBytes += to - from;
    this.tokens.literal(data, from, to);
  }

  match(block: number, data: Uint8Array, from: number, to: number): void {
    this.matchedBytes += to - from;
    this.tokens.match(block, data, from, to);
  }
}

/**
 * Sends the content of one open file after another: literal or as differences to the receiver's blocks, then the sum
 * of the whole file. `begin`, then `step` until it says true; between steps the caller may wait for the peer.
 */
export class FileSender {
  /** Bytes of the current file that have been dealt with, and bytes read from the disk at its last step. */
  offset = 0;
  readonly counts: CountingSink;
  /** The whole-file sum of the last finished file, `sumLength` bytes. */
  readonly fileSum: Buffer;
  /** Errno-like error of a failed read; the sum sent is then wrong on purpose (9.9). */
  readError: NodeJS.ErrnoException | null = null;
  private search: BlockSearch | null = null;
  /** What sums up the current file. */
  private digest: Digest;
  private readonly lookout = LookoutThread.create();
  private fd = -1;
  private size = 0;
  private mode: 'whole' | 'delta' | 'skip' = 'whole';
  private skipLeft = 0;
  /** Where data is read to that is not sent as it is. */
  private readonly room: Room;
  private readonly plain: PlainTokenWriter | null;

  constructor(
    private readonly writer: ByteWriter,
    private readonly tokens: TokenWriter,
    private readonly makeSearch: () => Promise<BlockSearch>,
    private readonly plainDigest: Digest,
    /** The stream that compressed files go into, where that is open to others. */
    readonly stream: OpenStream | null,
    /** Told of files that are sent whole and as they are. */
    private readonly longFiles: LongFiles,
  ) {
    this.counts = new CountingSink(tokens);
    this.plain = tokens instanceof PlainTokenWriter ? tokens : null;
    this.digest = plainDigest;
    this.room = new Room(plainDigest.kernel);
    this.fileSum = Buffer.alloc(plainDigest.length);
  }

  begin(fd: number, size: number, sums: BlockSums, how: SendMode): void {
    this.fd = fd;
    this.size = size;
    this.offset = 0;
    this.readError = null;
    this.tokens.start();
    const head = sums.head;
    this.digest = this.plainDigest;
    if (how.append > 0) {
      this.digest.init();
      this.skipLeft = flength(head);
      this.mode = how.append === 2 ? 'skip' : 'whole';
      if (how.append === 1) this.offset = this.skipLeft;
    } else if (head.count > 0) {
      this.mode = 'delta';
      this.lookout?.begin(fd, size, sums);
      this.search!.start(sums, size, how.updating, this.lookout);
      this.digest = this.search!.file;
    } else {
      if (this.plain !== null) this.longFiles.expect(size);
      this.digest.init();
      this.mode = 'whole';
    }
  }

  /** Must be awaited before a file with block sums begins: most runs send none, and start faster without it. */
  async prepareSearch(): Promise<void> {
    this.search ??= await this.makeSearch();
  }

  get canSearch(): boolean {
    return this.search !== null;
  }

  get matches(): number {
    return this.search?.matches ?? 0;
  }

  get hashHits(): number {
    return this.search?.check.hashHits ?? 0;
  }

  get falseAlarms(): number {
    return this.search?.check.falseAlarms ?? 0;
  }

  private readonly readNext = (target: Uint8Array, at: number, length: number): number => {
    // What was appended since the file was opened is left to the next run, as the receiver expects `size` bytes.
    const wanted = Math.min(length, this.size - this.offset);
    if (wanted <= 0 || this.readError !== null) return 0;
    try {
      return this.took(readAt(this.fd, target, at, wanted, this.offset));
    } catch (error) {
      return this.failed(error);
    }
  };

  private readRooms(rooms: readonly Uint8Array[]): number {
    try {
      return this.took(fs.readvSync(this.fd, rooms, this.offset));
    } catch (error) {
      return this.failed(error);
    }
  }

  /** Goes forward by what a read gave. */
  private took(n: number): number {
    this.offset += n;
    // The file shrank after it was opened: what was sent is neither the old content nor the new one.
    if (n === 0) this.readError = systemError(Errno.ENODATA, 'read');
    return n;
  }

  private failed(error: unknown): number {
    this.readError = error as NodeJS.ErrnoException;
    return 0;
  }

  /** Goes on with the current file; true when its tokens and its sum are written. */
  step(): boolean {
    let finished: boolean;
    if (this.mode === 'skip') finished = this.skipStep();
    else if (this.mode === 'delta') finished = this.search!.step(this.readNext, this.counts);
    else finished = this.plain !== null ? this.plainStep(this.plain) : this.compressedStep();
    if (!finished) return false;
    this.tokens.end();
    this.writeSum();
    this.end();
    return true;
  }

  /** The file is sent, or will not be. */
  end(): void {
    this.lookout?.end();
  }

  private writeSum(): void {
    this.digest.final(this.fileSum, 0);
    if (this.readError !== null) {
      const allZero = this.fileSum.every((b) => b === 0);
      this.fileSum.fill(0);
      if (allZero) this.fileSum[this.fileSum.length - 1] = 1;
    }
    this.writer.bytes(this.fileSum);
  }

  /** File data goes straight into the outgoing page, behind room for the tokens' lengths: one read for several. */
  private plainStep(plain: PlainTokenWriter): boolean {
    for (let sent = 0; sent < STEP; ) {
      const wanted = Math.min(this.size - this.offset, STEP - sent);
      if (wanted <= 0 || this.readError !== null) return true;
      const n = wanted <= CHUNK_SIZE ? this.readOne(plain, wanted) : this.readSeveral(plain, wanted);
      if (n === 0) return true;
      plain.commit(n);
      this.counts.literalBytes += n;
      sent += n;
    }
    return this.offset >= this.size;
  }

  /** The last token of a file, the only one of a small file. */
  private readOne(plain: PlainTokenWriter, wanted: number): number {
    const { writer } = this;
    const at = plain.place(wanted);
    const n = this.readNext(writer.buf, at, wanted);
    if (n > 0) this.digest.update(writer.buf, at, at + n);
    return n;
  }

  private readSeveral(plain: PlainTokenWriter, wanted: number): number {
    const rooms = plain.reserve(wanted);
    const n = rooms.length === 1 ? this.readNext(rooms[0], 0, rooms[0].length) : this.readRooms(rooms);
    const { buf } = this.writer;
    for (let i = 0, left = n; left > 0; left -= CHUNK_SIZE) {
      const at = plain.placeOf(i++);
      this.digest.update(buf, at, at + Math.min(left, CHUNK_SIZE));
    }
    return n;
  }

  private compressedStep(): boolean {
    const { bytes, from } = this.room;
    const n = this.readNext(bytes, from, STEP);
    if (n === 0) return true;
    this.digest.update(bytes, from, from + n);
    this.counts.literal(bytes, from, from + n);
    return this.offset >= this.size;
  }

  /** append-verify: the part that the receiver has is only summed up. */
  private skipStep(): boolean {
    const { bytes, from } = this.room;
    const n = this.readNext(bytes, from, Math.min(STEP, this.skipLeft));
    this.digest.update(bytes, from, from + n);
    this.skipLeft -= n;
    if (this.skipLeft === 0 || n === 0) this.mode = 'whole';
    return false;
  }
}
