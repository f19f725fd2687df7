import { writeVarint30 } from '../bytes/varint.js';
import type { ByteWriter } from '../bytes/writer.js';
import type { ByteString } from '../options.js';
import type { IdNames, ListWire } from './wire.js';

/** The user and group ids of the entries that were written, and their names on the wire (7.3, 12.1). */
export class SentIds {
  private readonly users = new Set<number>();
  private readonly groups = new Set<number>();

  constructor(
    private readonly wire: ListWire,
    private readonly names: IdNames,
  ) {}

  /** Notes a user; returns the name if it has to travel with this entry: once, with incremental recursion. */
  newUser(id: number): ByteString | null {
    return this.isNew(this.users, id) ? usableName(this.names.userName(id)) : null;
  }

  /** The same for a group. */
  newGroup(id: number): ByteString | null {
    return this.isNew(this.groups, id) ? usableName(this.names.groupName(id)) : null;
  }

  private isNew(seen: Set<number>, id: number): boolean {
    if (this.wire.numericIds || seen.has(id)) return false;
    seen.add(id);
    return this.wire.incremental;
  }

  /** Writes the names of all ids that occurred; only without incremental recursion and --numeric-ids. */
  writeLists(w: ByteWriter): void {
    const { wire, names } = this;
    if (wire.numericIds || wire.incremental) return;
    if (wire.owner || wire.acls) this.writeList(w, this.users, (id) => names.userName(id));
    if (wire.group || wire.acls) this.writeList(w, this.groups, (id) => names.groupName(id));
  }

  private writeList(w: ByteWriter, ids: Set<number>, nameOf: (id: number) => ByteString | null): void {
    const { protocol, id0Names } = this.wire;
    for (const id of ids) {
      const name = id === 0 ? null : usableName(nameOf(id));
      if (name === null) continue;
      writeVarint30(w, protocol, id);
      writeName(w, name);
    }
    writeVarint30(w, protocol, 0);
    if (id0Names) writeName(w, usableName(nameOf(0)) ?? '');
  }
}

/** A name has to fit a length byte; an empty one is none. */
function usableName(name: ByteString | null): ByteString | null {
  return name === null || name === '' || name.length > 255 ? null : name;
}

/** Writes a name behind its length. */
export function writeName(w: ByteWriter, name: ByteString): void {
  w.u8(name.length);
  w.text(name);
}
