import { type EmitFrame, MAX_DATA_FRAME } from '../../protocol/delta/compressed.js';

/** Room for a frame, what may be cut off behind it, and a flush marker (zlib wants more than six bytes for one). */
const CAPACITY = MAX_DATA_FRAME + 64;

/** Gathers compressed bytes into payloads of full length. One per compressor. */
export class FrameBuffer {
  readonly bytes = Buffer.allocUnsafeSlow(CAPACITY);
  used = 0;

  /** `holdBack` bytes at the end are never emitted before `end`, which drops them. */
  constructor(private readonly holdBack: number) {}

  get room(): number {
    return CAPACITY - this.used;
  }

  /** Emits a frame when there is more than one frame's worth. */
  spill(emit: EmitFrame): void {
    if (this.used < MAX_DATA_FRAME + this.holdBack) return;
    emit(this.bytes, 0, MAX_DATA_FRAME);
    this.bytes.copyWithin(0, MAX_DATA_FRAME, this.used);
    this.used -= MAX_DATA_FRAME;
  }

  /** Ends a run: emits everything but the bytes that are held back. */
  end(emit: EmitFrame): void {
    const n = this.used - this.holdBack;
    this.used = 0;
    if (n > 0) emit(this.bytes, 0, n);
  }
}
