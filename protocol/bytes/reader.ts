import { Exit, MAX_FRAME, MAX_TEXT_PAYLOAD, MPLEX_BASE, Msg } from '../constants.js';
import { ProtocolError, RsyncError } from '../errors.js';
import type { Tap } from './writer.js';

/** Receives every frame that is not DATA. `payload` is a view that is valid only during the call. */
export type MessageHandler = (code: number, payload: Buffer) => void;

const FIRST_CAPACITY = 32 * 1024;
/** Most bytes that are taken at once by a carrier that fills the window itself. */
const MAX_REACH = 256 * 1024;
/** Bytes of a window for long reads, of 1 MiB, with room for what is left of those before. */
export const LONG_WINDOW = 1024 * 1024 + MAX_REACH;
const UNFRAMED = Number.POSITIVE_INFINITY;

/** The exact payload length, or the exclusive upper bound, of each message code (4.1). */
function payloadFault(code: number, length: number): boolean {
  switch (code) {
    case Msg.DATA:
      return length > MAX_FRAME;
    case Msg.IO_ERROR:
    case Msg.IO_TIMEOUT:
    case Msg.SUCCESS:
    case Msg.NO_SEND:
      return length !== 4;
    case Msg.NOOP:
      return length !== 0;
    case Msg.ERROR_EXIT:
      return length !== 0 && length !== 4;
    case Msg.ERROR_XFER:
    case Msg.INFO:
    case Msg.ERROR:
    case Msg.WARNING:
    case Msg.DELETED:
      return length >= MAX_TEXT_PAYLOAD;
    default:
      return true;
  }
}

/**
 * A window over received bytes that decodes without waiting.
 *
 * Bytes come in through `push`, or in place through `space` and `arrived`. While a stream is multiplexed, the window grows from one DATA frame into the next: the
 * few bytes of an unfinished unit move forward over the next header, so that a unit always lies in one piece and the
 * payload itself is never copied.
 *
 * Decoding a unit (a list entry, a token, an index): `begin()`, read values, `done()`. When bytes run out, the reading
 * methods return 0 and set `short`; `done()` then rewinds to the start of the unit and returns false, and the caller
 * waits for more bytes and tries again. Values must not be judged while `short` is set: `bounded` knows that.
 */
export class ByteReader {
  buf: Buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  /** Next byte to decode. */
  pos = 0;
  /** End of the bytes that may be decoded. */
  end = 0;
  short = false;
  /** Bytes received from the transport so far, frame headers included. */
  total = 0;
  /** Those of them that were no data: frame headers and messages before the next byte to decode. */
  overhead = 0;
  private unit = 0;
  private rawEnd = 0;
  /** Bytes that `space` offers; it grows while they are all used. */
  private reach = FIRST_CAPACITY / 2;
  /** How far it grows: so much may wait to be decoded. */
  longest = MAX_REACH;
  /** Where the window is to move. */
  private home: Buffer | null = null;
  private frameLeft = UNFRAMED;
  private onMessage: MessageHandler | null = null;
  /** Sees all data, without frames, before it is decoded. */
  tap: Tap | null = null;

  /** From the next undecoded byte on, the stream is made of frames (4.1). */
  startFrames(onMessage: MessageHandler): void {
    this.begin();
    this.end = this.pos;
    this.frameLeft = 0;
    this.onMessage = onMessage;
  }

  /** Goes back to unframed bytes, at the end of a frame (needed for files-from below protocol 31). */
  stopFrames(): void {
    if (this.pos !== this.end || this.frameLeft !== 0) {
      throw new ProtocolError('multiplexed frame', 'it does not end with the filter rules', Exit.STREAMIO);
    }
    this.frameLeft = UNFRAMED;
  }

  get framed(): boolean {
    return this.frameLeft !== UNFRAMED;
  }

  /** Bytes of data that were decoded so far. */
  get decoded(): number {
    return this.total - this.buffered - this.overhead;
  }

  /** Bytes that were received and not decoded yet, headers included. */
  get buffered(): number {
    return this.rawEnd - this.pos;
  }

  /** Appends received bytes; they are copied. Not while a carrier fills what `space` gave it. */
  push(chunk: Uint8Array): void {
    const n = chunk.length;
    this.total += n;
    if (this.rawEnd + n > this.buf.length) this.makeRoom(n);
    this.buf.set(chunk, this.rawEnd);
    this.rawEnd += n;
  }

  /** Room behind what is there, for a carrier to receive into; `arrived` says how much of it was used. */
  space(): Buffer {
    if (this.home !== null && this.reach === MAX_REACH) this.goTo(this.home);
    if (this.unit === this.rawEnd) this.pos = this.end = this.unit = this.rawEnd = 0;
    else if (this.rawEnd + this.reach > this.buf.length) this.makeRoom(this.reach);
    if (this.reach > this.buf.length) this.makeRoom(this.reach);
    return this.buf.subarray(this.rawEnd, this.rawEnd + this.reach);
  }

  /** `n` bytes came into the room that `space` gave last. */
  arrived(n: number): void {
    this.total += n;
    this.rawEnd += n;
    if (n === this.reach && n < this.longest) this.reach = n * 2;
  }

  /**
   * Much is to come: once reads are long, they are longer still and go to `home`, LONG_WINDOW bytes that are the reader's from now
   * on, and where somebody can use data without a copy.
   */
  moveInto(home: Buffer): void {
    this.home = home;
  }

  private goTo(home: Buffer): void {
    if (this.rawEnd - this.unit > MAX_REACH) return;
    this.moveTo(home);
    this.home = null;
    this.longest = home.length - MAX_REACH;
  }

  private makeRoom(n: number): void {
    const keep = this.rawEnd - this.unit;
    let target = this.buf;
    if (keep + n > target.length) {
      let capacity = target.length;
      while (keep + n > capacity) capacity *= 2;
      target = Buffer.allocUnsafeSlow(capacity);
    }
    this.moveTo(target);
  }

  private moveTo(target: Buffer): void {
    const { unit } = this;
    this.buf.copy(target, 0, unit, this.rawEnd);
    this.pos -= unit;
    this.end -= unit;
    this.rawEnd -= unit;
    this.unit = 0;
    this.buf = target;
  }

  /** Hands over what was received and not decoded, and forgets it (for passing a connection to another process). */
  takeRest(): Buffer {
    const rest = Buffer.from(this.buf.subarray(this.pos, this.rawEnd));
    this.pos = this.end = this.unit = this.rawEnd = 0;
    return rest;
  }

  begin(): void {
    this.unit = this.pos;
    this.short = false;
  }

  /** Ends a unit: true when all of it was there, false (and rewound) when it was not. */
  done(): boolean {
    if (this.short) {
      this.pos = this.unit;
      this.short = false;
      return false;
    }
    this.unit = this.pos;
    return true;
  }

  /** True when `n` more bytes of the data stream can be decoded now. */
  has(n: number): boolean {
    return this.end - this.pos >= n || this.pull(n);
  }

  /** Number of bytes that can be decoded now without crossing into the next frame; at least one if any is there. */
  available(): number {
    if (this.end === this.pos) this.pull(1);
    return this.end - this.pos;
  }

  /** Drops everything that has been received; messages on the way are still handled. */
  drop(): void {
    this.begin();
    while (this.available() > 0) {
      this.pos = this.end;
      this.begin();
    }
  }

  /** Handles the frames that are complete in the buffer, as far as no data has to be skipped for it. */
  pumpMessages(): void {
    if (this.end === this.pos && this.framed) this.pull(1);
  }

  private pull(n: number): boolean {
    while (this.end - this.pos < n) {
      if (this.frameLeft === 0) {
        if (!this.nextFrame()) return false;
        continue;
      }
      const take = Math.min(this.frameLeft, this.rawEnd - this.end);
      if (take === 0) return false;
      this.tap?.(this.buf, this.end, this.end + take);
      this.end += take;
      if (this.frameLeft !== UNFRAMED) this.frameLeft -= take;
    }
    return true;
  }

  private nextFrame(): boolean {
    const at = this.end;
    if (this.rawEnd - at < 4) return false;
    const header = this.buf.readUInt32LE(at);
    const length = header & 0xffffff;
    const code = (header >>> 24) - MPLEX_BASE;
    if (payloadFault(code, length)) {
      throw new RsyncError(Exit.STREAMIO, `unexpected tag ${code} of length ${length}`);
    }
    if (code === Msg.DATA) {
      this.skipRaw(4);
      this.frameLeft = length;
      return true;
    }
    if (this.rawEnd - at < 4 + length) return false;
    const payload = this.buf.subarray(at + 4, at + 4 + length);
    // The handler may throw to end the session; a handler never touches this reader.
    this.onMessage?.(code, payload);
    this.skipRaw(4 + length);
    return true;
  }

  /** Takes `n` raw bytes out of the stream by moving the unfinished unit forward over them. */
  private skipRaw(n: number): void {
    if (this.unit < this.end) this.buf.copyWithin(this.unit + n, this.unit, this.end);
    this.unit += n;
    this.pos += n;
    this.end += n;
    this.overhead += n;
  }

  private need(n: number): boolean {
    if (this.end - this.pos >= n || this.pull(n)) return true;
    this.short = true;
    return false;
  }

  u8(): number {
    if (this.pos === this.end && !this.need(1)) return 0;
    return this.buf[this.pos++];
  }

  /** 16 bits, little-endian. */
  u16(): number {
    if (!this.need(2)) return 0;
    const p = this.pos;
    this.pos = p + 2;
    return this.buf[p] | (this.buf[p + 1] << 8);
  }

  /** 32 bits, little-endian, signed. */
  i32(): number {
    if (!this.need(4)) return 0;
    const { buf, pos } = this;
    this.pos = pos + 4;
    return buf[pos] | (buf[pos + 1] << 8) | (buf[pos + 2] << 16) | (buf[pos + 3] << 24);
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  /** A copy of the next `n` bytes, or an empty buffer when they are not there. */
  bytes(n: number): Buffer {
    if (!this.need(n)) return Buffer.alloc(0);
    const out = Buffer.allocUnsafeSlow(n);
    this.buf.copy(out, 0, this.pos, this.pos + n);
    this.pos += n;
    return out;
  }

  /** Copies the next `n` bytes into `target` at `offset`; false when they are not there. */
  copyTo(target: Uint8Array, offset: number, n: number): boolean {
    if (!this.need(n)) return false;
    target.set(this.buf.subarray(this.pos, this.pos + n), offset);
    this.pos += n;
    return true;
  }

  /** Returns `value`, after checking that it lies in [low, high]. `field` names it in the error. */
  bounded(value: number, low: number, high: number, field: string, exitCode: number = Exit.PROTOCOL): number {
    if (!this.short && !(value >= low && value <= high)) throw new ProtocolError(field, value, exitCode);
    return value;
  }

  /** vstring (5.6): length in one or two bytes, then that many bytes. */
  vstring(max: number, field: string): Buffer {
    let length = this.u8();
    if (length & 0x80) length = ((length & 0x7f) << 8) | this.u8();
    this.bounded(length, 0, max, `${field} length`);
    return this.bytes(length);
  }
}
