import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { LastPlace } from '../libc/buffer-place.js';
import { type KoffiFunction, loadKoffi } from '../libc/koffi.js';
import { addressOf } from '../libc/libc.js';
import type { ZstdEngine } from './zstd-engine.js';

/** ZSTD_c_compressionLevel and ZSTD_c_nbWorkers */
const COMPRESSION_LEVEL = 100;
const WORKERS = 400;

/** A stream of the library that is given its input where that stays (`LibraryStream`). */
export interface BlockCalls {
  createCCtx(): number;
  freeCCtx(ctx: number): number;
  getParams(level: number, size: number, dictionary: number): Parameters;
  begin(ctx: number, dictionary: number, length: number, params: Parameters, size: bigint): number;
  /** memcpy() */
  copy(to: number, from: number, length: number): number;
  /** The bytes that were made, or an error as a negative number. */
  put(ctx: number, out: number, capacity: number, data: number, length: number): number;
}

/** ZSTD_parameters: those of the compression, and which optional parts a frame has. */
export interface Parameters {
  windowLog: number;
  chainLog: number;
  hashLog: number;
  searchLog: number;
  minMatch: number;
  targetLength: number;
  strategy: number;
  contentSizeFlag: number;
  checksumFlag: number;
  noDictIDFlag: number;
}

/** As in zstd.h: the order counts. */
const PARAMETERS: Record<keyof Parameters, string> = {
  windowLog: 'uint',
  chainLog: 'uint',
  hashLog: 'uint',
  searchLog: 'uint',
  minMatch: 'uint',
  targetLength: 'uint',
  strategy: 'int',
  contentSizeFlag: 'int',
  checksumFlag: 'int',
  noDictIDFlag: 'int',
};

interface Library extends BlockCalls {
  setParameter: KoffiFunction;
  compress: KoffiFunction;
  createDCtx: KoffiFunction;
  freeDCtx: KoffiFunction;
  decompress: KoffiFunction;
}

/** undefined: not tried yet. */
let library: Library | null | undefined;

/** The system's libzstd; null where it or koffi is missing. */
function load(): Library | null {
  if (library !== undefined) return library;
  library = null;
  try {
    const koffi = loadKoffi();
    // Node has a zstd of another version in itself from 22.15 on: mixed with it, this one crashed.
    const lib = koffi?.load('libzstd.so.1', { deep: true });
    if (!koffi || !lib) return null;
    const params = koffi.struct(PARAMETERS);
    const begin = ['uintptr_t', 'uintptr_t', 'size_t', params, 'uint64_t'];
    // Addresses are given as numbers, which costs least, and errors come as what they are in two's complement.
    const stream =
      'uintptr_t ctx, uintptr_t dst, size_t dstCapacity, uintptr_t dstPos, uintptr_t src, size_t srcSize, uintptr_t srcPos';
    const call = 'uintptr_t ctx, uintptr_t dst, size_t dstCapacity, uintptr_t src, size_t srcSize';
    library = {
      createCCtx: lib.func('uintptr_t ZSTD_createCCtx()'),
      freeCCtx: lib.func('size_t ZSTD_freeCCtx(uintptr_t ctx)'),
      getParams: lib.func('ZSTD_getParams', params, ['int', 'uint64_t', 'size_t']) as Library['getParams'],
      begin: lib.func('ZSTD_compressBegin_advanced', 'int64_t', begin) as Library['begin'],
      copy: koffi.load(null).func('uintptr_t memcpy(uintptr_t to, uintptr_t from, size_t n)'),
      put: lib.func(`int64_t ZSTD_compressContinue(${call})`),
      setParameter: lib.func('size_t ZSTD_CCtx_setParameter(uintptr_t ctx, int parameter, int value)'),
      compress: lib.func(`int64_t ZSTD_compressStream2_simpleArgs(${stream}, int mode)`),
      createDCtx: lib.func('uintptr_t ZSTD_createDCtx()'),
      freeDCtx: lib.func('size_t ZSTD_freeDCtx(uintptr_t ctx)'),
      decompress: lib.func(`int64_t ZSTD_decompressStream_simpleArgs(${stream})`),
    };
  } catch {
    // Not installed, or without one of these functions: the algorithm is not offered then.
  }
  return library;
}

/** Those of the library that a stream is made with; null where there is none. */
export function blockCalls(): BlockCalls | null {
  return load();
}

/** Whether the system's libzstd can be used. */
export function hasZstdLibrary(): boolean {
  return load() !== null;
}

/** Frees a context of the library once its session is gone: a daemon's worker outlives many sessions. */
const contexts = new FinalizationRegistry<() => void>((free) => free());

/** Has `free` called once `owner` is gone. */
export function freeWith(owner: object, free: () => void): void {
  contexts.register(owner, free);
}

/** Longer than what V8 may move. */
const POSITIONS = 32;

class LibraryEngine implements ZstdEngine {
  taken = 0;
  made = 0;
  /** How far output and input have come, as two size_t. */
  private readonly positions = new Uint32Array(POSITIONS);
  private readonly outPos = addressOf(this.positions);
  private readonly inputs = new LastPlace();
  private readonly outputs = new LastPlace();

  constructor(
    private readonly step: KoffiFunction,
    private readonly context: number,
    free: (context: number) => number,
  ) {
    if (context === 0) throw new RsyncError(Exit.MALLOC, 'zstd: out of memory');
    freeWith(this, () => free(context));
  }

  run(flush: number, input: Uint8Array, from: number, to: number, out: Uint8Array, at: number, end = out.length): void {
    const { positions, outPos } = this;
    const length = to - from;
    positions[0] = at;
    positions[2] = 0;
    const source = length === 0 ? 0 : this.inputs.of(input) + from;
    const into = this.outputs.of(out);
    const result = this.step(this.context, into, end, outPos, source, length, outPos + 8, flush);
    if (result < 0) throw new RsyncError(Exit.STREAMIO, 'zstd: damaged data');
    this.taken = positions[2];
    this.made = positions[0] - at;
  }
}

/** A compressor of the library with `threads` threads of its own; null where there is no library. */
export function threadedCompressor(level: number, threads: number): ZstdEngine | null {
  const lib = load();
  if (!lib) return null;
  const context = lib.createCCtx();
  if (context !== 0) {
    lib.setParameter(context, COMPRESSION_LEVEL, level);
    // A library without threads refuses, and does it alone.
    lib.setParameter(context, WORKERS, threads);
  }
  return new LibraryEngine(lib.compress, context, lib.freeCCtx);
}

/** A decompressor of the library; null where there is none. */
export function libraryDecompressor(): ZstdEngine | null {
  const lib = load();
  if (!lib) return null;
  // The prototype has one argument less than `run` gives.
  const step: KoffiFunction = (ctx, dst, dstCapacity, dstPos, src, srcSize, srcPos) =>
    lib.decompress(ctx, dst, dstCapacity, dstPos, src, srcSize, srcPos);
  return new LibraryEngine(step, lib.createDCtx(), lib.freeDCtx);
}
