// Answers that are compressed by zstd (9.2, 10.2, 10.4): the request once more, the file in data frames, and its XXH128.

import { xxh128 } from '../xxh128';
import { HEAD, readListed, SUM, writeHead } from './files';
import { IN, LAST_OUT, NDXS, OUT, OUT_ROOM, SIZES, USED } from './layout';

/** `PackCalls.pack` of answer-kernel.ts. */
// @ts-ignore: decorator
@external("stream", "pack")
declare function packInto(out: f64, capacity: i32, data: f64, length: i32): i32;

/** Longest payload of a data frame, and its flag. */
const MAX_DATA_FRAME: i32 = 16383;
const DATA: i32 = 0x40;
/** What a file may take beyond its size: what zstd puts around it; and frame heads, the end. */
const AROUND: i32 = 512;
const MORE: usize = 1024;

/**
 * As `sendFiles`, but the content goes through the compressed stream. -1 when that fails: nothing can be sent in this stream any more.
 */
export function packFiles(from: i32, to: i32, dir: i32, arena: f64, openFlags: i32, memory: f64, iflags: i32): i32 {
  let out = OUT;
  let i = from;
  for (; i < to; i++) {
    const at = <usize>i << 2;
    const size = load<i32>(SIZES + at);
    if (out + HEAD + size + MORE + SUM > OUT + OUT_ROOM) break;
    if (!readListed(at, dir, arena, openFlags, memory + <f64>IN)) break;
    const head = writeHead(out, load<i32>(NDXS + at), iflags);
    out = size == 0 ? head : pack(head, size, memory);
    if (out == 0) return -1;
    store<u8>(out, 0);
    xxh128(IN, size, out + 1);
    out += 1 + SUM;
    store<i32>(LAST_OUT, load<i32>(NDXS + at));
  }
  store<i32>(USED, <i32>(out - OUT));
  return i;
}

/** Writes the data frames of the file at IN; returns their end, 0 when the stream fails. */
function pack(from: usize, size: i32, memory: f64): usize {
  const made = packInto(memory + <f64>(from + 2), size + AROUND, memory + <f64>IN, size);
  return made < 0 ? 0 : frame(from, made);
}

/** Makes data frames of the `made` bytes behind the head of the first one: they make room for the heads, from their end on. */
function frame(from: usize, made: i32): usize {
  const last = (made - 1) / MAX_DATA_FRAME;
  for (let i = last; i >= 0; i--) {
    const at = i * MAX_DATA_FRAME;
    const length = min(MAX_DATA_FRAME, made - at);
    const out = from + <usize>(at + 2 * i);
    if (i > 0) memory.copy(out + 2, from + 2 + <usize>at, <usize>length);
    store<u8>(out, <u8>(DATA | (length >> 8)));
    store<u8>(out, <u8>length, 1);
  }
  return from + <usize>(made + 2 * (last + 1));
}
