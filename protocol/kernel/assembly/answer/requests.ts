// Requests for whole new files (9.1): an index, the item's flags, and a sum head of zeros.

import { ENDS, LAST_IN, NDXS, REQUESTS, ROWS } from './layout';

const TRANSFER: u32 = 0x8000;
const BASIS_TYPE_FOLLOWS: u32 = 0x0800;
const XNAME_FOLLOWS: u32 = 0x1000;
/** Extended attributes are asked for. */
const REPORT_XATTR: u32 = 0x0100;
/** Flags and sum head. */
const REST: usize = 18;

/** Where the index ends that was read last, and its value; 0 when it was none that ascends, or not all there. */
let end: usize = 0;
let ndx: i64 = 0;

/**
 * Reads requests from the `length` bytes at REQUESTS, behind the index LAST_IN, up to the first that is not plain: its
 * index does not ascend, its flags are others than those of the first one, or it has more. Returns their number.
 */
export function readRequests(length: i32): i32 {
  const stop = REQUESTS + length;
  let at = REQUESTS;
  let last = <i64>load<i32>(LAST_IN);
  let flags: u32 = 0;
  let count: i32 = 0;
  for (; count < ROWS; count++) {
    readNdx(at, stop, last);
    if (end == 0 || end + REST > stop) break;
    const found = <u32>load<u16>(end);
    if ((found & (TRANSFER | BASIS_TYPE_FOLLOWS | XNAME_FOLLOWS | REPORT_XATTR)) != TRANSFER) break;
    if (count > 0 && found != flags) break;
    if ((load<u64>(end, 2) | load<u64>(end, 10)) != 0) break;
    flags = found;
    at = end + REST;
    last = ndx;
    store<i32>(NDXS + (<usize>count << 2), <i32>ndx);
    store<i32>(ENDS + (<usize>count << 2), <i32>(at - REQUESTS));
  }
  return count;
}

/** An index (5.7) that is greater than the one before. */
function readNdx(at: usize, stop: usize, last: i64): void {
  end = 0;
  if (at + 5 > stop) return;
  const first = <i64>load<u8>(at);
  let after = at + 1;
  if (first == 0 || first == 0xff) return;
  if (first != 0xfe) {
    ndx = last + first;
  } else if (load<u8>(at, 1) & 0x80) {
    const high = <i64>(load<u8>(at, 1) & 0x7f);
    ndx = (high << 24) | <i64>load<u8>(at, 2) | (<i64>load<u16>(at, 3) << 8);
    after = at + 5;
  } else {
    ndx = last + ((<i64>load<u8>(at, 1) << 8) | <i64>load<u8>(at, 2));
    after = at + 3;
  }
  if (ndx > last && ndx <= 0x7fffffff) end = after;
}
