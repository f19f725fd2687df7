import fs from 'node:fs';
import { IoError } from '../../../protocol/constants.js';
import type { ByteString } from '../../../protocol/options.js';
import { pathBelow } from '../../../protocol/path.js';
import { compareForRemoval } from '../../files/remove.js';
import { FileStat, lstatInto } from '../../files/stat.js';
import { errnoText } from '../../report/errno.js';
import { skippingMountPoint } from '../../report/messages.js';
import type { Receiving } from '../receiving.js';

/** An entry of a directory of the destination. */
export interface FoundEntry {
  name: Buffer;
  mode: number;
  isDir: boolean;
  dev: number;
}

/** Looks at what is in the destination, for deletions. */
export class DirectoryReader {
  /** What the last `look` has found. */
  readonly stat = new FileStat();

  constructor(private readonly receiving: Receiving) {}

  /** Entries of a directory that `wanted` picks, in the order of removal; null when it cannot be read. */
  entries(dir: ByteString, wanted: (name: Buffer) => boolean): FoundEntry[] | null {
    let names: Buffer[];
    try {
      names = fs.readdirSync(this.receiving.parts.root.dir(dir).self(), { encoding: 'buffer' });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') this.unreadable(dir, error);
      return null;
    }
    const found: FoundEntry[] = [];
    for (const name of names) {
      if (!wanted(name) || !this.look(pathBelow(dir, name.toString('latin1')))) continue;
      const { mode, isDir, dev } = this.stat;
      found.push({ name, mode, isDir, dev });
    }
    return found.sort(compareForRemoval);
  }

  /** Looks at one path, itself and not what it leads to; false when nothing is there. */
  look(path: ByteString): boolean {
    return lstatInto(this.receiving.parts.root.path(path), this.stat) === 0 && this.stat.exists;
  }

  /** -x: the entry of a directory on `device` is a mount point, which stays. `text` tells of one. */
  isMountPoint(entry: FoundEntry, path: ByteString, device: number, text: (path: ByteString) => ByteString): boolean {
    const { options: o, log } = this.receiving.session;
    if (o.oneFileSystem === 0 || !entry.isDir || entry.dev === device) return false;
    if (o.info.mount >= 1) log.info(o.oneFileSystem > 1 ? skippingMountPoint('generator', path) : text(path));
    return true;
  }

  /** A directory could not be read: that is an error of the run. */
  unreadable(dir: ByteString, error: unknown): void {
    const { session } = this.receiving;
    session.ioError |= IoError.GENERAL;
    session.log.xferError(`rsync: [generator] opendir ${this.receiving.fullName(dir)} failed: ${errnoText(error)}\n`);
  }
}
