import { close } from './calls';
import {
  DIR,
  DONE,
  FILLER,
  HEAD,
  KIND,
  LEAVE,
  LENGTH,
  MOST_JOBS,
  RESULTS,
  RING,
  RING_BYTES,
  STOP,
  TAIL,
} from './layout';
import { attributes, drop, forget, isBroken, make } from './make';

export { begin, forget } from './make';

let landing: i32 = 0;

/** What failed about the attributes of the file that was made last, 0: nothing. */
export function attributesFailed(): i32 {
  return attributes;
}

/** What kept the file that was made last from its place, 0: nothing. */
export function landingFailed(): i32 {
  return landing;
}

/** Does `count` jobs that follow each other from `at` on, up to one about which there is something to tell. Returns how many were done before that one. */
export function makeFiles(at: usize, count: i32): i32 {
  for (let done = 0; done < count; done++) {
    landing = make(at);
    if ((landing | attributes) != 0) return done;
    at += load<u32>(at, LENGTH);
  }
  return count;
}

/** Does jobs of the ring, up to `most` files. Returns how many these were: fewer when the ring is empty. */
export function work(most: i32): i32 {
  let tail = load<u32>(TAIL);
  let count = 0;
  while (count < most && atomic.load<u32>(HEAD) != tail) {
    const at = RING + (tail & (RING_BYTES - 1));
    const kind = load<i32>(at, KIND);
    if (kind == LEAVE) {
      forget(load<i32>(at, DIR));
      close(load<i32>(at, DIR));
    } else if (kind != FILLER) {
      finish(isBroken || atomic.load<i32>(STOP) != 0 ? drop(at) : make(at));
      count++;
    }
    tail += load<u32>(at, LENGTH);
    atomic.store<u32>(TAIL, tail);
  }
  return count;
}

/** A job is done. */
function finish(landing: i32): void {
  const done = load<u32>(DONE);
  const at = RESULTS + ((done & (MOST_JOBS - 1)) << 3);
  store<i32>(at, attributes);
  store<i32>(at, landing, 4);
  atomic.store<u32>(DONE, done + 1);
}
