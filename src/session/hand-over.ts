import { CHUNK_SIZE } from '../../protocol/constants.js';
import { DIGEST_LENGTH } from '../../protocol/hash/digest.js';
import { hasOneRun } from './engine.js';
import type { ItemLog } from './item-log.js';
import type { Session } from './session.js';

/**
 * Whether whole files of this run are handed over instead of being sent: both sides are one process, and no option
 * wants to see the bytes on their way or a sum of them.
 */
export function handsOver(session: Session, itemLog: ItemLog): boolean {
  const { connection, options: o, algorithms } = session;
  return (
    connection.handOver !== null &&
    o.bwlimit === 0 &&
    o.append === 0 &&
    algorithms.compression === 'none' &&
    itemLog.beforeTransfer
  );
}

/**
 * Whether the roles of both sides, which hand files over, have this process to themselves. Then long turns are best: the file work
 * of each turn fills the caches, so that all code of the next role is cold, and a turn has the same code for many directories.
 */
export function sharesTurns({ connection }: Session): boolean {
  return connection.handOver !== null && hasOneRun();
}

/** Bytes that a whole file would be in the stream: statistics tell what a copy costs the same way for every route. */
export function streamLength(session: Session, size: number): number {
  const chunks = Math.ceil(size / CHUNK_SIZE);
  const frames = Math.ceil(chunks / 4);
  return size + 4 * (chunks + frames + 1) + DIGEST_LENGTH[session.algorithms.transferSum];
}

/** The same for the first `count` files: those that are as long as the one before cost nothing. */
export function streamLengths(session: Session, sizes: Int32Array, count: number): number {
  let sum = 0;
  let last = -1;
  let length = 0;
  for (let i = 0; i < count; i++) {
    if (sizes[i] !== last) {
      last = sizes[i];
      length = streamLength(session, last);
    }
    sum += length;
  }
  return sum;
}
