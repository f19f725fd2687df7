import { Exit } from '../../protocol/constants.js';
import { type Compressor, type Decompressor, type EmitFrame, MAX_DATA_FRAME } from '../../protocol/delta/compressed.js';
import { RsyncError } from '../../protocol/errors.js';
import { type KoffiFunction, loadKoffi } from '../libc/koffi.js';

interface Library {
  compress: KoffiFunction;
  decompress: KoffiFunction;
}

/** undefined: not tried yet. */
let library: Library | null | undefined;

function load(): Library | null {
  if (library !== undefined) return library;
  library = null;
  try {
    const lib = loadKoffi()?.load('liblz4.so.1');
    if (!lib) return null;
    const sizes = 'int size, int capacity';
    library = {
      compress: lib.func(`int LZ4_compress_default(const void *src, void *dst, ${sizes})`),
      decompress: lib.func(`int LZ4_decompress_safe(const void *src, void *dst, ${sizes})`),
    };
  } catch {
    // Not installed: the algorithm is not offered then.
  }
  return library;
}

function required(): Library {
  const lib = load();
  if (!lib) throw new RsyncError(Exit.UNSUPPORTED, 'lz4: the system library or the package "koffi" is missing');
  return lib;
}

/** Whether the system's liblz4 can be used. */
export function hasLz4(): boolean {
  return load() !== null;
}

/** lz4 (10.5): every frame is a block of its own, made of up to MAX_DATA_FRAME bytes. */
export class Lz4Compressor implements Compressor {
  private readonly lib = required();
  private readonly out = Buffer.allocUnsafeSlow(MAX_DATA_FRAME);
  /** Bytes of the run that wait for a full frame. */
  private readonly held = Buffer.allocUnsafeSlow(MAX_DATA_FRAME);
  private used = 0;

  reset(): void {
    this.used = 0;
  }

  write(data: Uint8Array, from: number, to: number, flush: boolean, emit: EmitFrame): void {
    while (from < to) {
      const n = Math.min(to - from, MAX_DATA_FRAME - this.used);
      this.held.set(data.subarray(from, from + n), this.used);
      this.used += n;
      from += n;
      if (this.used === MAX_DATA_FRAME) this.compress(emit);
    }
    if (flush) this.compress(emit);
  }

  private compress(emit: EmitFrame): void {
    const { held, out, used } = this;
    this.used = 0;
    let piece = used;
    for (let at = 0; at < used; at += piece) {
      piece = Math.min(piece, used - at);
      // 0 means that the result is longer than a frame may be.
      let n = this.lib.compress(held.subarray(at), out, piece, out.length);
      while (n <= 0) {
        piece = Math.ceil(piece / 2);
        n = this.lib.compress(held.subarray(at), out, piece, out.length);
      }
      emit(out, 0, n);
    }
  }
}

/** No peer puts more into a frame: the reference compresses at most 32 KiB at once. */
const OUT_SIZE = 64 * 1024;

/** The other side of it. */
export class Lz4Decompressor implements Decompressor {
  readonly out: Uint8Array = Buffer.allocUnsafeSlow(OUT_SIZE);
  private readonly lib = required();
  private made = 0;

  reset(): void {
    this.made = 0;
  }

  feed(data: Uint8Array, from: number, to: number): void {
    const n = this.lib.decompress(data.subarray(from, to), this.out, to - from, OUT_SIZE);
    if (n < 0) throw new RsyncError(Exit.STREAMIO, 'lz4: damaged data');
    this.made = n;
  }

  pull(): number {
    const n = this.made;
    this.made = 0;
    return n;
  }
}
