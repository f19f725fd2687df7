import { AclDecoder, AclEncoder, type IdNamesRead } from '../attributes/acl-wire.js';
import { type KeptBytes, XattrDecoder, XattrEncoder } from '../attributes/xattr-wire.js';
import type { ByteReader } from '../bytes/reader.js';
import type { ByteWriter } from '../bytes/writer.js';
import type { ListKernel } from '../kernel/list-kernel.js';
import type { ByteString } from '../options.js';
import type { Chunk } from './chunk.js';
import type { EntryExtras, EntryExtrasReader } from './entry-extras.js';
import type { FileList } from './list.js';
import type { SentIds } from './sent-ids.js';
import type { ListWire } from './wire.js';

/** What makes up an entry's further parts. */
type ExtrasWire = Pick<ListWire, 'acls' | 'xattrs' | 'incremental'>;

/** Writes what follows the entries of a list (7.3): with -A access control lists, with -X the set of extended attributes. */
export class ExtrasEncoder implements EntryExtras {
  private readonly acls: AclEncoder;
  private readonly defaultAcls: AclEncoder;
  private readonly xattrs: XattrEncoder;

  constructor(
    private readonly list: FileList,
    private readonly wire: ExtrasWire,
    nameOf: (name: ByteString) => ByteString,
  ) {
    this.acls = new AclEncoder(list.aclTable, wire.incremental);
    this.defaultAcls = new AclEncoder(list.defaultAclTable, wire.incremental);
    this.xattrs = new XattrEncoder(list.xattrTable, nameOf);
  }

  write(w: ByteWriter, row: number, ids: SentIds): void {
    const { list, wire } = this;
    if (wire.acls && !list.isLink(row)) {
      this.acls.write(w, list.acl(row), ids);
      if (list.isDir(row)) this.defaultAcls.write(w, list.defaultAcl(row), ids);
    }
    if (wire.xattrs) this.xattrs.write(w, list.xattrs(row));
  }

  known(kernel: ListKernel, chunk: Chunk, i: number, n: number): number {
    let count = n;
    if (this.wire.acls) {
      count = this.acls.sent.number(chunk.acl, i, count, kernel.acls);
      count = this.defaultAcls.sent.number(chunk.defaultAcl, i, count, kernel.defaultAcls);
    }
    return this.wire.xattrs ? this.xattrs.sent.number(chunk.xattrs, i, count, kernel.xattrs) : count;
  }
}

/** What comes next behind an entry. */
const Next = { ACL: 0, DEFAULT_ACL: 1, XATTRS: 2 } as const;

/** Reads what ExtrasEncoder writes. */
export class ExtrasDecoder implements EntryExtrasReader {
  private readonly acls: AclDecoder;
  private readonly defaultAcls: AclDecoder;
  private readonly xattrs: XattrDecoder;
  private next: number = Next.ACL;

  constructor(
    private readonly list: FileList,
    private readonly wire: ExtrasWire,
    nameOf: (name: ByteString) => ByteString | null,
    maxAccess: number,
    kept: KeptBytes,
  ) {
    this.acls = new AclDecoder(list.aclTable, false, maxAccess, kept);
    this.defaultAcls = new AclDecoder(list.defaultAclTable, true, maxAccess, kept);
    this.xattrs = new XattrDecoder(list.xattrTable, nameOf, kept);
  }

  get aclCount(): number {
    return this.wire.acls ? this.acls.received.length : -1;
  }

  get xattrCount(): number {
    return this.wire.xattrs ? this.xattrs.received.length : -1;
  }

  number({ acls, xattrs }: ListKernel, count: number): void {
    if (this.wire.acls) for (let k = 0; k < count; k++) acls[k] = this.acls.received[acls[k] - 1];
    if (this.wire.xattrs) for (let k = 0; k < count; k++) xattrs[k] = this.xattrs.received[xattrs[k] - 1];
  }

  read(r: ByteReader, row: number, names: IdNamesRead): boolean {
    const { list, wire } = this;
    if (this.next === Next.ACL && wire.acls && !list.isLink(row)) {
      const number = this.acls.read(r, list.mode(row), names);
      if (number < 0) return false;
      list.setAcl(row, number);
    }
    if (this.next <= Next.DEFAULT_ACL && wire.acls && list.isDir(row)) {
      this.next = Next.DEFAULT_ACL;
      const number = this.defaultAcls.read(r, 0, names);
      if (number < 0) return false;
      list.setDefaultAcl(row, number);
    }
    if (wire.xattrs) {
      this.next = Next.XATTRS;
      const number = this.xattrs.read(r);
      if (number < 0) return false;
      list.setXattrs(row, number);
    }
    this.next = Next.ACL;
    return true;
  }
}
