import fs from 'node:fs';
import { Exit, IoError } from '../../protocol/constants.js';
import type { SumHead } from '../../protocol/delta/blocks.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import type { ItemHeader } from '../../protocol/request.js';
import { makeDirectories } from '../files/directories.js';
import { FileWriter } from '../files/output.js';
import type { Dir } from '../files/root.js';
import { FileStat, fstatInto, lstatInto } from '../files/stat.js';
import { createTemp, splitPath, type TempFile } from '../files/temp.js';
import { openForReading } from '../files/window.js';
import { errnoText } from '../report/errno.js';
import { failedVerification } from '../report/messages.js';
import { basisPath, partialName } from './basis.js';
import { join } from './delete.js';
import type { FileTarget } from './file-receiver.js';
import type { Receiving } from './receiving.js';

/** One file on its way in. */
export interface Place {
  row: number;
  name: ByteString;
  target: FileTarget;
  /** Unfinished file with a name of its own; null when the destination itself is written (in place, append). */
  temp: TempFile | null;
  /** Descriptor that is written, -1 when the data is dropped. */
  fd: number;
}

export type Outcome = 'ok' | 'redo' | 'failed';

/**
 * Where received files land: under a temporary name that becomes the real one when the sum holds, or in place. What
 * is unfinished stays only where --partial and --partial-dir say so (9.9, 9.10).
 */
export class Landing {
  private readonly writer: FileWriter;
  private readonly st = new FileStat();
  private readonly before = new FileStat();
  private readonly delayed: { row: number; name: ByteString; kept: ByteString }[] = [];

  constructor(private readonly receiving: Receiving) {
    this.writer = new FileWriter(receiving.session.options);
  }

  /** Where a file is written before it is whole: beside its place, or in the --temp-dir. */
  private tempDir(dir: ByteString): Dir {
    const { tempDir } = this.receiving.session.options;
    return this.receiving.parts.root.dir(tempDir === '' ? dir : tempDir);
  }

  /** Opens basis and output for a file. What cannot be opened is reported, and the data will be dropped. */
  open(row: number, item: ItemHeader, head: SumHead, isRedo: boolean): Place {
    const { receiving } = this;
    const { options: o, protocol } = receiving.session;
    const name = receiving.relativePath(row);
    const append = o.append > 0 && !isRedo && head.count > 0 ? (protocol < 30 ? 2 : o.append) : 0;
    const inPlace = o.inplace || append > 0;
    let basis = -1;
    if (head.count > 0) {
      try {
        basis = openForReading(basisPath(receiving, row, item.basisType));
      } catch (error) {
        this.complain('open', name, error);
      }
    }
    const target: FileTarget = { output: null, basis, head, updating: inPlace && append === 0, append };
    const place: Place = { row, name, target, temp: null, fd: -1 };
    if (head.count > 0 && basis < 0) return place;
    if (inPlace) this.openInPlace(place);
    else this.openTemp(place);
    return place;
  }

  private complain(call: string, name: ByteString, error: unknown): void {
    const shown = this.receiving.fullName(name);
    this.receiving.session.log.xferError(`rsync: [receiver] ${call} ${shown} failed: ${errnoText(error)}\n`);
  }

  private openInPlace(place: Place): void {
    const flags = fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW;
    try {
      place.fd = fs.openSync(this.receiving.destPath(place.row), flags, 0o600);
    } catch (error) {
      this.complain('open', place.name, error);
      return;
    }
    fstatInto(place.fd, this.st);
    this.start(place, this.st.size);
  }

  private openTemp(place: Place): void {
    const { receiving } = this;
    const { list } = receiving.session;
    const { dir, name } = splitPath(place.name);
    try {
      const beside = receiving.session.options.tempDir === '';
      place.temp = createTemp(this.tempDir(dir), name, 0, name.length, list.mode[place.row], beside);
      place.fd = place.temp.fd;
    } catch (error) {
      const where = receiving.session.options.tempDir || dir;
      this.complain('mkstemp', join(where, `.${name.toString('latin1')}.XXXXXX`), error);
      return;
    }
    this.start(place, 0);
  }

  private start(place: Place, existing: number): void {
    this.writer.start({ fd: place.fd, existing, expected: this.receiving.session.list.size[place.row] });
    place.target.output = this.writer;
  }

  /** A write error ends the run, as there is nothing that could be done about a full disk. */
  writeFailed(place: Place, error: unknown): never {
    this.release(place, false, 0);
    const shown = this.receiving.fullName(place.name);
    throw new RsyncError(Exit.FILEIO, `rsync: [receiver] write failed on ${shown}: ${errnoText(error)}`);
  }

  /** The run ends in the middle of this file. */
  abandon(place: Place, received: number): void {
    const o = this.receiving.session.options;
    this.release(place, (o.partial || o.partialDir !== '') && received > 0, received);
  }

  private release(place: Place, keep: boolean, received: number): void {
    const { temp } = place;
    try {
      if (keep && place.fd >= 0) this.writer.finish();
    } catch {
      // What is on disk is kept.
    }
    if (place.target.basis >= 0) fs.closeSync(place.target.basis);
    place.target.basis = -1;
    if (temp === null) {
      if (place.fd >= 0) fs.closeSync(place.fd);
    } else if (keep && received > 0) {
      this.keepPartial(place, temp);
    } else {
      temp.discard();
    }
    place.fd = -1;
  }

  /** Puts unfinished content where a later run finds it: under the file's own name, or in the --partial-dir. */
  private keepPartial(place: Place, temp: TempFile): void {
    const { receiving } = this;
    const { session } = receiving;
    const kept = partialName(receiving, place.name);
    try {
      const path = temp.path();
      if (lstatInto(path, this.st) === 0) {
        // Under the file's own name a time long ago keeps --update from taking it for a newer file.
        if (kept === null) session.list.mtime[place.row] = 0;
        receiving.parts.attrs.apply(path, session.list, place.row, this.st, { isNew: true, skipTimes: kept !== null });
      }
      if (kept === null) this.moveTo(temp, place.name);
      else this.moveToPartial(temp, kept);
    } catch (error) {
      this.complain('rename', place.name, error);
      temp.discard();
    }
  }

  private moveTo(temp: TempFile, to: ByteString, again: ((path: Buffer) => void) | null = null): void {
    const { dir, name } = splitPath(to);
    temp.moveTo(this.receiving.parts.root.dir(dir), name, 0, name.length, again);
  }

  private moveToPartial(temp: TempFile, kept: ByteString): void {
    const { dir, name } = splitPath(kept);
    const { parts } = this.receiving;
    this.clearPartialDir(dir);
    makeDirectories(parts.root, dir, 0o700);
    temp.moveTo(parts.root.dir(dir), name, 0, name.length, null);
  }

  /** A relative --partial-dir lies where a sender has names, too: a link in its place is not followed but removed. */
  private clearPartialDir(dir: ByteString): void {
    const { root } = this.receiving.parts;
    if (dir.startsWith('/') || lstatInto(root.path(dir), this.before) !== 0 || this.before.isDir) return;
    fs.unlinkSync(root.path(dir));
  }

  /** All of a file was read. `matches` says whether its sum is right. */
  close(place: Place, matches: boolean, isRedo: boolean): Outcome {
    const { receiving } = this;
    if (place.target.output === null) {
      const lostBasis = place.target.head.count > 0 && place.target.basis < 0;
      this.release(place, false, 0);
      return lostBasis && !isRedo ? 'redo' : 'failed';
    }
    try {
      this.writer.finish();
    } catch (error) {
      this.writeFailed(place, error);
    }
    if (!matches) return this.mismatch(place, isRedo);
    if (place.target.basis >= 0) fs.closeSync(place.target.basis);
    const done = place.temp === null ? this.finishInPlace(place) : this.finishTemp(place, place.temp);
    if (done && receiving.session.options.partialDir !== '') this.removePartial(place);
    return done ? 'ok' : 'failed';
  }

  private mismatch(place: Place, isRedo: boolean): Outcome {
    const { receiving } = this;
    const { options: o, log } = receiving.session;
    const keep = o.partial || o.partialDir !== '';
    const what = place.temp === null || (keep && o.partialDir !== '') ? 'retained' : 'discarded';
    const name = receiving.shownName(place.row);
    this.release(place, keep && o.partialDir !== '', 1);
    if (isRedo) {
      log.xferError(failedVerification(name, what, false));
      return 'failed';
    }
    if (o.info.name >= 1 || o.itemize > 0) log.warning(failedVerification(name, what, true));
    return 'redo';
  }

  private finishInPlace(place: Place): boolean {
    const { receiving } = this;
    const path = receiving.destPath(place.row);
    fstatInto(place.fd, this.st);
    const { fd } = place;
    place.fd = -1;
    fs.closeSync(fd);
    receiving.parts.attrs.apply(path, receiving.session.list, place.row, this.st, { isNew: false, exactTimes: true });
    return true;
  }

  private finishTemp(place: Place, temp: TempFile): boolean {
    const { receiving } = this;
    const { session, parts } = receiving;
    const { options: o } = session;
    const { row, name } = place;
    fstatInto(place.fd, this.st);
    const setAttributes = (path: Buffer, fd: number) => {
      parts.attrs.apply(path, session.list, row, this.st, { isNew: true, exactTimes: true, fd });
    };
    setAttributes(temp.path(), temp.fd);
    try {
      if (o.delayUpdates) {
        temp.close();
        const kept = partialName(receiving, name)!;
        this.moveToPartial(temp, kept);
        this.delayed.push({ row, name, kept });
        return true;
      }
      if (parts.backup !== null) this.backUp(name);
      this.moveTo(temp, name, (path) => setAttributes(path, -1));
      return true;
    } catch (error) {
      this.complain('rename', name, error);
      temp.discard();
      return false;
    }
  }

  private backUp(name: ByteString): void {
    const { parts } = this.receiving;
    if (lstatInto(parts.root.path(name), this.before) === 0 && this.before.exists) parts.backup!.keep(name);
  }

  /** A file is whole: what an earlier run left of it goes. */
  private removePartial(place: Place): void {
    const { receiving } = this;
    if (receiving.session.options.delayUpdates) return;
    const kept = partialName(receiving, place.name)!;
    this.removeKept(kept);
  }

  private removeKept(kept: ByteString): void {
    const { parts } = this.receiving;
    const path = (p: ByteString) => parts.root.path(p);
    try {
      if (lstatInto(path(kept), this.before) === 0 && this.before.exists) fs.unlinkSync(path(kept));
      else return;
      fs.rmdirSync(path(splitPath(kept).dir));
    } catch {
      // Others may still have unfinished files in it.
    }
  }

  /** --delay-updates: everything that was kept aside takes its place (9.10). */
  releaseDelayed(): void {
    const { parts, session } = this.receiving;
    for (const { row, name, kept } of this.delayed) {
      try {
        if (parts.backup !== null) this.backUp(name);
        fs.renameSync(parts.root.path(kept), this.receiving.destPath(row));
        fs.rmdirSync(parts.root.path(splitPath(kept).dir));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOTEMPTY' || code === 'EEXIST') continue;
        this.complain('rename', name, error);
        session.ioError |= IoError.GENERAL;
      }
    }
    this.delayed.length = 0;
  }
}
