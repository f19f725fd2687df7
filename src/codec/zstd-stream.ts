import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { PackCalls } from '../../protocol/kernel/answer-kernel.js';
import { copyShared } from '../libc/files.js';
import { addressOf } from '../libc/libc.js';
import { type BlockCalls, blockCalls, freeWith } from './zstd-library.js';

/** Bytes that the library compresses at once, at most, and what they may become. */
const BLOCK = 128 * 1024;
export const BLOCK_ROOM = BLOCK + 1024;
/** ZSTD_CONTENTSIZE_UNKNOWN */
const UNKNOWN = 0xffff_ffff_ffff_ffffn;
/** The ring is so many times the window, or so many bytes more than it: the less. */
const WINDOWS = 4;
const MOST_MORE = 12 << 20;

/**
 * What a default level is here: tables that fit into a second-level cache (384 KiB; those of level 3 have 768 KiB), and
 * twice the window, which makes up for them.
 */
export const DEFAULT_PARAMETERS = { windowLog: 22, hashLog: 16, chainLog: 15 };

/** All that a stream is, for another thread that goes on with it: the library's context, and the ring. */
export interface StreamState {
  context: number;
  memory: SharedArrayBuffer;
}

/** Words in front of the ring: where what waits in it begins and ends. */
const START = 0;
const END = 1;
const HEAD_BYTES = 64;

/**
 * A stream of zstd whose history lies here, in a ring, so that the library copies nothing into a window of its own (its
 * "buffer-less" calls). The ring is several times as long as the window: matches across its end, which are found by a slower loop, are
 * looked for only for as long as the window reaches over it. In a ring of the window's length, which the library's own
 * streams have, that is always.
 */
export class LibraryStream implements PackCalls {
  readonly state: StreamState;
  private readonly words: Int32Array;
  private readonly ring: Buffer;
  private readonly place: number;

  private constructor(
    private readonly lib: BlockCalls,
    { context, memory }: StreamState,
  ) {
    this.state = { context, memory };
    this.words = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.ring = Buffer.from(memory, HEAD_BYTES);
    this.place = addressOf(this.ring);
  }

  /** A new stream of this level; `isDefault`: nobody asked for it. null where there is no library. */
  static create(level: number, isDefault: boolean): LibraryStream | null {
    const lib = blockCalls();
    if (lib === null) return null;
    const params = { ...lib.getParams(level, 0, 0), ...(isDefault ? DEFAULT_PARAMETERS : null) };
    const context = lib.createCCtx();
    if (context === 0 || lib.begin(context, 0, 0, params, UNKNOWN) < 0) {
      throw new RsyncError(Exit.MALLOC, 'zstd: out of memory');
    }
    const window = 2 ** params.windowLog;
    const ring = window + Math.min((WINDOWS - 1) * window, MOST_MORE);
    const stream = new LibraryStream(lib, { context, memory: new SharedArrayBuffer(HEAD_BYTES + ring) });
    freeWith(stream, () => lib.freeCCtx(context));
    return stream;
  }

  /** Goes on with a stream of another thread, which stays its owner. */
  static resume(state: StreamState): LibraryStream {
    return new LibraryStream(blockCalls()!, state);
  }

  /** Bytes that can be added before they must be compressed. */
  get room(): number {
    return BLOCK - (this.words[END] - this.words[START]);
  }

  /** Adds data[from, to), at most `room` bytes. */
  add(data: Uint8Array, from: number, to: number): void {
    copyShared(data, from, to, this.ring, this.take(to - from));
  }

  /** Compresses what was added into out[at, at + BLOCK_ROOM); returns the bytes that were made, 0 when nothing was added. */
  compress(out: Uint8Array, outPlace: number, at: number): number {
    if (this.words[START] === this.words[END]) return 0;
    const made = this.put(outPlace + at, out.length - at);
    if (made < 0) throw new RsyncError(Exit.STREAMIO, 'zstd: damaged stream');
    return made;
  }

  /** Between two runs of what is added, for up to BLOCK bytes. */
  readonly pack: PackCalls['pack'] = (out, capacity, data, length) => {
    this.lib.copy(this.place + this.take(length), data, length);
    return this.put(out, capacity);
  };

  /** The place for `length` more bytes. A run lies in one piece, so it begins where a whole one has room. */
  private take(length: number): number {
    const { words } = this;
    if (words[START] === words[END] && words[END] + BLOCK > this.ring.length) words[START] = words[END] = 0;
    const at = words[END];
    words[END] += length;
    return at;
  }

  private put(out: number, capacity: number): number {
    const { words } = this;
    const from = words[START];
    words[START] = words[END];
    return this.lib.put(this.state.context, out, capacity, this.place + from, words[END] - from);
  }
}
