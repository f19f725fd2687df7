import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ZstdCalls } from '../../protocol/kernel/answer-kernel.js';
import { LastPlace } from '../libc/buffer-place.js';
import { type KoffiFunction, loadKoffi } from '../libc/koffi.js';
import { addressOf } from '../libc/libc.js';
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
    // Addresses are given as numbers, which costs least, and errors come as what they are in two's complement.
    const stream =
      'uintptr_t ctx, uintptr_t dst, size_t dstCapacity, uintptr_t dstPos, uintptr_t src, size_t srcSize, uintptr_t srcPos';
    library = {
      createCCtx: lib.func('uintptr_t ZSTD_createCCtx()'),
      freeCCtx: lib.func('size_t ZSTD_freeCCtx(uintptr_t ctx)'),
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

/** Whether the system's libzstd can be used. */
export function hasZstdLibrary(): boolean {
  return load() !== null;
}

/** Frees a context of the library once its session is gone: a daemon's worker outlives many sessions. */
const contexts = new FinalizationRegistry<() => void>((free) => free());

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
    readonly context: number,
    free: KoffiFunction | null,
  ) {
    if (context === 0) throw new RsyncError(Exit.MALLOC, 'zstd: out of memory');
    if (free !== null) contexts.register(this, () => free(context));
  }

  run(flush: number, input: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
    const { positions, outPos } = this;
    const length = to - from;
    positions[0] = at;
    positions[2] = 0;
    const source = length === 0 ? 0 : this.inputs.of(input) + from;
    const into = this.outputs.of(out);
    const result = this.step(this.context, into, out.length, outPos, source, length, outPos + 8, flush);
    if (result < 0) throw new RsyncError(Exit.STREAMIO, 'zstd: damaged data');
    this.taken = positions[2];
    this.made = positions[0] - at;
  }
}

/**
 * A compressor of the library with `threads` more threads (0: none); null where there is no library. `context`: that of
 * another one, which stays its owner.
 */
export function libraryCompressor(level: number, threads: number, context: number | null): ZstdEngine | null {
  const lib = load();
  if (!lib) return null;
  if (context !== null) return new LibraryEngine(lib.compress, context, null);
  const own = lib.createCCtx();
  if (own !== 0) {
    lib.setParameter(own, COMPRESSION_LEVEL, level);
    // A library without threads refuses, and does it alone.
    if (threads > 0) lib.setParameter(own, WORKERS, threads);
  }
  return new LibraryEngine(lib.compress, own, lib.freeCCtx);
}

/** The library's function that compresses, for a kernel that calls it with the address of a compressor's context. */
export function zstdCalls(): ZstdCalls {
  return { compress: load()!.compress };
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
