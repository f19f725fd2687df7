import type { ByteReader } from '../bytes/reader.js';
import { readVarint30 } from '../bytes/varint.js';
import { ProtocolError } from '../errors.js';
import type { ByteString } from '../options.js';
import type { FileList } from './list.js';
import type { ListWire } from './wire.js';

/** More ids than entries are pointless; this many are accepted in any case. */
const SPARE_IDS = 65536;

/**
 * Reads the lists of id names behind a list (12.1): users with -o or -A, then groups with -g or -A. Each is a sequence of varint30
 * id (not 0), length byte and name; varint30 0 ends it, and with ID0_NAMES the name of id 0 follows.
 */
export class IdListReader {
  /** 0 users, 1 name of user 0, 2 groups, 3 name of group 0, 4 complete. */
  private state = 0;

  constructor(
    private readonly wire: ListWire,
    private readonly users: Map<number, ByteString>,
    private readonly groups: Map<number, ByteString>,
    private readonly list: FileList,
  ) {}

  /** Goes on as far as there is input; true when both lists are complete. */
  read(r: ByteReader): boolean {
    const { wire } = this;
    if (wire.numericIds || wire.incremental) return true;
    if (this.state === 0 && !wire.owner && !wire.acls) this.state = 2;
    while (this.state < 4) {
      if (this.state === 2 && !wire.group && !wire.acls) break;
      if (!this.step(r)) return false;
    }
    this.state = 4;
    return true;
  }

  /** One id with its name, or one end mark; false when bytes are missing. */
  private step(r: ByteReader): boolean {
    const { wire } = this;
    const names = this.state < 2 ? this.users : this.groups;
    const zeroName = (this.state & 1) !== 0;
    r.begin();
    const id = zeroName ? 0 : readVarint30(r, wire.protocol) >>> 0;
    let name: ByteString = '';
    if (id !== 0 || zeroName) {
      const length = r.u8();
      if (!r.short) name = r.bytes(length).toString('latin1');
    }
    if (!r.done()) return false;
    if (name !== '') names.set(id, name);
    if (names.size > this.list.count + SPARE_IDS) throw new ProtocolError('id list', 'too many ids');
    if (zeroName) this.state++;
    else if (id === 0) this.state += wire.id0Names ? 1 : 2;
    return true;
  }
}
