import type { ByteReader } from '../../../protocol/bytes/reader.js';
import { flength, type SumHead } from '../../../protocol/delta/blocks.js';
import { Token, type TokenReader, type WholeInput } from '../../../protocol/delta/tokens.js';
import { ProtocolError } from '../../../protocol/errors.js';
import type { Digest } from '../../../protocol/hash/digest.js';
import type { FileOutput } from '../../files/output.js';
import { Errno, systemError } from '../../libc/errno.js';
import { LongFiles } from '../../session/long-files.js';
import { BASIS_WINDOW, BasisWindow } from '../basis/window.js';

/** Where the content of a file goes and comes from. */
export interface FileTarget {
  /** null: the data is read and dropped. */
  output: FileOutput | null;
  /** Descriptor of the basis, -1 when there is none. */
  basis: number;
  head: SumHead;
  /** The output holds what the basis holds. */
  updating: boolean;
  /** 0, or the append mode of this file (9.7). */
  append: number;
  /** What a block ends the run with while there is no basis; null: a breach of the protocol. */
  lostBasis: Error | null;
}

/** Bytes that are copied between two turns of others, and from which on the kernel copies faster than we do. */
const COPY_STEP = 8 * 1024 * 1024;
const WORTH_KERNEL = 512 * 1024;
/** Bytes of the basis that are used between two turns of others: a buffer full of block numbers stands for gigabytes. */
const TURN = 32 * 1024 * 1024;

/** Puts files together from tokens: literal data and blocks of the basis, with the sum of it all. */
export class FileReceiver {
  literalBytes = 0;
  matchedBytes = 0;
  /** Position in the new file. */
  offset = 0;
  private target!: FileTarget;
  /** Bytes of the basis used since the last turn of others. */
  private used = 0;
  private readonly window: BasisWindow;
  private readonly ownSum: Buffer;
  private readonly theirSum: Buffer;
  private inSum = false;
  /** A write failed: the rest of the file is dropped. */
  writeError: NodeJS.ErrnoException | null = null;
  /** A file that was handed over could not be read to its end. */
  readError: NodeJS.ErrnoException | null = null;
  private isHanded = false;
  /** How far the kernel has copied it: only from there it can go on, as it uses the positions of the files. */
  private kernelOffset = 0;

  constructor(
    private readonly tokens: TokenReader,
    private readonly digest: Digest,
    private readonly longFiles = new LongFiles(null),
  ) {
    this.window = new BasisWindow(digest.kernel);
    this.ownSum = Buffer.alloc(digest.length);
    this.theirSum = Buffer.alloc(digest.length);
  }

  /** Where the next file, if it has come whole, may be unpacked by others; null: nothing is compressed, or only `step` can. */
  get wholeInput(): WholeInput | null {
    return this.tokens.wholeInput;
  }

  /** `size`: bytes of the file in the list. */
  begin(target: FileTarget, size: number): void {
    this.target = target;
    this.longFiles.expect(size);
    this.tokens.start();
    if (target.output === null && target.basis < 0) this.tokens.drop();
    this.digest.init();
    this.inSum = false;
    this.window.open(target.basis);
    this.writeError = this.readError = null;
    this.isHanded = false;
    this.kernelOffset = 0;
    this.offset = 0;
    if (target.append > 0) this.skipExisting(target);
  }

  /** append: what is there already is kept, and with append-verify it is part of the sum. */
  private skipExisting(target: FileTarget): void {
    const length = flength(target.head);
    if (target.append === 2) {
      const { window } = this;
      for (let at = 0; at < length; ) {
        const n = window.load(at, Math.min(BASIS_WINDOW, length - at), false);
        if (n === 0) break;
        this.digest.update(window.bytes, window.place(at), window.place(at) + n);
        at += n;
      }
    }
    this.offset = length;
    target.output?.seek(length);
  }

  /** Others should have their turn before `step` is called again. */
  get isTurnOver(): boolean {
    return this.used >= TURN;
  }

  /** Others have had their turn. */
  beginTurn(): void {
    this.used = 0;
  }

  /**
   * Takes tokens as far as they have arrived. True when the file and its sum were read: `sumMatches` then says
   * whether it is whole. False when more input is needed, or the turn is over.
   */
  step(r: ByteReader): boolean {
    const { tokens } = this;
    while (!this.inSum) {
      if (this.isTurnOver) {
        this.releaseInput();
        return false;
      }
      const kind = tokens.next(r);
      if (kind === Token.SHORT) {
        this.releaseInput();
        return false;
      }
      if (kind === Token.LITERAL) this.literal(tokens.data, tokens.from, tokens.to);
      else if (kind === Token.MATCH) this.match(r);
      else {
        this.endRun();
        this.inSum = true;
      }
    }
    r.begin();
    r.copyTo(this.theirSum, 0, this.theirSum.length);
    if (!r.done()) {
      this.releaseInput();
      return false;
    }
    this.digest.final(this.ownSum, 0);
    return true;
  }

  get sumMatches(): boolean {
    return this.isHanded ? this.readError === null : this.ownSum.equals(this.theirSum);
  }

  /**
   * Copies the next piece of a file that came open instead of in tokens, `size` bytes long; true at its end. There is no
   * sum then, as the bytes have not been on their way.
   */
  copy(fd: number, size: number): boolean {
    this.isHanded = true;
    const wanted = Math.min(COPY_STEP, size - this.offset);
    const isWorth = wanted >= WORTH_KERNEL && this.offset === this.kernelOffset;
    const n = isWorth ? (this.target.output?.copy(fd, wanted) ?? 0) : 0;
    this.offset += n;
    this.kernelOffset += n;
    this.literalBytes += n;
    if (n === 0 && wanted > 0) this.copyByHand(fd, Math.min(BASIS_WINDOW, wanted));
    return this.offset === size || this.readError !== null || this.writeError !== null;
  }

  private copyByHand(fd: number, wanted: number): void {
    const { window } = this;
    window.open(fd);
    try {
      const n = window.load(this.offset, wanted, false);
      // The file shrank after it was opened: what was copied is neither the old content nor the new one.
      if (n === 0) this.readError = systemError(Errno.ENODATA, 'read');
      const from = window.place(this.offset);
      this.write(window.bytes, from, from + n);
      this.offset += n;
      this.literalBytes += n;
    } catch (error) {
      this.readError = error as NodeJS.ErrnoException;
    }
  }

  /** The sum of the last file. */
  get sum(): Buffer {
    return this.ownSum;
  }

  private literal(data: Uint8Array, from: number, to: number): void {
    this.endRun();
    this.literalBytes += to - from;
    this.digest.update(data, from, to);
    const { output } = this.target;
    if (output !== null && this.writeError === null) {
      try {
        if (this.tokens.keepsData) output.writeHeld(data, from, to);
        else output.write(data, from, to);
      } catch (error) {
        this.writeError = error as NodeJS.ErrnoException;
      }
    }
    this.offset += to - from;
  }

  /** What lies in the reader's window is written before more input can come there. */
  private releaseInput(): void {
    if (!this.tokens.keepsData || this.writeError !== null) return;
    try {
      this.target.output?.flush();
    } catch (error) {
      this.writeError = error as NodeJS.ErrnoException;
    }
  }

  private write(data: Uint8Array, from: number, to: number): void {
    const { output } = this.target;
    if (output === null || this.writeError !== null) return;
    try {
      output.write(data, from, to);
    } catch (error) {
      this.writeError = error as NodeJS.ErrnoException;
    }
  }

  /** Takes the block of the last token, and as many of those behind it as come next and lie within a turn. */
  private match(r: ByteReader): void {
    const { tokens, target } = this;
    const { head, basis, output } = target;
    const first = tokens.block;
    const most = tokens.wantsMatched ? 1 : Math.ceil((TURN - this.used) / head.blockLength);
    const next = first + 1 + tokens.further(r, most - 1);
    if (next > head.count) throw new ProtocolError('block number', `${Math.max(first, head.count)} of ${head.count}`);
    const at = first * head.blockLength;
    const end = next === head.count ? flength(head) : next * head.blockLength;
    this.matchedBytes += end - at;
    this.used += end - at;
    if (basis >= 0) this.take(at, end);
    else if (output !== null) throw target.lostBasis ?? new ProtocolError('block number', `${first} without a basis`);
  }

  /** The next bytes of the file are those from `at` to `to` of the basis: whole blocks, the last one may be its last. */
  private take(from: number, to: number): void {
    const { window, target, tokens } = this;
    const { blockLength } = target.head;
    const isEach = target.updating || tokens.wantsMatched;
    for (let at = from; at < to; ) {
      const length = Math.min(blockLength, to - at);
      const isNext = window.hasRun && at === window.runTo && window.has(at, length);
      if (!isNext) this.endRun();
      // In place, what was read ahead may be overwritten before it is used.
      if (!window.has(at, length) && window.load(at, length, !target.updating) < length) {
        // The basis shrank under us: the sum will not hold, and the file is asked for again.
        this.offset += length;
        at += length;
        continue;
      }
      if (!isNext) window.runFrom = at;
      let end = at + length;
      if (!isEach) end = window.end >= to ? to : at + Math.floor((window.end - at) / blockLength) * blockLength;
      window.runTo = end;
      this.offset += end - at;
      if (tokens.wantsMatched) tokens.matched(window.bytes, window.place(at), window.place(end));
      if (target.updating) this.endRun();
      at = end;
    }
  }

  /** Uses the blocks that were put off. They end at `offset`. */
  private endRun(): void {
    const { window, target } = this;
    if (!window.hasRun) return;
    const length = window.runTo - window.runFrom;
    const from = window.place(window.runFrom);
    this.digest.update(window.bytes, from, from + length);
    if (target.updating && window.runTo === this.offset) target.output?.keep(window.bytes, from, from + length);
    else this.write(window.bytes, from, from + length);
    window.endRun();
  }
}
