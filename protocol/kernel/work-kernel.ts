import { WORK_KERNEL_BYTES } from './work-bytes.gen.js';

/**
 * Functions of the C library that the kernel calls, with the meaning of their namesakes; addresses are those of the
 * process. Each returns -1 when it fails, `errno` then says why.
 */
export interface WorkCalls {
  openat(dir: number, name: number, flags: number, mode: number): number;
  write(fd: number, data: number, length: number): number;
  pread(fd: number, to: number, length: number, offset: number): number;
  sendfile(to: number, from: number, offset: number, length: number): number;
  ftruncate(fd: number, length: number): number;
  statx(dir: number, name: number, flags: number, mask: number, out: number): number;
  fchown(fd: number, uid: number, gid: number): number;
  futimens(fd: number, times: number): number;
  fchmod(fd: number, mode: number): number;
  flistxattr(fd: number, names: number, size: number): number;
  close(fd: number): number;
  renameat(from: number, a: number, to: number, b: number): number;
  unlinkat(dir: number, name: number, flags: number): number;
  errno(): number;
}

/** What assembly/work exports. Jobs are named by their place in memory. */
interface Exports {
  begin(own: number, memory: number, random: number): void;
  /** Does `count` jobs from the one at `job` on, up to one that did not go well: how many were done before that one. */
  makeFiles(job: number, count: number): number;
  attributesFailed(): number;
  landingFailed(): number;
  forget(dir: number): void;
  work(most: number): number;
}

/** Memory that several threads see. */
export interface WorkMemory {
  readonly buffer: SharedArrayBuffer;
}

/** The part of the WebAssembly global that is used here. */
interface WasmApi {
  Memory: new (kind: { initial: number; maximum: number; shared: boolean }) => WorkMemory;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: unknown };
}

/** Pages of 64 KiB (build.mjs). */
const PAGES = 68;

/**
 * Where things lie in the memory (assembly/work/layout.ts): control words, results, the ring, and behind that one job of the side
 * that gives work. Then comes what each side has for itself.
 */
export const WorkPlace = { CONTROL: 0x400, RESULTS: 0x800, RING: 0x4000, JOB: 0x404000, OWN: 0x416000 } as const;
export const RING_BYTES = WorkPlace.JOB - WorkPlace.RING;
/** Bytes of the longest job behind the ring. */
export const JOB_BYTES = WorkPlace.OWN - WorkPlace.JOB;
const OWN_BYTES = 0x11000;

function api(): WasmApi {
  return (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
}

export function createWorkMemory(): WorkMemory {
  const { Memory } = api();
  return new Memory({ initial: PAGES, maximum: PAGES, shared: true });
}

let compiled: object | null = null;

/**
 * An instance of the kernel that makes small files whole, by itself: under temporary names, with owner, time and
 * permissions, and then under their own.
 */
export class WorkKernel {
  readonly wasm: Exports;

  /** `side`: 0 or 1, each has its own part of the memory. `at`: where that is in the process. `random`: 32 bits. */
  constructor(memory: WorkMemory, at: number, calls: WorkCalls, side: number, random: number) {
    const { Module, Instance } = api();
    compiled ??= new Module(Buffer.from(WORK_KERNEL_BYTES, 'base64'));
    this.wasm = new Instance(compiled, { env: { memory }, libc: calls }).exports as Exports;
    this.wasm.begin(WorkPlace.OWN + side * OWN_BYTES, at, random);
  }
}
