import type { ByteReader } from '../bytes/reader.js';
import { BYTES_ROOM, ListKernel, ListPlace, ListState } from '../kernel/list-kernel.js';
import type { EntryExtrasReader } from './entry-extras.js';
import type { FileList } from './list.js';
import type { NameDecoder } from './name-decoder.js';
import type { EntryState } from './run-encoder.js';
import type { ListWire } from './wire.js';

/** Bytes that are given to the kernel: more of them while it takes them all. */
const SHORTEST_INPUT = 64;
const FIRST_INPUT = 1024;

/** Decodes runs of entries by a kernel: regular files of the directory of the entry before, nothing special about them. */
export class RunDecoder {
  private readonly kernel = new ListKernel();
  private reach = FIRST_INPUT;

  constructor(
    private readonly wire: ListWire,
    private readonly list: FileList,
    private readonly name: NameDecoder,
    private readonly extras: EntryExtrasReader | null,
  ) {
    this.kernel.hasAcls = wire.acls;
    this.kernel.hasXattrs = wire.xattrs;
    name.moveTo(this.kernel);
  }

  /** Appends the rows of a run and moves the reader behind them; false when what comes next is for others. */
  decode(r: ByteReader, before: EntryState): boolean {
    const { kernel, list, name, wire, extras } = this;
    const { state } = kernel;
    const length = Math.min(r.end - r.pos, this.reach);
    if (length < SHORTEST_INPUT || before.mtime !== (before.mtime | 0) || !name.give(state)) return false;
    kernel.bytes.set(r.buf.subarray(r.pos, r.pos + length), ListPlace.BYTES);
    state[ListState.MODE] = before.mode;
    state[ListState.MTIME] = before.mtime;
    const goesOn = list.plainFrom < list.count;
    const [owner, group] = [wire.owner ? 1 : 0, wire.group ? 1 : 0];
    const [acls, xattrs] = [extras?.aclCount ?? -1, extras?.xattrCount ?? -1];
    const first = goesOn ? 1 : 0;
    const count = kernel.wasm.decodeRows(length, name.slash, owner, group, first, wire.sumLength, acls, xattrs);
    const used = state[ListState.USED];
    this.reach = used > length / 2 ? Math.min(2 * this.reach, BYTES_ROOM) : FIRST_INPUT;
    if (count === 0) return false;
    extras?.number(kernel, count);
    kernel.uids.fill(before.uid, 0, count);
    kernel.gids.fill(before.gid, 0, count);
    name.takeBack(state);
    before.mode = state[ListState.MODE];
    before.mtime = state[ListState.MTIME];
    list.appendFiles(kernel, count, name.dirId, 0, state[ListState.ASCENDING] !== 0);
    r.pos += used;
    r.begin();
    return true;
  }
}
