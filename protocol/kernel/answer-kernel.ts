import { ANSWER_KERNEL_BYTES } from './answer-bytes.gen.js';

/**
 * Functions of the C library that the kernel calls, with the meaning of their namesakes; addresses are those of the
 * process. Each returns -1 when it fails.
 */
export interface FileCalls {
  openat(dir: number, name: number, flags: number): number;
  read(fd: number, to: number, length: number): number;
  close(fd: number): number;
}

/**
 * The stream that files go into: puts `length` bytes at `data` into it, and what they became, all of it, to `out`, where there are
 * `capacity` bytes. Returns the number of bytes there, negative when it fails.
 */
export interface PackCalls {
  pack(out: number, capacity: number, data: number, length: number): number;
}

/** Where nothing is compressed. */
const NO_STREAM: PackCalls = { pack: () => -1 };

/** `sendFiles` and `openFiles` take: first request, the one behind the last, directory, names, flags, memory, item flags. */
export type AnswerRun = [
  from: number,
  to: number,
  dir: number,
  arena: number,
  openFlags: number,
  memory: number,
  iflags: number,
];

/** What assembly/answer exports. */
interface Exports {
  memory: { readonly buffer: ArrayBuffer };
  begin(): void;
  readRequests(length: number): number;
  sendFiles(...run: AnswerRun): number;
  /** The same through the compressed stream; -1 when that fails. */
  packFiles(...run: AnswerRun): number;
  openFiles(...run: AnswerRun): number;
}

/** The part of the WebAssembly global that is used here. */
interface WasmApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: unknown };
}

/** Requests of a run, at most. */
export const ANSWER_ROWS = 256;
/** Where requests are put, and where answers are (assembly/answer/layout.ts). */
export const AnswerPlace = { REQUESTS: 0x5000, OUT: 0x8000 } as const;
/** Bytes of the longest request, and of as many as may be put there. */
export const REQUEST_BYTES = 23;
export const REQUESTS_ROOM = ANSWER_ROWS * REQUEST_BYTES;

/** Numbers in `state`: the last indexes that were read and written, bytes of answers. */
export const AnswerState = { LAST_IN: 0, LAST_OUT: 1, USED: 2 } as const;

let compiled: object | null = null;

/** Compiles once per process, at the first use. */
function instantiate(libc: FileCalls, stream: PackCalls): Exports {
  const wasm = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
  compiled ??= new wasm.Module(Buffer.from(ANSWER_KERNEL_BYTES, 'base64'));
  return new wasm.Instance(compiled, { libc, stream }).exports as Exports;
}

/**
 * An instance of the kernels that answer requests for whole small files in runs. They call the C library themselves: no
 * JavaScript runs for a file but what says where it is. Its memory never grows.
 */
export class AnswerKernel {
  readonly wasm: Exports;
  readonly bytes: Buffer;
  /** See `AnswerState`. */
  readonly state: Int32Array;
  // Columns of a run: what was asked for, where the request ends, place of the name, size, descriptor.
  readonly ndxs: Int32Array;
  readonly ends: Int32Array;
  readonly names: Int32Array;
  readonly sizes: Int32Array;
  readonly fds: Int32Array;

  constructor(libc: FileCalls, stream = NO_STREAM) {
    this.wasm = instantiate(libc, stream);
    const { buffer } = this.wasm.memory;
    this.bytes = Buffer.from(buffer);
    this.state = new Int32Array(buffer, 0x2200, 3);
    this.ndxs = new Int32Array(buffer, 0x3000, ANSWER_ROWS);
    this.ends = new Int32Array(buffer, 0x3400, ANSWER_ROWS);
    this.names = new Int32Array(buffer, 0x3800, ANSWER_ROWS);
    this.sizes = new Int32Array(buffer, 0x3c00, ANSWER_ROWS);
    this.fds = new Int32Array(buffer, 0x4000, ANSWER_ROWS);
    this.wasm.begin();
  }
}
