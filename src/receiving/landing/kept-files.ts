import fs from 'node:fs';
import { Exit, IoError } from '../../../protocol/constants.js';
import { RsyncError } from '../../../protocol/errors.js';
import type { ByteString } from '../../../protocol/options.js';
import type { Backup } from '../../files/backup.js';
import { makeDirectories } from '../../files/directories.js';
import { FileStat, lstatInto } from '../../files/stat.js';
import { splitPath, type TempFile } from '../../files/temp.js';
import { errnoText } from '../../report/errno.js';
import { noPartialDir } from '../../report/messages.js';
import { partialName } from '../basis/path.js';
import type { Receiving } from '../receiving.js';

/** Sets the attributes of a copy that was made because a file cannot be moved; null: it can. */
export type Again = ((path: Buffer) => void) | null;

/** Files that stay aside: unfinished ones in the --partial-dir, whole ones that wait for --delay-updates (9.9, 9.10). */
export class KeptFiles {
  private readonly before = new FileStat();
  private readonly delayed: { ndx: number; row: number; name: ByteString; kept: ByteString }[] = [];

  constructor(private readonly receiving: Receiving) {}

  /**
   * Moves an unfinished or a waiting file of a row to where it is kept. False, after a message, when there is no such
   * place; other things that go wrong are thrown as errno errors.
   */
  take(temp: TempFile, row: number, kept: ByteString, isWhole: boolean, again: Again): boolean {
    const { dir, name } = splitPath(kept);
    const { parts, session } = this.receiving;
    try {
      this.clearPartialDir(dir);
      makeDirectories(parts.root, dir, 0o700);
    } catch {
      session.log.xferError(noPartialDir(this.receiving.shownName(row), isWhole));
      temp.discard();
      return false;
    }
    temp.moveTo(parts.root.dir(dir), name, 0, name.length, again);
    return true;
  }

  /** A relative --partial-dir lies where a sender has names, too: a link in its place is not followed but removed. */
  private clearPartialDir(dir: ByteString): void {
    const { root } = this.receiving.parts;
    if (dir.startsWith('/') || lstatInto(root.path(dir), this.before) !== 0 || this.before.isDir) return;
    fs.unlinkSync(root.path(dir));
  }

  /** The file `name` is whole: what an earlier run left of it goes. */
  remove(name: ByteString): void {
    if (this.receiving.session.options.delayUpdates) return;
    this.removeKept(partialName(this.receiving, name)!);
  }

  /** The file `name` waits, as `kept`, for the end of the transfer. */
  delay(ndx: number, row: number, name: ByteString, kept: ByteString): void {
    this.delayed.push({ ndx, row, name, kept });
  }

  /** Keeps what is about to be replaced, if there is anything. A run that cannot do so ends: exit code 11. */
  backUp(name: ByteString): void {
    const { parts } = this.receiving;
    const backup = parts.backup as Backup;
    try {
      if (lstatInto(parts.root.path(name), this.before) === 0 && this.before.exists) backup.keep(name);
    } catch (error) {
      const names = `${this.receiving.fullName(name)} -> "${backup.nameFor(name)}"`;
      throw new RsyncError(Exit.FILEIO, `rsync: [receiver] keep_backup failed: ${names}: ${errnoText(error)}`);
    }
  }

  private removeKept(kept: ByteString): void {
    const { parts } = this.receiving;
    const path = (p: ByteString) => parts.root.path(p);
    try {
      if (lstatInto(path(kept), this.before) === 0 && this.before.exists) fs.unlinkSync(path(kept));
      else return;
      this.leave(splitPath(kept).dir);
    } catch {
      // Others may still have unfinished files in it.
    }
  }

  /** A --partial-dir beside the files goes with the last file in it; one that was named by its whole path stays. */
  private leave(dir: ByteString): void {
    if (!dir.startsWith('/')) fs.rmdirSync(this.receiving.parts.root.path(dir));
  }

  /** --delay-updates: everything that was kept aside takes its place (9.10). `placed` is told of each file that has done so. */
  releaseDelayed(placed: (ndx: number, row: number) => void): void {
    const { parts, session } = this.receiving;
    for (const { ndx, row, name, kept } of this.delayed) {
      try {
        if (parts.backup !== null) this.backUp(name);
        fs.renameSync(parts.root.path(kept), this.receiving.destPath(row));
        placed(ndx, row);
        this.leave(splitPath(kept).dir);
      } catch (error) {
        if (error instanceof RsyncError) throw error;
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOTEMPTY' || code === 'EEXIST') continue;
        const shown = this.receiving.fullName(name);
        session.log.xferError(`rsync: [receiver] rename failed for ${shown} (from ${kept}): ${errnoText(error)}\n`);
        session.ioError |= IoError.GENERAL;
      }
    }
    this.delayed.length = 0;
  }
}
