import { type Chunk, rowIn } from '../../../protocol/flist/chunk.js';
import { Field, HEAD_BYTES, type JobSource, jobBytes, Kind } from '../../files/thread/queue.js';
import { copyShared } from '../../libc/files.js';
import type { JobPlace } from './job-place.js';

/** Longest name of a file; what is longer is an error that others tell of. */
export const LONGEST_NAME = 255;

/** Files of one directory and one chunk, with one owner: columns, of which the first `count` rows are in use. */
export class FileRun {
  count = 0;
  chunk!: Chunk;
  readonly ndxs: Int32Array;
  readonly rows: Int32Array;
  /** Where the content begins in `data`, ascending; or the descriptor to copy from, where there is no `data`. */
  readonly sources: Int32Array;
  readonly sizes: Int32Array;

  constructor(
    most: number,
    readonly data: Uint8Array | null,
  ) {
    this.ndxs = new Int32Array(most);
    this.rows = new Int32Array(most);
    this.sources = new Int32Array(most);
    this.sizes = new Int32Array(most);
  }

  /** Takes the first `given` files out. */
  drop(given: number): void {
    this.count -= given;
    if (this.count === 0) return;
    for (const column of [this.ndxs, this.rows, this.sources, this.sizes]) column.copyWithin(0, given);
  }
}

/** Bytes that the jobs of a run take. */
export function runBytes(run: FileRun): number {
  const { chunk, rows, count } = run;
  let bytes = whole(dataBytes(run, count));
  for (let k = 0; k < count; k++) bytes += jobBytes(chunk.nameLength[rowIn(rows[k])]);
  return bytes;
}

/** How many of the first files of a run have jobs that together are not longer than `most` bytes: one at least. */
export function countWithin(run: FileRun, most: number): number {
  const { chunk, rows, count } = run;
  let heads = 0;
  for (let k = 0; k < count; k++) {
    heads += jobBytes(chunk.nameLength[rowIn(rows[k])]);
    if (k > 0 && heads + whole(dataBytes(run, k + 1)) > most) return k;
  }
  return count;
}

/** The content of the first files lies in one piece, with what is between them in the stream. */
function dataBytes({ data, sources, sizes }: FileRun, count: number): number {
  return data === null ? 0 : sources[count - 1] + sizes[count - 1] - sources[0];
}

function whole(length: number): number {
  return (length + 7) & ~7;
}

/** Makes jobs of the first `count` files from `at` on, with their content in the last one; returns where they end. */
export function describeRun(jobs: JobSource, at: number, place: JobPlace, run: FileRun, count: number): number {
  const { words } = jobs;
  const { chunk, rows, sources, sizes, data } = run;
  const kind = data === null ? Kind.COPY : Kind.WRITE;
  let to = at;
  let last = at;
  for (let k = 0; k < count; k++) {
    last = to;
    to += describe(jobs, to, place, chunk, rowIn(rows[k]), kind);
    words[last / 4 + Field.FD] = sources[k];
    words[last / 4 + Field.SIZE] = sizes[k];
    words[last / 4 + Field.IS_LISTED] = data === null ? 1 : 0;
  }
  if (data === null) return to;
  for (let k = 0, job = at; k < count; k++) {
    words[job / 4 + Field.DATA] = to + sources[k] - sources[0];
    job += words[job / 4 + Field.LENGTH];
  }
  const length = dataBytes(run, count);
  if (length > 0) copyShared(data, sources[0], sources[0] + length, jobs.bytes, to);
  words[last / 4 + Field.LENGTH] += whole(length);
  return to + whole(length);
}

/** Makes a job of row `i` of a chunk, but for its content; returns its length without that. */
export function describe(
  { words, bytes }: JobSource,
  at: number,
  place: JobPlace,
  chunk: Chunk,
  i: number,
  kind: number,
): number {
  const word = at / 4;
  const length = chunk.nameLength[i];
  const mtime = chunk.mtime.get(i);
  const total = jobBytes(length);
  words[word + Field.LENGTH] = total;
  words[word + Field.KIND] = kind;
  words[word + Field.DIR] = place.fd;
  words[word + Field.MODE] = chunk.mode[i];
  words[word + Field.UID] = place.uid;
  words[word + Field.GID] = place.gid;
  words[word + Field.HAS_TIME] = place.setsTime ? 1 : 0;
  words[word + Field.NO_FURTHER] = place.asksFurther ? 1 : 0;
  words[word + Field.SECONDS] = mtime;
  words[word + Field.SECONDS + 1] = Math.floor(mtime / 0x1_0000_0000);
  words[word + Field.NSEC] = chunk.nsec.get(i);
  words[word + Field.NAME] = length;
  const { arena } = chunk;
  const from = chunk.nameOffset[i];
  const name = at + HEAD_BYTES;
  for (let k = 0; k < length; k++) bytes[name + k] = arena[from + k];
  bytes[name + length] = 0;
  return total;
}
