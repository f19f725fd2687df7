import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';

/** The binding under a stream of node:zlib. */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
  onerror(message: string, errno: number, code: string): void;
}

/** The members of a stream of node:zlib that its own synchronous functions work with. */
interface Internals {
  _handle?: Handle;
  _writeState?: Uint32Array;
  reset(): void;
}

/**
 * A (de)compression stream of node:zlib driven synchronously, piece by piece.
 *
 * node:zlib has one-shot functions that are synchronous, and streams that are not; a token stream needs history and
 * flushes across calls without waiting. The class therefore calls the binding as node's own `_processChunk` does, but
 * with the caller's buffers, so that nothing is allocated and the output of one call is bounded.
 */
export class RawStream {
  /** After `run`: input bytes that were not taken, output bytes that were not used. */
  inputLeft = 0;
  outputLeft = 0;
  private readonly handle: Handle;
  private readonly state: Uint32Array;
  private fault = '';

  constructor(
    private readonly stream: object,
    private readonly what: string,
  ) {
    if (!RawStream.isPossible(stream)) throw new RsyncError(Exit.UNSUPPORTED, `no synchronous ${what} in this Node.js`);
    const internals = stream as Required<Internals>;
    this.handle = internals._handle;
    this.state = internals._writeState;
    this.handle.onerror = (message) => {
      this.fault = message;
    };
  }

  /** Whether this Node.js lets the stream be driven that way. */
  static isPossible(stream: object): boolean {
    const { _handle, _writeState } = stream as Internals;
    return typeof _handle?.writeSync === 'function' && _writeState instanceof Uint32Array;
  }

  /** Forgets the history. */
  reset(): void {
    (this.stream as Internals).reset();
  }

  /**
   * Takes from input[inputAt, + inputLength) and writes to output[outputAt, + outputLength), as much as fits.
   * `flush` is a constant of the library. Throws an RsyncError 12 when the data is damaged.
   */
  run(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void {
    this.handle.writeSync(flush, input, inputAt, inputLength, output, outputAt, outputLength);
    if (this.fault) throw new RsyncError(Exit.STREAMIO, `${this.what}: ${this.fault}`);
    this.outputLeft = this.state[0];
    this.inputLeft = this.state[1];
  }
}
