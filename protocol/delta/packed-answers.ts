import { FIRST_FREE, type Kernel } from '../kernel/kernel.js';
import { FRAME_HEAD, frameLength } from './compressed.js';
import { FileAnswers, MOST_INPUT, Record } from './file-answers.js';
import type { WholeInput } from './tokens.js';

/** Where unpacked files go in the kernel's memory, behind the input, and how many bytes these may be in a run. */
const OUTPUT = FIRST_FREE + MOST_INPUT;
export const MOST_OUTPUT = 128 * 1024;
/** Bytes behind the frames: their end and the sum. */
const TOKEN_END = 1;
const SUM_LENGTH = 16;

/**
 * The same for a compressed stream: `read` finds answers that have come whole, as far as that shows in their frames. What a stream
 * has unpacked it does not unpack again, so it only is done, by `unpack`, for files about which all else is known to be right.
 */
export class PackedAnswers extends FileAnswers {
  constructor(
    kernel: Kernel,
    private readonly stream: WholeInput,
    /** Whether a file may be one of a run, so that it is worth waiting for the rest of it. */
    private readonly mayBeTaken: (ndx: number) => boolean,
  ) {
    super(kernel, true, MOST_OUTPUT + 1);
  }

  protected override isWorthWaiting(needed: number, ndx: number): boolean {
    return needed <= MOST_INPUT && (ndx < 0 || this.mayBeTaken(ndx));
  }

  protected override behind(): number {
    return TOKEN_END + SUM_LENGTH;
  }

  /**
   * Unpacks the files of `count` answers from the `from`-th on, which are to be `sizes` bytes long, all of them MOST_OUTPUT bytes
   * at most. Puts the places where they begin to `sources`: one behind the other. Stops at a file that has another size, or not its sum,
   * or in which the stream is damaged: that is to be read by others now. Returns the number of files before it.
   */
  unpack(from: number, count: number, sizes: Int32Array, sources: Int32Array): number {
    const { kernel, records, stream } = this;
    const { bytes } = kernel;
    let to = OUTPUT;
    for (let k = 0, at = from * Record.WORDS; k < count; k++, at += Record.WORDS) {
      const start = to;
      const most = start + sizes[k] + 1;
      let next = records[at + Record.FROM];
      const end = next + records[at + Record.LENGTH];
      let isDamaged = false;
      stream.begin();
      while (next < end && to < most && !isDamaged) {
        const frame = next + FRAME_HEAD;
        next = frame + frameLength(bytes, next);
        const made = stream.unpack(bytes, frame, next, bytes, to, most);
        isDamaged = made < 0;
        if (!isDamaged) to = made;
      }
      const isWhole = !isDamaged && to === most - 1;
      if (!isWhole || kernel.wasm.hasSum(start, sizes[k], end + TOKEN_END) === 0) {
        stream.giveBack(bytes, start, to);
        return k;
      }
      sources[k] = start;
    }
    return count;
  }
}
