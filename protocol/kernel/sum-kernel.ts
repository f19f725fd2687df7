import { FIRST_FREE, Kernel } from './kernel.js';

/** Room that a kernel may use behind its results. */
const SLACK = 64;

/** Sums of many blocks in one call. Data that a caller puts into the room from `dataAt` on is not copied again. */
export class SumKernel {
  readonly dataAt = FIRST_FREE;
  /** Where the data of the last call lies. */
  summedAt = FIRST_FREE;
  private out = 0;
  private room = 0;

  constructor(readonly kernel = new Kernel()) {}

  /** Makes room for `length` bytes at `dataAt`, and for `results` bytes that calls about any part of them may need. */
  setRoom(length: number, results: number): void {
    this.room = length;
    this.reserve(length, results);
  }

  private reserve(length: number, results: number): void {
    this.out = Math.ceil((this.dataAt + length + SLACK) / 8) * 8;
    this.kernel.reserve(this.out + results + SLACK);
  }

  /** Brings data[from, to) to its place, unless it lies in the room already, and makes room for `results` bytes. */
  private load(data: Uint8Array, from: number, to: number, results: number): void {
    const isHere = data === this.kernel.bytes;
    this.summedAt = isHere ? from : this.dataAt;
    this.reserve(isHere ? this.room : to - from, results);
    if (!isHere) this.kernel.bytes.set(data.subarray(from, to), this.dataAt);
  }

  /**
   * The rolling sums (11.1) of the blocks in data[from, to), each `blockLength` bytes, the last maybe short.
   * The result is a view that is valid until the next call.
   */
  sums(data: Uint8Array, from: number, to: number, blockLength: number): Int32Array {
    const count = Math.ceil((to - from) / blockLength);
    this.load(data, from, to, 4 * count);
    this.kernel.wasm.blockSums(this.summedAt, to - from, blockLength, this.out);
    return this.kernel.words.subarray(this.out / 4, this.out / 4 + count);
  }

  /**
   * What the wire has of the same blocks, 4 + `sumLength` bytes each: the rolling sum and the first `sumLength` bytes of
   * the XXH128 with the kernel's seed. They begin at `bytes[recordsAt]`; the result is their length.
   */
  records(data: Uint8Array, from: number, to: number, blockLength: number, sumLength: number): number {
    const length = (4 + sumLength) * Math.ceil((to - from) / blockLength);
    this.load(data, from, to, length);
    this.kernel.wasm.blockRecords(this.summedAt, to - from, blockLength, sumLength, this.out);
    return length;
  }

  /** Where `records` has left its result. */
  get recordsAt(): number {
    return this.out;
  }
}
