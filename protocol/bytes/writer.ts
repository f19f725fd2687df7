import { MPLEX_BASE, Msg } from '../constants.js';

/** Takes finished bytes. `release` must be called once the view has been sent and may be overwritten. */
export interface Sink {
  write(view: Buffer, release: () => void): void;
}

/** Room for eight literal tokens of the usual 32 KiB with their lengths, and a few small values. */
const CAPACITY = 8 * (32 * 1024 + 4) + 64;
/** The first page: many sessions of a daemon or a mirror never fill it. */
const FIRST_CAPACITY = 16 * 1024;
const POOL_LIMIT = 4;

/** One buffer of the pool: it is free again when it was handed out whole and every view of it has been sent. */
class Page {
  readonly buf: Buffer;
  views = 0;
  full = false;

  constructor(size: number) {
    this.buf = Buffer.allocUnsafeSlow(size);
  }
}

/**
 * Collects outgoing bytes in pooled buffers and hands them to a sink as large views.
 *
 * While framed, values are written into an open DATA frame whose header is filled in when the frame is closed, so
 * that many small values share one frame. `flush` must be called before waiting for anything.
 */
export class ByteWriter {
  buf: Buffer;
  /** Where the next byte goes. */
  pos = 0;
  /** Bytes handed to the sink that have not been released yet. */
  pending = 0;
  /** Bytes written so far, frame headers included. */
  total = 0;
  /** Those of all bytes, unflushed ones too, that are no data: frame headers and messages. */
  private overhead = 0;
  private page: Page;
  private start = 0;
  private frame = -1;
  private frames = false;
  private readonly free: Page[] = [];

  constructor(private readonly sink: Sink) {
    this.page = new Page(FIRST_CAPACITY);
    this.buf = this.page.buf;
  }

  get framed(): boolean {
    return this.frames;
  }

  /** Bytes of data written so far. */
  get data(): number {
    return this.total + this.unflushed - this.overhead;
  }

  /** Bytes that wait here for a flush. */
  get unflushed(): number {
    return this.pos - this.start;
  }

  startFrames(): void {
    this.frames = true;
  }

  /** Goes back to unframed bytes (needed for files-from below protocol 31). */
  stopFrames(): void {
    this.closeFrame();
    this.frames = false;
  }

  /** Where `buf` ends for those who write into it directly, after `ensure`. */
  pageEnd = FIRST_CAPACITY;

  /** Largest `n` that `ensure` takes. */
  static readonly MAX_RESERVE = CAPACITY - 4;

  /** Makes room for `n` contiguous bytes at `pos`, inside a DATA frame when the stream is framed. */
  ensure(n: number): void {
    const head = this.frames && this.frame < 0 ? 4 : 0;
    if (this.pos + head + n > this.pageEnd) {
      this.flush();
      this.nextPage();
    }
    if (this.frames && this.frame < 0) {
      this.frame = this.pos;
      this.pos += 4;
      this.overhead += 4;
    }
  }

  private closeFrame(): void {
    if (this.frame < 0) return;
    const length = this.pos - this.frame - 4;
    if (length === 0) {
      this.pos = this.frame;
      this.overhead -= 4;
    } else {
      this.buf.writeUInt32LE(length | ((MPLEX_BASE + Msg.DATA) << 24), this.frame);
    }
    this.frame = -1;
  }

  private nextPage(): void {
    const old = this.page;
    old.full = true;
    if (old.views === 0) this.recycle(old);
    this.page = this.free.pop() ?? new Page(CAPACITY);
    this.page.full = false;
    this.buf = this.page.buf;
    this.pageEnd = CAPACITY;
    this.pos = this.start = 0;
  }

  private recycle(page: Page): void {
    if (this.free.length < POOL_LIMIT && page.buf.length === CAPACITY) this.free.push(page);
  }

  /** Hands everything written so far to the sink, but for the last `held` bytes. */
  flush(held = 0): void {
    this.closeFrame();
    const { page, start } = this;
    const pos = this.pos - held;
    if (pos <= start) return;
    const length = pos - start;
    this.start = pos;
    this.pending += length;
    this.total += length;
    page.views++;
    this.sink.write(page.buf.subarray(start, pos), () => {
      this.pending -= length;
      if (--page.views === 0 && page.full) this.recycle(page);
    });
  }

  /** Writes one message frame (4.1) between DATA frames. */
  message(code: number, payload: Uint8Array): void {
    this.closeFrame();
    const wasFramed = this.frames;
    this.frames = false;
    this.i32(payload.length | ((MPLEX_BASE + code) << 24));
    this.bytes(payload);
    this.frames = wasFramed;
    this.overhead += 4 + payload.length;
  }

  /** Writes an empty DATA frame, the keep-alive of every protocol version (4.6). */
  keepAlive(): void {
    this.message(Msg.DATA, new Uint8Array(0));
  }

  u8(value: number): void {
    this.ensure(1);
    this.buf[this.pos++] = value;
  }

  u16(value: number): void {
    this.ensure(2);
    this.buf[this.pos++] = value;
    this.buf[this.pos++] = value >>> 8;
  }

  i32(value: number): void {
    this.ensure(4);
    const { buf, pos } = this;
    buf[pos] = value;
    buf[pos + 1] = value >>> 8;
    buf[pos + 2] = value >>> 16;
    buf[pos + 3] = value >>> 24;
    this.pos = pos + 4;
  }

  /** Copies `source[from, to)` out, across pages when it is long. */
  bytes(source: Uint8Array, from = 0, to = source.length): void {
    while (from < to) {
      this.ensure(1);
      const n = Math.min(to - from, this.pageEnd - this.pos);
      this.buf.set(source.subarray(from, from + n), this.pos);
      this.pos += n;
      from += n;
    }
  }

  /** A byte string: every character code is one byte (0 to 255). */
  text(value: string): void {
    this.bytes(Buffer.from(value, 'latin1'));
  }

  /** vstring (5.6). `value` must be shorter than 32768 bytes. */
  vstring(value: Uint8Array): void {
    const n = value.length;
    if (n > 0x7fff) throw new RangeError(`vstring of ${n} bytes`);
    if (n > 0x7f) this.u8(0x80 | (n >> 8));
    this.u8(n & 0xff);
    this.bytes(value);
  }
}
