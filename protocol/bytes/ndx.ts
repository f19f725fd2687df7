import { NDX_DONE } from '../constants.js';
import { ProtocolError } from '../errors.js';
import type { ByteReader } from './reader.js';
import type { ByteWriter } from './writer.js';

/** File indexes (5.7): int32 below protocol 30, delta coded from there on. One object per direction and session. */
export class NdxWriter {
  /** The last index that was not negative; for who writes indexes in other ways, too. */
  positive = -1;
  private negative = 1;

  constructor(private readonly protocol: number) {}

  /** Somebody else has written `count` more indexes, each one higher than that before. Only from protocol 30 on. */
  follow(count: number): void {
    this.positive += count;
  }

  write(w: ByteWriter, value: number): void {
    if (this.protocol < 30) {
      w.i32(value);
      return;
    }
    if (value === NDX_DONE) {
      w.u8(0);
      return;
    }
    const absolute = value >= 0 ? value : -value;
    let delta: number;
    w.ensure(6);
    if (value >= 0) {
      delta = absolute - this.positive;
      this.positive = absolute;
    } else {
      w.buf[w.pos++] = 0xff;
      delta = absolute - this.negative;
      this.negative = absolute;
    }
    if (delta >= 1 && delta <= 253) {
      w.buf[w.pos++] = delta;
    } else if (delta < 0 || delta > 0x7fff) {
      w.buf[w.pos++] = 0xfe;
      w.buf[w.pos++] = (absolute >>> 24) | 0x80;
      w.buf[w.pos++] = absolute;
      w.buf[w.pos++] = absolute >>> 8;
      w.buf[w.pos++] = absolute >>> 16;
    } else {
      w.buf[w.pos++] = 0xfe;
      w.buf[w.pos++] = delta >>> 8;
      w.buf[w.pos++] = delta;
    }
  }
}

export class NdxReader {
  /** The last index that was not negative; for who reads indexes in other ways, too. */
  positive = -1;
  private negative = 1;

  constructor(private readonly protocol: number) {}

  /** The last index that was not negative, -1 before the first: the one that the next is counted from. */
  get last(): number {
    return this.positive;
  }

  /** Indexes up to this one, which is not negative, were read by somebody else. Only from protocol 30 on. */
  passedTo(ndx: number): void {
    this.positive = ndx;
  }

  /** The next index. When `r.short` is set afterwards, the result means nothing and the state is unchanged. */
  read(r: ByteReader): number {
    if (this.protocol < 30) return r.i32();
    let first = r.u8();
    if (first === 0) return NDX_DONE;
    const isNegative = first === 0xff;
    if (isNegative) first = r.u8();
    const previous = isNegative ? this.negative : this.positive;
    let absolute: number;
    if (first === 0xfe) {
      const high = r.u8();
      const second = r.u8();
      if (high & 0x80) {
        absolute = ((high & 0x7f) << 24) | (second + (r.u8() << 8) + (r.u8() << 16));
      } else {
        absolute = previous + ((high << 8) | second);
      }
    } else {
      absolute = previous + first;
    }
    if (r.short) return 0;
    if (absolute < 0 || absolute > 0x7fffffff) throw new ProtocolError('file index', absolute);
    if (isNegative) this.negative = absolute;
    else this.positive = absolute;
    return isNegative ? -absolute : absolute;
  }
}
