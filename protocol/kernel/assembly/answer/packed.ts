// Answers that are compressed by zstd (9.2, 10.2, 10.4): the request once more, the file in data frames, and its XXH128.

import { xxh128 } from '../xxh128';
import { close, HEAD, openListed, read, SUM, writeHead } from './files';
import { IN, IN_POS, LAST_OUT, NDXS, OUT, OUT_POS, OUT_ROOM, SIZES, USED } from './layout';

/** ZSTD_compressStream2_simpleArgs; negative when it fails, else the bytes that a flush has still to give. */
// @ts-ignore: decorator
@external("zstd", "compress")
declare function compress(
  stream: f64,
  out: f64,
  capacity: i32,
  outPos: f64,
  data: f64,
  length: i32,
  inPos: f64,
  directive: i32,
): f64;

const FLUSH: i32 = 1;
/** Longest payload of a data frame, and its flag. */
const MAX_DATA_FRAME: i32 = 16383;
const DATA: i32 = 0x40;
/** What a file may take beyond its size: what zstd puts around it, frame heads, the end. */
const MORE: usize = 1024;

/**
 * As `sendFiles`, but the content goes through a stream of the library, which is at `stream`. Each file ends with a flush.
 * -1 when the library fails: nothing can be sent in this stream any more.
 */
export function packFiles(
  from: i32,
  to: i32,
  dir: i32,
  arena: f64,
  openFlags: i32,
  memory: f64,
  iflags: i32,
  stream: f64,
): i32 {
  let out = OUT;
  let i = from;
  for (; i < to; i++) {
    const at = <usize>i << 2;
    const size = load<i32>(SIZES + at);
    if (out + HEAD + size + MORE + SUM > OUT + OUT_ROOM) break;
    const fd = openListed(at, dir, arena, openFlags, memory);
    if (fd < 0) break;
    const isRead = size == 0 || <i32>read(fd, memory + <f64>IN, size) == size;
    close(fd);
    if (!isRead) break;
    const head = writeHead(out, load<i32>(NDXS + at), iflags);
    out = size == 0 ? head : pack(head, size, memory, stream);
    if (out == 0) return -1;
    store<u8>(out, 0);
    xxh128(IN, size, out + 1);
    out += 1 + SUM;
    store<i32>(LAST_OUT, load<i32>(NDXS + at));
  }
  store<i32>(USED, <i32>(out - OUT));
  return i;
}

/** Writes the data frames of the file at IN; returns their end, 0 when the library fails. */
function pack(from: usize, size: i32, memory: f64, stream: f64): usize {
  let out = from;
  let left: f64;
  store<u64>(IN_POS, 0);
  do {
    store<u64>(OUT_POS, 0);
    left = compress(
      stream,
      memory + <f64>(out + 2),
      MAX_DATA_FRAME,
      memory + <f64>OUT_POS,
      memory + <f64>IN,
      size,
      memory + <f64>IN_POS,
      FLUSH,
    );
    if (left < 0) return 0;
    const made = load<i32>(OUT_POS);
    if (made > 0) {
      store<u8>(out, <u8>(DATA | (made >> 8)));
      store<u8>(out, <u8>made, 1);
      out += 2 + made;
    }
  } while (left > 0);
  return out;
}
