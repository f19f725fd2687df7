import fs from 'node:fs';
import type { ByteString, Options } from '../../../protocol/options.js';
import { takeForFile } from '../../files/device.js';
import type { DirectoryEntries } from '../../files/directory.js';
import { lstatFake, readFakeLink } from '../../files/fake-super.js';
import { unmungeTarget } from '../../files/special.js';
import { FileStat, lstatInto, statInto } from '../../files/stat.js';
import { isUnsafeLink } from '../../files/unsafe-link.js';
import { Errno, errnoOf } from '../../libc/errno.js';
import { copyingUnsafeLink } from '../../report/messages.js';
import type { SourceBase } from './base.js';

/** Looks at single files as the link options say (-L, -k, --copy-unsafe-links, munged links). */
export class Looker {
  /** What the last call found. */
  readonly stat = new FileStat();
  /** Target of the link that the last call found, null when it found no link. */
  target: Buffer | null = null;
  private readonly followed = new FileStat();

  constructor(
    private readonly options: Options,
    private readonly info: (text: ByteString) => void,
  ) {}

  /** True when looking at an entry takes more than its own state: other places, or what it pretends to be. */
  get looksThrough(): boolean {
    const { options: o } = this;
    return this.mayFollow || o.copyDirlinks || o.fakeSuper || o.copyDevices;
  }

  /** True when some option makes files be followed: then a listed file may have to be opened through a link. */
  get mayFollow(): boolean {
    const { options: o } = this;
    return o.copyLinks || o.copyUnsafeLinks;
  }

  /**
   * Looks at an entry; 0, or a positive error number.
   * @param path of the entry for the file system
   * @param name of the entry in the transfer
   * @param followDir a link to a directory is taken for the directory
   */
  look(path: Buffer, name: ByteString, base: SourceBase, followDir: boolean): number {
    const errno = this.lookAtNode(path, name, base, followDir);
    if (errno !== 0 || !this.options.copyDevices || !this.stat.isDevice) return errno;
    try {
      takeForFile(this.stat, this.mayFollow ? base.resolvedPath(name) : path);
      // A device's time is not that of what is on it, which may be new.
      this.stat.mtime = Math.floor(Date.now() / 1000);
      return 0;
    } catch (error) {
      return errnoOf(error) || Errno.EINVAL;
    }
  }

  private lookAtNode(path: Buffer, name: ByteString, base: SourceBase, followDir: boolean): number {
    this.target = null;
    if (this.options.copyLinks) return this.follow(name, base, this.stat);
    const errno = this.options.fakeSuper ? lstatFake(path, this.stat) : lstatInto(path, this.stat);
    if (errno !== 0 || !this.stat.isLink) return errno;
    if (followDir) {
      const fault = this.follow(name, base, this.followed);
      if (fault === 0 && this.followed.isDir) {
        this.stat.copyFrom(this.followed);
        return 0;
      }
      // A directory outside of a module is not entered; its link is not what was asked for.
      if (fault === Errno.ELOOP && statInto(path, this.followed) === 0 && this.followed.isDir) return fault;
    }
    return this.readLink(path, name, base);
  }

  /** The same for an entry of a directory that is open; only when nothing `looksThrough`. */
  lookIn(entries: DirectoryEntries, entry: number): number {
    this.target = null;
    const errno = entries.stat(entry, this.stat);
    if (errno !== 0 || !this.stat.isLink || !this.options.links) return errno;
    try {
      this.target = this.unmunged(entries.readLink(entry));
      return 0;
    } catch (error) {
      return errnoOf(error) || Errno.EINVAL;
    }
  }

  /** stat() of what a name leads to. */
  follow(name: ByteString, base: SourceBase, into: FileStat = this.stat): number {
    try {
      return base.statResolved(name, into);
    } catch (error) {
      return errnoOf(error) || Errno.EINVAL;
    }
  }

  private readLink(path: Buffer, name: ByteString, base: SourceBase): number {
    const { options: o } = this;
    if (!o.links && !o.copyUnsafeLinks) return 0;
    let target: Buffer;
    try {
      target = o.fakeSuper ? readFakeLink(path) : fs.readlinkSync(path, 'buffer');
    } catch (error) {
      return errnoOf(error) || Errno.EINVAL;
    }
    if (o.copyUnsafeLinks) {
      const text = target.toString('latin1');
      if (isUnsafeLink(text, name)) {
        if ((o.info.symsafe ?? 0) >= 1) this.info(copyingUnsafeLink(name, text));
        return this.follow(name, base);
      }
    }
    this.target = this.unmunged(target);
    return 0;
  }

  private unmunged(target: Buffer): Buffer {
    return this.options.mungeLinks ? unmungeTarget(target) : target;
  }
}
