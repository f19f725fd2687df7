import { MPLEX_BASE, Msg } from '../constants.js';

/** Takes finished bytes. `release` must be called once the view has been sent and may be overwritten. */
export interface Sink {
  write(view: Buffer, release: () => void): void;
}

/** Bytes of a page: eight literal tokens of the usual 32 KiB with their lengths, and a few small values. */
export const PAGE = 8 * (32 * 1024 + 4) + 64;
/** The first page: many sessions of a daemon or a mirror never fill it. */
const FIRST_PAGE = 16 * 1024;
export const POOL_LIMIT = 4;

/** Sees bytes of data that go by: b[from, to), valid only during the call. */
export type Tap = (b: Uint8Array, from: number, to: number) => void;

/** One buffer: it is free again when it was handed out whole and every view of it has been sent. */
class Page {
  views = 0;
  full = false;

  constructor(
    readonly buf: Buffer,
    /** Where it goes then. */
    private readonly pool: Page[],
  ) {}

  recycle(): void {
    if (this.pool.length < POOL_LIMIT && this.buf.length === PAGE) this.pool.push(this);
  }
}

/** A detour: what carries on, where it goes, and the bytes that were written before. */
interface Carrying {
  readonly out: ByteWriter;
  readonly sink: Sink;
  readonly total: number;
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
  /** Bytes written so far, frame headers included; during a detour, those that were given to it count. */
  total = 0;
  /** Those of all bytes, unflushed ones too, that are no data: frame headers and messages. */
  private overhead = 0;
  private page: Page;
  private start = 0;
  private frame = -1;
  private frames = false;
  private free: Page[] = [];
  /** Sees all data, without frames, as it goes out. */
  tap: Tap | null = null;
  /** While data takes a detour: what carries on the data that comes back, and messages. */
  private carrying: Carrying | null = null;

  constructor(private sink: Sink) {
    this.page = new Page(Buffer.allocUnsafeSlow(FIRST_PAGE), this.free);
    this.buf = this.page.buf;
  }

  get framed(): boolean {
    return this.carrying === null ? this.frames : this.carrying.out.frames;
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
  pageEnd = FIRST_PAGE;

  /** Largest `n` that `ensure` takes. */
  static readonly MAX_RESERVE = PAGE - 4;

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
      this.tap?.(this.buf, this.frame + 4, this.pos);
    }
    this.frame = -1;
  }

  private nextPage(): void {
    const old = this.page;
    old.full = true;
    if (old.views === 0) old.recycle();
    this.page = this.free.pop() ?? new Page(Buffer.allocUnsafeSlow(PAGE), this.free);
    this.page.full = false;
    this.buf = this.page.buf;
    this.pageEnd = PAGE;
    this.pos = this.start = 0;
  }

  /**
   * Much is to go: from the next page on, it goes into `pages`, POOL_LIMIT buffers of PAGE bytes that are the writer's from now on,
   * and where somebody can use data without a copy. If all are on their way, others are made.
   */
  moveInto(pages: readonly Buffer[]): void {
    const pool: Page[] = [];
    for (const buf of pages) pool.push(new Page(buf, pool));
    this.free = pool;
  }

  /**
   * From now on the bytes of data go to `detour`, without frames. Whoever has them there puts what becomes of them, in
   * order, into the writer that is returned. Messages take the straight way, and are ahead of the data.
   */
  startDetour(detour: Sink): ByteWriter {
    this.flush();
    const { sink } = this;
    const out = new ByteWriter({
      write: (view, release) => {
        this.pending += view.length;
        sink.write(view, () => {
          this.pending -= view.length;
          release();
        });
      },
    });
    out.frames = this.frames;
    this.carrying = { out, sink, total: this.total };
    this.sink = detour;
    this.frames = false;
    return out;
  }

  /** Data goes straight on again. What the detour still has, or was not flushed, is lost. */
  endDetour(): void {
    const { carrying } = this;
    if (carrying === null) return;
    const { out, sink, total } = carrying;
    out.flush();
    this.pos = this.start;
    this.sink = sink;
    this.frames = out.frames;
    this.total = total + out.total;
    this.overhead += out.overhead;
    this.carrying = null;
  }

  /** From now on data goes nowhere but to `tap`, and does not count; messages go on. */
  divert(): void {
    this.startDetour({ write: (_view, release) => release() });
  }

  /** Data goes out again. */
  endDiversion(): void {
    this.flush();
    this.endDetour();
  }

  /** Hands everything written so far to the sink, but for the last `held` bytes. */
  flush(held = 0): void {
    this.carrying?.out.flush();
    this.closeFrame();
    const { page, start } = this;
    const pos = this.pos - held;
    if (pos <= start) return;
    if (!this.frames) this.tap?.(page.buf, start, pos);
    const length = pos - start;
    this.start = pos;
    this.pending += length;
    this.total += length;
    page.views++;
    this.sink.write(page.buf.subarray(start, pos), () => {
      this.pending -= length;
      if (--page.views === 0 && page.full) page.recycle();
    });
  }

  /** Writes one message frame (4.1) between DATA frames. */
  message(code: number, payload: Uint8Array): void {
    if (this.carrying !== null) {
      this.carrying.out.message(code, payload);
      return;
    }
    this.closeFrame();
    const { frames, tap } = this;
    this.frames = false;
    this.tap = null;
    this.i32(payload.length | ((MPLEX_BASE + code) << 24));
    this.bytes(payload);
    this.frames = frames;
    this.tap = tap;
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
