// Answers to such requests (9.2, 10.1): the request once more, the file as one token, and its XXH128.

import { xxh128, xxh128Seed } from '../xxh128';
import { FDS, LAST_OUT, NAMES, NDXS, OUT, OUT_ROOM, SIZES, USED } from './layout';

// Functions of the C library. Addresses are those of the process.
// @ts-ignore: decorator
@external("libc", "openat")
declare function openat(dir: i32, name: f64, flags: i32): i32;
// @ts-ignore: decorator
@external("libc", "read")
declare function read(fd: i32, to: f64, length: i32): f64;
// @ts-ignore: decorator
@external("libc", "close")
declare function close(fd: i32): i32;

/** Index, flags and sum head, at most. */
export const HEAD: usize = 24;
export const SUM: usize = 16;

/** To be called once: sums of files have no seed. */
export function begin(): void {
  xxh128Seed(0);
}

/**
 * Writes answers to the requests [from, to) of the run to OUT. The files are in the open directory `dir`, their names at
 * `arena`; `memory` is where this memory is. Stops at a file that cannot be opened and read whole, or is not what the list says, and
 * when OUT is full. Returns the request behind the last one that was answered.
 */
export function sendFiles(from: i32, to: i32, dir: i32, arena: f64, openFlags: i32, memory: f64, iflags: i32): i32 {
  let out = OUT;
  let i = from;
  for (; i < to; i++) {
    const at = <usize>i << 2;
    const size = load<i32>(SIZES + at);
    if (out + HEAD + size + 8 + SUM > OUT + OUT_ROOM) break;
    const head = writeHead(out, load<i32>(NDXS + at), iflags);
    if (!readListed(at, dir, arena, openFlags, memory + <f64>(head + 4))) break;
    out = finish(head, size);
    store<i32>(LAST_OUT, load<i32>(NDXS + at));
  }
  store<i32>(USED, <i32>(out - OUT));
  return i;
}

/**
 * The same for files that are handed over open, in FDS: the stream has only the heads of their answers. Who copies them finds out
 * whether they are as listed.
 */
export function openFiles(from: i32, to: i32, dir: i32, arena: f64, openFlags: i32, _memory: f64, iflags: i32): i32 {
  let out = OUT;
  let i = from;
  for (; i < to; i++) {
    const at = <usize>i << 2;
    const fd = openat(dir, arena + <f64>load<i32>(NAMES + at), openFlags);
    if (fd < 0) break;
    store<i32>(FDS + at, fd);
    out = writeHead(out, load<i32>(NDXS + at), iflags);
    store<i32>(LAST_OUT, load<i32>(NDXS + at));
  }
  store<i32>(USED, <i32>(out - OUT));
  return i;
}

/**
 * Reads the file of a request to the address `to`, where there is room for one byte more than was listed: only a file that is as long
 * as it was ends there, so it need not be looked at before. False for any other.
 */
export function readListed(at: usize, dir: i32, arena: f64, openFlags: i32, to: f64): bool {
  const size = load<i32>(SIZES + at);
  const fd = openat(dir, arena + <f64>load<i32>(NAMES + at), openFlags);
  if (fd < 0) return false;
  const isRead = <i32>read(fd, to, size + 1) == size;
  close(fd);
  return isRead;
}

/** Index (5.7), item flags, and a sum head of zeros. Indexes of a run ascend. */
export function writeHead(out: usize, ndx: i32, iflags: i32): usize {
  const delta = <u32>(ndx - load<i32>(LAST_OUT));
  if (delta >= 1 && delta <= 253) {
    store<u8>(out++, <u8>delta);
  } else {
    store<u8>(out++, 0xfe);
    if (delta > 0x7fff) {
      store<u8>(out, <u8>((<u32>ndx >> 24) | 0x80));
      store<u8>(out, <u8>ndx, 1);
      store<u16>(out, <u16>(<u32>ndx >> 8), 2);
      out += 4;
    } else {
      store<u16>(out, bswap<u16>(<u16>delta));
      out += 2;
    }
  }
  store<u16>(out, <u16>iflags);
  store<u64>(out, 0, 2);
  store<u64>(out, 0, 10);
  return out + 18;
}

/** The token's length in front of the data, its end and the sum behind it. */
function finish(head: usize, size: i32): usize {
  let out = head;
  if (size > 0) {
    store<i32>(out, size);
    out += 4 + size;
  }
  store<i32>(out, 0);
  xxh128(out - size, size, out + 4);
  return out + 4 + SUM;
}
