import fs from 'node:fs';
import { Item, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import type { ByteString } from '../../protocol/options.js';
import { makeFake, readFakeLink } from '../files/fake-super.js';
import { makeSpecial, makeSymlink } from '../files/special.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { isUnsafeLink } from '../files/unsafe-link.js';
import { errnoText } from '../report/errno.js';
import { ignoringUnsafeLink } from '../report/messages.js';
import type { EntryMaker } from './entries.js';
import type { Itemizer } from './itemize.js';
import type { Receiving } from './receiving.js';

/** Makes what needs neither data nor a list of its own: symbolic links, devices, fifos and sockets. */
export class NodeMaker {
  private readonly stat = new FileStat();
  private readonly basis = new FileStat();

  constructor(
    private readonly receiving: Receiving,
    private readonly itemizer: Itemizer,
    private readonly entries: EntryMaker,
  ) {}

  /** Brings a symbolic link to what its row says; `st` is what is there. Errors are told, and the run goes on. */
  symlink(ndx: number, row: number, st: FileStat): void {
    const { receiving } = this;
    const { session } = receiving;
    const target = session.list.target(row);
    if (session.options.safeLinks && isUnsafeLink(target.toString('latin1'), receiving.relativePath(row))) {
      if (session.options.info.name >= 1) {
        session.log.info(ignoringUnsafeLink(receiving.shownName(row), target.toString('latin1')));
      }
      return;
    }
    if (st.exists && st.isLink) {
      const path = receiving.destPath(row);
      const present = session.options.fakeSuper
        ? readFakeLink(path, true)
        : fs.readlinkSync(path, { encoding: 'buffer' });
      if (present.equals(target)) {
        this.entries.unchanged(ndx, row, st);
        return;
      }
    }
    const isNew = st.exists && !st.isLink;
    const make = session.options.fakeSuper ? makeFake : makeSymlink;
    this.create(ndx, row, st, isNew, (path, exists) => make(receiving.parts.root, path, target, exists));
  }

  /** The same for a device, a fifo or a socket. */
  special(ndx: number, row: number, st: FileStat): void {
    const { receiving } = this;
    const { list } = receiving.session;
    const major = list.major(row);
    const minor = list.minor(row);
    const mode = list.mode(row);
    let isNew = false;
    if (st.exists) {
      const sameType = (st.mode & S_IFMT) === (mode & S_IFMT);
      const isDevice = st.isDevice;
      if (sameType && (!isDevice || (st.rdevMajor === major && st.rdevMinor === minor))) {
        this.entries.unchanged(ndx, row, st);
        return;
      }
      isNew = deviceClass(st.mode) !== deviceClass(mode);
    }
    this.create(ndx, row, st, isNew, (path, exists) => {
      const { root } = receiving.parts;
      if (receiving.session.options.fakeSuper) makeFake(root, path, new Uint8Array(0), exists);
      else makeSpecial(root, path, mode, major, minor, exists);
    });
  }

  /** `isNew`: what is there now is of another kind, and the line about the item shows it as new. */
  private create(
    ndx: number,
    row: number,
    st: FileStat,
    isNew: boolean,
    make: (path: ByteString, exists: boolean) => void,
  ): void {
    const { receiving, itemizer, entries } = this;
    const { options: o } = receiving.session;
    const { exists } = st;
    receiving.settleMode(row, exists && !st.isDir ? st : null);
    const verdict = exists || entries.basisDirs === null ? 'none' : entries.basisDirs.other(ndx, row, this.basis);
    if (verdict === 'same' && o.basisKind !== 'copy') return;
    if (exists && st.isDir && !entries.makeRoom(row, st)) return;
    const like = verdict === 'none' ? null : (entries.basisDirs?.bestPath ?? null);
    if (!o.dryRun && !this.makeEntry(row, st.exists, make, like)) return;
    if (verdict === 'alike') {
      itemizer.announce(ndx, row, this.basis, Item.LOCAL_CHANGE | Item.REPORT_CHANGE, 0, null, like);
    } else if (verdict === 'none') {
      st.exists = exists;
      itemizer.announce(ndx, row, exists && !isNew ? st : null, Item.LOCAL_CHANGE | Item.REPORT_CHANGE, 0, null);
    }
    this.tellMade(row);
    entries.finished(ndx, row);
  }

  private tellMade(row: number): void {
    const { list } = this.receiving.session;
    if (list.isLink(row)) this.itemizer.made(row, ' -> ', list.target(row).toString('latin1'));
    else this.itemizer.made(row);
  }

  /** `like`: what has its extended attributes, where a basis directory has something of the kind. */
  private makeEntry(
    row: number,
    exists: boolean,
    make: (path: ByteString, exists: boolean) => void,
    like: Buffer | null,
  ): boolean {
    const { receiving } = this;
    const { session, parts } = receiving;
    const { list } = session;
    const path = receiving.relativePath(row);
    try {
      if (exists && parts.backup !== null) parts.backup.keep(path);
      make(path, exists);
    } catch (error) {
      const shown = receiving.fullName(path);
      const what = list.isLink(row) ? `symlink ${shown} -> "${list.target(row).toString('latin1')}"` : `mknod ${shown}`;
      session.log.xferError(`rsync: [generator] ${what} failed: ${errnoText(error)}\n`);
      return false;
    }
    const target = receiving.destPath(row);
    lstatInto(target, this.stat);
    if (like !== null) parts.xattrs?.copy(like, target, row, this.stat);
    parts.attrs.apply(target, list, row, this.stat, { isNew: true });
    return true;
  }
}

/** Devices are one kind of entry, fifos and sockets another one. */
function deviceClass(mode: number): 'device' | 'special' | 'other' {
  const type = mode & S_IFMT;
  if (type === S_IFCHR || type === S_IFBLK) return 'device';
  return type === S_IFREG || type === S_IFDIR || type === S_IFLNK ? 'other' : 'special';
}
