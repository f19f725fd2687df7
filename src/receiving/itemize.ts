import { Basis, Item, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, SIGNIFICANT_ITEM_FLAGS } from '../../protocol/constants.js';
import type { FileList } from '../../protocol/flist/list.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { writeItem } from '../../protocol/request.js';
import type { FileStat } from '../files/stat.js';
import type { Receiving } from './receiving.js';

const CHMOD_BITS = 0o7777;

/** True when two times differ by more than --modify-window allows. */
export function timesDiffer(o: Options, aSec: number, aNsec: number, bSec: number, bNsec: number): boolean {
  if (o.modifyWindow === 0) return aSec !== bSec;
  if (o.modifyWindow < 0) return aSec !== bSec || aNsec !== bNsec;
  return Math.abs(aSec - bSec) > o.modifyWindow;
}

/** Says what differs between a row and the file at the destination, and announces it to the sender (9.3, 9.4). */
export class Itemizer {
  constructor(private readonly receiving: Receiving) {}

  /**
   * Adds the REPORT bits that apply to an existing file; `flags` say what is about to happen to it. `path`: where that file is,
   * null in the row's own place.
   */
  differences(row: number, st: FileStat, flags: number, xname: Uint8Array | null, path: Buffer | null = null): number {
    const { session, parts } = this.receiving;
    const { list, options: o } = session;
    const type = list.mode(row) & S_IFMT;
    let out = flags;
    if (type === S_IFREG && list.size(row) !== st.size) out |= Item.REPORT_SIZE;
    if (keepsTime(o, type)) {
      if (timesDiffer(o, list.mtime(row), list.nsec(row), st.mtime, st.nsec)) out |= Item.REPORT_TIME;
    } else if (
      out & (Item.TRANSFER | Item.LOCAL_CHANGE) &&
      !(out & Item.MATCHED) &&
      (!(out & Item.XNAME_FOLLOWS) || (xname !== null && xname.length > 0))
    ) {
      out |= Item.REPORT_TIME;
    }
    if (o.atimes > 0 && type !== S_IFDIR && type !== S_IFLNK && list.atime(row) !== st.atime) out |= Item.REPORT_ATIME;
    if (type !== S_IFLNK) out |= this.modeDifference(o, list, row, st);
    if (o.owner && parts.isRoot && parts.ids.uid(list.uid(row)) !== st.uid) out |= Item.REPORT_OWNER;
    if (o.group && parts.ids.maySetGroup(list.gid(row)) && parts.ids.gid(list.gid(row)) !== st.gid) {
      out |= Item.REPORT_GROUP;
    }
    return out | this.furtherDifferences(row, st, path);
  }

  /** -A and -X: what else than columns differs. */
  furtherDifferences(row: number, st: FileStat, path: Buffer | null): number {
    const { session, parts } = this.receiving;
    const { acls, xattrs } = parts;
    if (acls === null && xattrs === null) return 0;
    const at = path ?? this.receiving.destPath(row);
    const acl = acls?.differ(session.list, row, at, st) === true ? Item.REPORT_ACL : 0;
    return xattrs?.differ(row, at) === true ? acl | Item.REPORT_XATTR : acl;
  }

  private modeDifference(o: Options, list: FileList, row: number, st: FileStat): number {
    const mode = list.mode(row);
    if (o.perms) return (mode ^ st.mode) & CHMOD_BITS ? Item.REPORT_PERMS : 0;
    if (o.executability && !!(mode & 0o111) !== !!(st.mode & 0o111)) return Item.REPORT_PERMS;
    return 0;
  }

  /**
   * Announces an item. `st` is null (or not existing) when there is nothing at the destination yet.
   * `path`: where that file is, null in the row's own place. Returns the item flags; nothing is sent for an item that is
   * equal, unless the options want to see it.
   */
  announce(
    ndx: number,
    row: number,
    st: FileStat | null,
    flags: number,
    basisType: number,
    xname: Uint8Array | null,
    path: Buffer | null = null,
  ): number {
    const { session } = this.receiving;
    const { options: o, protocol } = session;
    let iflags = st?.exists ? this.differences(row, st, flags, xname, path) : this.newcomer(row, flags);
    iflags &= 0xffff;
    const isTransfer = (iflags & Item.TRANSFER) !== 0;
    const wanted =
      isTransfer ||
      (iflags & SIGNIFICANT_ITEM_FLAGS) !== 0 ||
      o.info.name >= 2 ||
      this.itemizesAll ||
      (xname !== null && xname.length > 0);
    if (!wanted) return iflags;
    if (protocol >= 29) {
      // Only data has a basis.
      const basis = isTransfer ? basisType : Basis.FNAME;
      writeItem(session.connection.writer, session.ndxOut, protocol, ndx, iflags, basis, xname);
      if (this.receiving.parts.xattrs?.ask(session.connection.writer, row, iflags)) {
        this.receiving.listOf(ndx).inProgress++;
      }
    } else if (isTransfer) {
      session.ndxOut.write(session.connection.writer, ndx);
      if (basisType !== Basis.FNAME) this.receiving.untoldBasis.set(ndx, basisType);
      else this.receiving.untoldBasis.delete(ndx);
    } else if (!session.isServer && !session.replays && this.receiving.printsItems) {
      this.localItem?.(row, iflags, xname);
    }
    return iflags;
  }

  /** The bits of an item that is not there yet. */
  private newcomer(row: number, flags: number): number {
    const xattrs = this.receiving.parts.xattrs?.differ(row, null) === true ? Item.REPORT_XATTR : 0;
    return flags | Item.IS_NEW | xattrs;
  }

  /** Below protocol 29 unsent items are logged where they happen. */
  localItem: ((row: number, iflags: number, xname: Uint8Array | null) => void) | null = null;

  /**
   * Below protocol 29 the receiving side itself prints the names of what needs no data: `target` is that of a link.
   * A client with -i has printed the item instead.
   */
  made(row: number, arrow = '', target: ByteString = ''): void {
    const { session, printsItems } = this.receiving;
    const { options: o, list } = session;
    if (session.protocol >= 29 || (o.info.name ?? 0) < 1 || (!session.isServer && printsItems)) return;
    session.log.info(`${this.receiving.shownName(row)}${list.isDir(row) ? '/' : ''}${arrow}${target}\n`);
  }

  /** -ii: items that are equal are announced as well. */
  get itemizesAll(): boolean {
    const { isServer, options: o } = this.receiving.session;
    return isServer ? o.serverLogFormat.includes('I') : o.itemize > 1;
  }
}

/** Whether the modification time of this type of file is kept. */
function keepsTime(o: Options, type: number): boolean {
  if (!o.times) return false;
  if (type === S_IFDIR) return !o.omitDirTimes;
  if (type === S_IFLNK) return !o.omitLinkTimes;
  return true;
}
