import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { type KoffiFunction, loadKoffi } from '../libc/koffi.js';
import type { ZstdEngine } from './zstd.js';

/** ZSTD_c_compressionLevel and ZSTD_c_nbWorkers */
const COMPRESSION_LEVEL = 100;
const WORKERS = 400;

interface Library {
  createCCtx: KoffiFunction;
  freeCCtx: KoffiFunction;
  setParameter: KoffiFunction;
  compress: KoffiFunction;
  createDCtx: KoffiFunction;
  freeDCtx: KoffiFunction;
  decompress: KoffiFunction;
  isError: KoffiFunction;
}

/** undefined: not tried yet. */
let library: Library | null | undefined;

/** The system's libzstd; null where it or koffi is missing. */
function load(): Library | null {
  if (library !== undefined) return library;
  library = null;
  try {
    const lib = loadKoffi()?.load('libzstd.so.1');
    if (!lib) return null;
    const stream =
      'void *ctx, void *dst, size_t dstCapacity, void *dstPos, const void *src, size_t srcSize, void *srcPos';
    library = {
      createCCtx: lib.func('void *ZSTD_createCCtx()'),
      freeCCtx: lib.func('size_t ZSTD_freeCCtx(void *ctx)'),
      setParameter: lib.func('size_t ZSTD_CCtx_setParameter(void *ctx, int parameter, int value)'),
      compress: lib.func(`size_t ZSTD_compressStream2_simpleArgs(${stream}, int mode)`),
      createDCtx: lib.func('void *ZSTD_createDCtx()'),
      freeDCtx: lib.func('size_t ZSTD_freeDCtx(void *ctx)'),
      decompress: lib.func(`size_t ZSTD_decompressStream_simpleArgs(${stream})`),
      isError: lib.func('unsigned int ZSTD_isError(size_t code)'),
    };
  } catch {
    // Not installed, or without one of these functions: the algorithm is not offered then.
  }
  return library;
}

/** Whether the system's libzstd can be used. */
export function hasZstdLibrary(): boolean {
  return load() !== null;
}

/** Frees a context of the library once its session is gone: a daemon's worker outlives many sessions. */
const contexts = new FinalizationRegistry<() => void>((free) => free());

class LibraryEngine implements ZstdEngine {
  taken = 0;
  made = 0;
  private readonly outPos = new Uint32Array(2);
  private readonly inPos = new Uint32Array(2);

  constructor(
    private readonly lib: Library,
    private readonly step: KoffiFunction,
    readonly context: unknown,
    free: KoffiFunction | null,
  ) {
    if (!context) throw new RsyncError(Exit.MALLOC, 'zstd: out of memory');
    if (free !== null) contexts.register(this, () => free(context));
  }

  run(flush: number, input: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
    const { outPos, inPos } = this;
    outPos[0] = at;
    inPos[0] = 0;
    const source = from === 0 ? input : input.subarray(from, to);
    const result = this.step(this.context, out, out.length, outPos, source, to - from, inPos, flush);
    if (this.lib.isError(result) !== 0) throw new RsyncError(Exit.STREAMIO, 'zstd: damaged data');
    this.taken = inPos[0];
    this.made = outPos[0] - at;
  }
}

/**
 * A compressor of the library with `threads` more threads (0: none); null where there is no library. `context`: that of
 * another one, which stays its owner.
 */
export function libraryCompressor(level: number, threads: number, context: unknown): ZstdEngine | null {
  const lib = load();
  if (!lib) return null;
  if (context !== null) return new LibraryEngine(lib, lib.compress, context, null);
  const own = lib.createCCtx();
  if (own) {
    lib.setParameter(own, COMPRESSION_LEVEL, level);
    // A library without threads refuses, and does it alone.
    if (threads > 0) lib.setParameter(own, WORKERS, threads);
  }
  return new LibraryEngine(lib, lib.compress, own, lib.freeCCtx);
}

/** A decompressor of the library; null where there is none. */
export function libraryDecompressor(): ZstdEngine | null {
  const lib = load();
  if (!lib) return null;
  // The prototype has one argument less than `run` gives.
  const step: KoffiFunction = (ctx, dst, dstCapacity, dstPos, src, srcSize, srcPos) =>
    lib.decompress(ctx, dst, dstCapacity, dstPos, src, srcSize, srcPos);
  return new LibraryEngine(lib, step, lib.createDCtx(), lib.freeDCtx);
}
