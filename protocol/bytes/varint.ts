import { Exit } from '../constants.js';
import { ProtocolError } from '../errors.js';
import type { ByteReader } from './reader.js';
import type { ByteWriter } from './writer.js';

/** Number of further bytes, by the first byte divided by four (5.3). */
const EXTRA = new Uint8Array(64);
EXTRA.fill(1, 32, 48);
EXTRA.fill(2, 48, 56);
EXTRA.fill(3, 56, 60);
EXTRA.fill(4, 60, 62);
EXTRA[62] = 5;
EXTRA[63] = 6;

const TWO_32 = 2 ** 32;

/** varint (5.3): a 32-bit value in 1 to 5 bytes. */
export function writeVarint(w: ByteWriter, value: number): void {
  const v = value >>> 0;
  w.ensure(5);
  const { buf, pos } = w;
  if (v < 0x80) {
    buf[pos] = v;
    w.pos = pos + 1;
    return;
  }
  const n = v < 0x100 ? 1 : v < 0x10000 ? 2 : v < 0x1000000 ? 3 : 4;
  const top = v >>> (8 * (n - 1));
  const extra = top < 1 << (8 - n) ? n - 1 : n;
  const ones = (0xff00 >> extra) & 0xff;
  buf[pos] = extra === n ? ones : ones | top;
  for (let i = 0; i < extra; i++) buf[pos + 1 + i] = v >>> (8 * i);
  w.pos = pos + 1 + extra;
}

/** The signed 32-bit value of a varint. */
export function readVarint(r: ByteReader): number {
  const first = r.u8();
  if (first < 0x80) return first;
  const extra = EXTRA[first >> 2];
  // After a value that was cut short, the next byte can be anything.
  if (extra > 4 && !r.short) throw new ProtocolError('varint', `first byte 0x${first.toString(16)}`, Exit.STREAMIO);
  if (!r.has(extra)) {
    r.short = true;
    return 0;
  }
  let value = 0;
  for (let i = 0; i < extra; i++) value |= r.buf[r.pos + i] << (8 * i);
  r.pos += extra;
  if (extra < 4) value |= (first & ((1 << (8 - extra)) - 1)) << (8 * extra);
  return value;
}

/** varlong (5.4): a 64-bit value in at least `min` bytes. `value` is a whole number of at most 53 bits and a sign. */
export function writeVarlong(w: ByteWriter, value: number, min: number): void {
  w.ensure(9);
  const { buf, pos } = w;
  let low = value % TWO_32;
  if (low < 0) low += TWO_32;
  const high = Math.floor(value / TWO_32);
  for (let i = 0; i < 4; i++) {
    buf[pos + 1 + i] = low >>> (8 * i);
    buf[pos + 5 + i] = high >>> (8 * i);
  }
  let n = 8;
  while (n > min && buf[pos + n] === 0) n--;
  const e = n - min;
  const top = buf[pos + n];
  if (top < 1 << (7 - e)) {
    buf[pos] = ((0xff00 >> e) & 0xff) | top;
    w.pos = pos + n;
  } else {
    buf[pos] = (0xff00 >> (e + 1)) & 0xff;
    w.pos = pos + 1 + n;
  }
}

/** The value of a varlong; beyond 53 bits it is rounded, which no file length or time of a sane peer reaches. */
export function readVarlong(r: ByteReader, min: number): number {
  const first = r.u8();
  if (!r.has(min - 1)) {
    r.short = true;
    return 0;
  }
  const extra = EXTRA[first >> 2];
  const total = min - 1 + extra;
  if (total > 8 && !r.short) throw new ProtocolError('varlong', `first byte 0x${first.toString(16)}`, Exit.STREAMIO);
  if (!r.has(total)) {
    r.short = true;
    return 0;
  }
  const { buf, pos } = r;
  let low = 0;
  let high = 0;
  for (let i = 0; i < total && i < 4; i++) low |= buf[pos + i] << (8 * i);
  for (let i = 4; i < total; i++) high |= buf[pos + i] << (8 * (i - 4));
  if (total < 8) {
    const top = first & ((1 << (8 - extra)) - 1);
    if (total < 4) low |= top << (8 * total);
    else high |= top << (8 * (total - 4));
  }
  r.pos = pos + total;
  return high * TWO_32 + (low >>> 0);
}

/** longint (5.2), the 64-bit form below protocol 30. */
export function writeLongint(w: ByteWriter, value: number): void {
  if (value >= 0 && value <= 0x7fffffff) {
    w.i32(value);
    return;
  }
  let low = value % TWO_32;
  if (low < 0) low += TWO_32;
  w.i32(-1);
  w.i32(low | 0);
  w.i32(Math.floor(value / TWO_32) | 0);
}

export function readLongint(r: ByteReader): number {
  const first = r.i32();
  if (first !== -1) return first;
  const low = r.u32();
  return r.i32() * TWO_32 + low;
}

/** varint30 and varlong30 (5.5): the compact form from protocol 30 on, the fixed one below. */
export function writeVarint30(w: ByteWriter, protocol: number, value: number): void {
  if (protocol >= 30) writeVarint(w, value);
  else w.i32(value);
}

export function readVarint30(r: ByteReader, protocol: number): number {
  return protocol >= 30 ? readVarint(r) : r.i32();
}

export function writeVarlong30(w: ByteWriter, protocol: number, value: number, min: number): void {
  if (protocol >= 30) writeVarlong(w, value, min);
  else writeLongint(w, value);
}

export function readVarlong30(r: ByteReader, protocol: number, min: number): number {
  return protocol >= 30 ? readVarlong(r, min) : readLongint(r);
}
