import { LIST_KERNEL_BYTES } from './list-bytes.gen.js';

/** What assembly/list exports. Addresses and lengths are bytes. */
interface Exports {
  memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  indexEntries(used: number, offsets: number, lengths: number): number;
  sortEntries(
    order: number,
    count: number,
    isDir: number,
    offsets: number,
    lengths: number,
    spare: number,
    keys: number,
  ): void;
  hasEqual(order: number, count: number, offsets: number, lengths: number): number;
  takeFound(i: number, name: number, length: number): number;
  isRight(i: number, modes: number, asksTime: number, uid: number, gid: number): number;
  encodeRows(
    from: number,
    to: number,
    owner: number,
    group: number,
    sumLength: number,
    acls: number,
    xattrs: number,
  ): number;
  decodeRows(
    length: number,
    slash: number,
    owner: number,
    group: number,
    comparesFirst: number,
    sumLength: number,
    acls: number,
    xattrs: number,
  ): number;
}

/** The part of the WebAssembly global that is used here. */
interface WasmApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: unknown };
}

const PAGE = 64 * 1024;

/** Rows of a run, at most. */
export const RUN_ROWS = 1024;
/** Where things lie (assembly/list/layout.ts says what they are). */
export const ListPlace = {
  STATX: 0x400,
  NAME: 0x1000,
  DIR_NAME: 0x3000,
  NAMES: 0x10000,
  BYTES: 0x20000,
  SUMS: 0x30000,
  DIRENTS: 0x38000,
} as const;
export const NAMES_ROOM = 0x10000;
export const BYTES_ROOM = 0x10000;
/** Longest sum of a row. */
export const MAX_SUM = 32;
const STATX_LENGTH = 256;

/** Numbers in `state`. */
export const ListState = {
  NAME_LENGTH: 0,
  DIR_LENGTH: 1,
  MODE: 2,
  MTIME: 3,
  UID: 4,
  GID: 5,
  USED: 6,
  ASCENDING: 7,
} as const;

let compiled: object | null = null;

/** Compiles once per process, at the first use, in less than a millisecond. */
function instantiate(): Exports {
  const wasm = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
  compiled ??= new wasm.Module(Buffer.from(LIST_KERNEL_BYTES, 'base64'));
  return new wasm.Instance(compiled, {}).exports as Exports;
}

/**
 * An instance of the kernels for file lists: what most entries are, regular files of one directory, they read, compare,
 * encode and decode in runs of up to RUN_ROWS. A short run of the program ends before V8 has made fast code of
 * as much JavaScript; these are fast from the first call. Everything else is left to the code in TypeScript.
 */
export class ListKernel {
  readonly wasm = instantiate();
  /** The whole memory. Growing replaces it and all views: read them anew after every `reserve`. */
  bytes!: Buffer;
  words!: Uint32Array;
  statx!: Uint32Array;
  /** See `ListState`. */
  state!: Int32Array;
  // The columns of a run.
  lengths!: Uint16Array;
  modes!: Uint16Array;
  flags!: Uint16Array;
  offsets!: Int32Array;
  sizes!: Int32Array;
  mtimes!: Int32Array;
  nsecs!: Int32Array;
  uids!: Int32Array;
  gids!: Int32Array;
  acls!: Int32Array;
  defaultAcls!: Int32Array;
  xattrs!: Int32Array;
  /** The columns `acls` and `xattrs` of the files of a run mean something. */
  hasAcls = false;
  hasXattrs = false;

  constructor() {
    this.look();
  }

  private look(): void {
    const { buffer } = this.wasm.memory;
    this.bytes = Buffer.from(buffer);
    this.words = new Uint32Array(buffer);
    this.statx = new Uint32Array(buffer, ListPlace.STATX, STATX_LENGTH / 4);
    this.state = new Int32Array(buffer, 0x600, 8);
    this.lengths = new Uint16Array(buffer, 0x5000, RUN_ROWS);
    this.modes = new Uint16Array(buffer, 0x5800, RUN_ROWS);
    this.flags = new Uint16Array(buffer, 0x6000, RUN_ROWS);
    this.offsets = new Int32Array(buffer, 0x7000, RUN_ROWS);
    this.sizes = new Int32Array(buffer, 0x8000, RUN_ROWS);
    this.mtimes = new Int32Array(buffer, 0x9000, RUN_ROWS);
    this.nsecs = new Int32Array(buffer, 0xa000, RUN_ROWS);
    this.uids = new Int32Array(buffer, 0xb000, RUN_ROWS);
    this.gids = new Int32Array(buffer, 0xc000, RUN_ROWS);
    this.acls = new Int32Array(buffer, 0xd000, RUN_ROWS);
    this.defaultAcls = new Int32Array(buffer, 0xe000, RUN_ROWS);
    this.xattrs = new Int32Array(buffer, 0xf000, RUN_ROWS);
  }

  /** Makes the memory at least `size` bytes long; true when it has grown. */
  reserve(size: number): boolean {
    const missing = Math.ceil((size - this.bytes.length) / PAGE);
    if (missing <= 0) return false;
    this.wasm.memory.grow(missing);
    this.look();
    return true;
  }
}
