import type { BlockDigest, Digest } from '../hash/digest.js';
import { Kernel } from '../kernel/kernel.js';
import { SearchKernel } from '../kernel/search-kernel.js';
import { BlockCheck } from './block-check.js';
import type { BlockSums } from './blocks.js';
import type { SearchAhead } from './lookout.js';
import type { TokenSink } from './tokens.js';

/** Fills target[at, at + length) with the next bytes of the file; returns the number read, 0 at its end. */
export type ReadNext = (target: Uint8Array, at: number, length: number) => number;

/** Positions that are jumped over together: a jump costs summing a block. */
const WORTH_JUMPING = 8 * 1024;

/** New bytes taken in by one step. */
const STEP = 256 * 1024;
/** Blocks longer than this (only protocols below 30 allow them) are not searched for: their window would be too large. */
const MAX_SEARCHED_BLOCK = 16 * 1024 * 1024;

/**
 * Finds the blocks of a basis in a file (9.6, 10): tells a sink which bytes are new and which blocks come next, and
 * feeds the whole-file digest. One object serves all files of a session; it owns one window buffer.
 */
export class BlockSearch {
  /** Blocks found. */
  matches = 0;
  /** Decides about what the rolling sums find. */
  readonly check: BlockCheck;

  private kernel: SearchKernel | null = null;
  private plain: Uint8Array | null = null;
  private sums!: BlockSums;
  private searching = false;
  private blockLength = 0;
  /** Blocks of full length. */
  private full = 0;
  private unread = 0;
  private window = 0;
  /** File offset of the window's first byte. */
  private base = 0;
  /** Bytes in the window; the current position; where the literal that was not sent yet begins. */
  private fill = 0;
  private at = 0;
  private literalFrom = 0;
  /** The current position was not compared yet and its sum is not in the kernel. */
  private fresh = true;
  /** The block after the last match. */
  private wanted = 0;
  private ahead: SearchAhead | null = null;
  /** Where the last match has ended in the file. */
  private newFrom = 0;
  /** The current position was jumped to: its sum is not in the kernel. */
  private hasJumped = false;

  constructor(
    block: BlockDigest,
    /** Sums up the file. */
    readonly file: Digest,
  ) {
    this.check = new BlockCheck(block);
  }

  /**
   * Begins a file of at most `fileLength` bytes. `updating`: the receiver writes into the basis itself, so a block may
   * be used only when it is not overwritten by then (9.8). `ahead` may know where nothing is to be found.
   */
  start(sums: BlockSums, fileLength: number, updating: boolean, ahead: SearchAhead | null = null): void {
    const { head } = sums;
    this.sums = sums;
    this.unread = fileLength;
    this.base = this.fill = this.at = this.literalFrom = this.newFrom = 0;
    this.fresh = true;
    this.hasJumped = false;
    this.ahead = ahead;
    this.wanted = 0;
    this.blockLength = head.blockLength;
    this.full = head.remainder > 0 ? head.count - 1 : head.count;
    this.searching = head.count > 0 && head.blockLength <= MAX_SEARCHED_BLOCK;
    if (this.searching) this.prepare(fileLength, updating);
    this.file.init();
  }

  private prepare(fileLength: number, updating: boolean): void {
    const { blockLength, sums } = this;
    this.kernel ??= new SearchKernel(this.file.kernel ?? new Kernel());
    this.window = blockLength + Math.max(STEP, blockLength);
    this.kernel.prepare(this.window, blockLength, sums.rolling, fileLength < blockLength ? 0 : this.full);
    this.check.start(sums, this.kernel, this.full, updating);
  }

  /**
   * Goes about 256 KiB further; true when the file is finished, and then all of it was given to the sink and to the
   * digest. Throws what `read` and `out` throw.
   */
  step(read: ReadNext, out: TokenSink): boolean {
    if (!this.searching) return this.copy(read, out);
    this.refill(read, out);
    this.search(out);
    if (this.unread > 0) return false;
    this.finish(out);
    return true;
  }

  /** A step without a basis. */
  private copy(read: ReadNext, out: TokenSink): boolean {
    this.plain ??= Buffer.allocUnsafeSlow(STEP);
    const n = this.unread > 0 ? read(this.plain, 0, Math.min(STEP, this.unread)) : 0;
    if (n === 0) return true;
    this.unread -= n;
    this.file.update(this.plain, 0, n);
    out.literal(this.plain, 0, n);
    return this.unread === 0;
  }

  /** Moves the window on to the current position and fills it. */
  private refill(read: ReadNext, out: TokenSink): void {
    const { bytes, windowAt } = this.kernel!;
    this.sendLiteral(out, this.at);
    if (this.at > 0) bytes.copyWithin(windowAt, windowAt + this.at, windowAt + this.fill);
    this.base += this.at;
    this.fill -= this.at;
    this.at = this.literalFrom = 0;
    this.ahead?.note(this.base, this.base - this.newFrom);
    while (this.unread > 0 && this.fill < this.window) {
      const from = windowAt + this.fill;
      const n = read(bytes, from, Math.min(this.window - this.fill, this.unread));
      if (n === 0) this.unread = 0;
      else this.unread -= n;
      this.file.update(bytes, from, from + n);
      this.fill += n;
    }
  }

  private sendLiteral(out: TokenSink, to: number): void {
    if (to === this.literalFrom) return;
    const { bytes, windowAt } = this.kernel!;
    out.literal(bytes, windowAt + this.literalFrom, windowAt + to);
    this.literalFrom = to;
  }

  /** Looks at every position at which a whole block still fits into the window. */
  private search(out: TokenSink): void {
    const { check } = this;
    const kernel = this.kernel!;
    const last = this.fill - this.blockLength;
    while (this.at <= last) {
      let sum: number;
      let head: number;
      const isFresh = this.fresh;
      if (isFresh) {
        sum = this.seek(this.at);
        this.fresh = false;
        head = kernel.head();
      } else {
        if (this.at === last) return;
        head = this.advance(last);
        if (head < 0) continue;
        sum = this.sums.rolling[head];
      }
      const offset = this.base + this.at;
      // Right after a match the next block is so likely that it is compared whatever was spent on false alarms.
      if (!isFresh && check.isExhausted(offset)) continue;
      const isHit = head >= 0 || check.isWanted(this.wanted, sum, offset);
      const block = isHit ? check.find(this.at, offset, sum, head, this.wanted) : -1;
      if (block >= 0) this.found(out, block);
      else if (isFresh && !this.passOver(out)) return;
    }
  }

  /**
   * The block that was expected after a match is not here. Mostly its bytes were overwritten, and the one behind it is where it
   * was: then what lies between goes as it is. To look at each position of it costs most of what a few edits cost at all, and
   * a block found there would overlap the next one, so that hardly ever less were to be sent. False: the window ends
   * too early to tell.
   */
  private passOver(out: TokenSink): boolean {
    const { blockLength } = this;
    const block = this.wanted + 1;
    if (block >= this.full) return true;
    if (this.at + 2 * blockLength > this.fill) {
      this.fresh = this.unread > 0;
      return !this.fresh;
    }
    const position = this.at + blockLength;
    if (this.kernel!.sumOf(position, blockLength) !== this.sums.rolling[block]) return true;
    if (this.check.isUsable(block, this.base + position) && this.check.isAt(position, blockLength, block)) {
      this.at = position;
      this.found(out, block);
    }
    return true;
  }

  /**
   * Goes on to a position with a block's rolling sum, and returns the first of these blocks; -1: there is none up to the
   * position that is current now, `last` at most.
   */
  private advance(last: number): number {
    const kernel = this.kernel!;
    let to = last;
    if (this.ahead !== null) {
      const next = this.base + this.at + 1;
      const clear = this.ahead.clearUpTo(next);
      if (clear - next >= WORTH_JUMPING) return this.jump(clear - this.base, last);
      to = this.ahead.claim(next, this.base + last + 1) - this.base - 1;
      if (this.hasJumped) this.seek(this.at);
    }
    const position = kernel.scan(this.at, to);
    this.at = position < 0 ? to : position;
    return position < 0 ? -1 : kernel.foundHead();
  }

  /** The same where nothing is in front of `position`. */
  private jump(position: number, last: number): number {
    this.hasJumped = position > last;
    this.at = Math.min(position, last);
    if (this.hasJumped) return -1;
    this.seek(position);
    return this.kernel!.head();
  }

  /** Gets the sum at a position into the kernel. */
  private seek(position: number): number {
    this.hasJumped = false;
    return this.kernel!.seek(position);
  }

  private found(out: TokenSink, block: number): void {
    this.emit(out, block, this.at + this.blockLength);
    this.at = this.literalFrom;
    this.fresh = true;
    this.wanted = block + 1;
  }

  /** Sends the bytes before the current position and then `block`, which ends at `end`. */
  private emit(out: TokenSink, block: number, end: number): void {
    const { bytes, windowAt } = this.kernel!;
    this.sendLiteral(out, this.at);
    this.matches++;
    this.newFrom = this.base + end;
    this.check.use(block, this.base + this.at);
    out.match(block, bytes, windowAt + this.at, windowAt + end);
    this.literalFrom = end;
  }

  /** At the end of the file: the short last block, which may only be there, and the rest. */
  private finish(out: TokenSink): void {
    const { count, remainder } = this.sums.head;
    const tail = this.fill - remainder;
    const block = count - 1;
    if (remainder > 0 && tail >= this.at && this.kernel!.sumOf(tail, remainder) === this.sums.rolling[block]) {
      this.at = tail;
      const { check } = this;
      if (check.isAt(tail, remainder, block) && check.isUsable(block, this.base + tail))
        this.emit(out, block, this.fill);
    }
    this.sendLiteral(out, this.fill);
    this.at = this.fill;
  }
}
