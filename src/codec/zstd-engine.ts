/** One implementation of zstd streams, with static buffers of the caller. */
export interface ZstdEngine {
  /** After `run`: input bytes that were taken, output bytes that were made. */
  taken: number;
  made: number;
  /** One step over input[from, to) and out[at, end); decompressors take no notice of `flush`. */
  run(flush: number, input: Uint8Array, from: number, to: number, out: Uint8Array, at: number, end?: number): void;
}
