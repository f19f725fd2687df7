import fs from 'node:fs';
import { Basis } from '../../../protocol/constants.js';
import { flength, type SumHead } from '../../../protocol/delta/blocks.js';
import { RsyncError } from '../../../protocol/errors.js';
import type { ByteString } from '../../../protocol/options.js';
import type { ItemHeader } from '../../../protocol/request.js';
import type { AttributeKind } from '../../files/attrs.js';
import { deviceLength } from '../../files/device.js';
import type { Dir } from '../../files/dir.js';
import { type FileOutput, FileWriter } from '../../files/output.js';
import { FileStat, fstatInto, lstatInto } from '../../files/stat.js';
import { createTemp, splitPath, type TempFile } from '../../files/temp.js';
import { accessFlags, openForReading } from '../../files/window.js';
import { Errno, errnoOf } from '../../libc/errno.js';
import { basisPath, partialName } from '../basis/path.js';
import { Complaints } from '../complaints.js';
import { SetAside } from '../new-files/set-aside.js';
import type { Receiving } from '../receiving.js';
import type { FileTarget } from './file-receiver.js';
import { type Again, KeptFiles } from './kept-files.js';

/** One file on its way in. */
export interface Place extends FileTarget {
  row: number;
  /** Unfinished file with a name of its own; null when the destination itself is written (in place, append). */
  temp: TempFile | null;
  /** Descriptor that is written, -1 when the data is dropped. */
  fd: number;
  /** The content is collected for the thread that writes files. */
  isAside: boolean;
}

/** 'later': what became of the file is told by `settle`; 'delayed': it is whole, and waits for `releaseDelayed`. */
export type Outcome = 'ok' | 'redo' | 'failed' | 'later' | 'delayed';

/** Size of a basis that takes the file system long enough to give up. */
const LONG_TO_FREE = 8 * 1024 * 1024;

/**
 * Closes the basis of a file that has its place now. Where it was the old file, this is when the file system frees it:
 * a tenth of the time of a whole delta transfer, which nobody has to wait for.
 */
function closeBasis(place: Place): void {
  const { basis } = place;
  place.basis = -1;
  if (basis < 0) return;
  if (flength(place.head) < LONG_TO_FREE) fs.closeSync(basis);
  else fs.close(basis, () => {});
}

/**
 * Where received files land: under a temporary name that becomes the real one when the sum holds, or in place. What
 * is unfinished stays only where --partial and --partial-dir say so (9.9, 9.10).
 */
export class Landing {
  private readonly writer: FileWriter;
  private readonly st = new FileStat();
  private readonly writtenKind: AttributeKind = { isNew: true, exactTimes: true, withXattrs: true, fd: -1 };

  private readonly kept: KeptFiles;
  private readonly complaints: Complaints;
  /** Small files that a thread makes. */
  readonly aside: SetAside;
  /** The file that comes in. */
  private place: Place | null = null;

  /** `tell` is called when `collect` has something to do, and with an error when the thread that writes files is lost. */
  constructor(
    private readonly receiving: Receiving,
    tell: (error: Error | null) => void,
  ) {
    this.kept = new KeptFiles(receiving);
    this.complaints = new Complaints(receiving);
    this.aside = new SetAside(receiving, this.complaints, (data) => this.spill(data), tell);
    this.writer = new FileWriter(receiving.session.options);
  }

  /** Directory and name of a row's place, the name as bytes nameBytes[nameFrom, nameTo). */
  private dir!: Dir;
  private nameBytes!: Uint8Array;
  private nameFrom = 0;
  private nameTo = 0;

  private locate(row: number): void {
    const { session, parts } = this.receiving;
    const { list } = session;
    if (parts.localName !== null && row === 0) {
      const { dir, name } = splitPath(parts.localName);
      this.dir = parts.root.dir(dir);
      this.nameBytes = name;
      this.nameFrom = 0;
      this.nameTo = name.length;
      return;
    }
    this.dir = parts.root.dir(list.dirPath(row));
    this.nameBytes = list.arenaOf(row);
    this.nameFrom = list.offsetOf(row);
    this.nameTo = this.nameFrom + list.lengthOf(row);
  }

  private nameOf(place: Place): ByteString {
    return this.receiving.relativePath(place.row);
  }

  /** Opens basis and output for a file. What cannot be opened is reported, and the data will be dropped. */
  open(row: number, item: ItemHeader, head: SumHead, isRedo: boolean): Place {
    const { receiving } = this;
    const { options: o, protocol } = receiving.session;
    const append = o.append > 0 && !isRedo && head.count > 0 ? (protocol < 30 ? 2 : o.append) : 0;
    const inPlace = o.inplace || append > 0;
    // A backup was copied from the output, so that what lies at the same place in both is the same.
    const isOutput = item.basisType === Basis.FNAME || item.basisType === Basis.BACKUP;
    const updating = inPlace && append === 0 && isOutput;
    const place: Place = {
      row,
      temp: null,
      fd: -1,
      output: null,
      basis: -1,
      head,
      updating,
      append,
      isAside: false,
      lostBasis: null,
    };
    this.place = place;
    if (head.count > 0) {
      try {
        const path = basisPath(receiving, row, item.basisType, item.xname);
        place.basis = openForReading(path, accessFlags(receiving.session.options));
      } catch (error) {
        // The blocks of a batch file are those of the file that was there when it was made; there may be none in it.
        if (receiving.replay === null || errnoOf(error) !== Errno.ENOENT) {
          this.complaints.failed('open', this.nameOf(place), error);
          return place;
        }
        place.lostBasis = this.complaints.noBasis(this.nameOf(place));
      }
    }
    if (head.count === 0 && !isRedo && this.aside.open(row)) {
      place.isAside = true;
      place.output = this.aside.output;
      return place;
    }
    if (inPlace) this.openInPlace(place);
    else this.openTemp(place);
    return place;
  }

  /** More comes than the list said: the file goes on in the usual way. */
  private spill(data: Uint8Array): FileOutput | null {
    const place = this.place!;
    place.isAside = false;
    this.openTemp(place);
    const { output } = place;
    output?.write(data, 0, data.length);
    return output;
  }

  private openInPlace(place: Place): void {
    const flags = fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW;
    try {
      place.fd = fs.openSync(this.receiving.destPath(place.row), flags, 0o600);
    } catch (error) {
      this.complaints.failed('open', this.nameOf(place), error);
      return;
    }
    const { st } = this;
    fstatInto(place.fd, st);
    this.start(place, st.isDevice ? deviceLength(place.fd) : st.size, st.isDevice);
  }

  /** Makes the file that is written before it is whole: beside its place, or in the --temp-dir. */
  private openTemp(place: Place): void {
    const { receiving } = this;
    const { options: o, list } = receiving.session;
    const beside = o.tempDir === '';
    try {
      this.locate(place.row);
      const dir = beside ? this.dir : receiving.parts.root.options.dir(o.tempDir);
      place.temp = createTemp(dir, this.nameBytes, this.nameFrom, this.nameTo, list.mode(place.row), beside);
      place.fd = place.temp.fd;
    } catch (error) {
      this.complaints.noTemp(this.nameOf(place), error);
      place.output = null;
      return;
    }
    this.start(place, 0);
  }

  private start(place: Place, existing: number, isDevice = false): void {
    this.writer.start({ fd: place.fd, existing, expected: this.receiving.session.list.size(place.row), isDevice });
    place.output = this.writer;
  }

  /** A write error ends the run, as there is nothing that could be done about a full disk. */
  writeFailed(place: Place, error: unknown): never {
    this.abandon(place, 1);
    throw this.complaints.writeError(this.nameOf(place), error);
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
    if (place.basis >= 0) fs.closeSync(place.basis);
    place.basis = -1;
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
    const kept = partialName(receiving, this.nameOf(place));
    const setAttributes = (path: Buffer) => {
      if (lstatInto(path, this.st) !== 0) return;
      const kind = { isNew: true, withXattrs: true, skipTimes: kept !== null };
      receiving.parts.attrs.apply(path, session.list, place.row, this.st, kind);
    };
    try {
      // Under the file's own name a time long ago keeps --update from taking it for a newer file.
      if (kept === null) session.list.setMtime(place.row, 0);
      setAttributes(temp.path());
      if (kept === null) {
        if (receiving.parts.backup !== null) this.kept.backUp(this.nameOf(place));
        this.moveTo(temp, place.row, setAttributes);
      } else this.kept.take(temp, place.row, kept, false, setAttributes);
    } catch (error) {
      if (error instanceof RsyncError) session.log.error(`${error.message}\n`);
      else this.complaints.notRenamed(this.nameOf(place), error, temp.name);
      temp.discard();
    }
  }

  /** Puts a file into the place of its row. */
  private moveTo(temp: TempFile, row: number, again: Again): void {
    this.locate(row);
    temp.moveTo(this.dir, this.nameBytes, this.nameFrom, this.nameTo, again);
  }

  /** All of file `ndx` was read. `matches` says whether its sum is right. */
  close(ndx: number, place: Place, matches: boolean, isRedo: boolean): Outcome {
    const { receiving } = this;
    if (place.isAside) {
      if (!matches) return this.complaints.mismatch(place.row, true, isRedo);
      this.aside.commit(ndx, place.row);
      return 'later';
    }
    if (place.output === null) {
      const lostBasis = place.head.count > 0 && place.basis < 0;
      this.release(place, false, 0);
      return lostBasis && !isRedo ? 'redo' : 'failed';
    }
    try {
      this.writer.finish();
    } catch (error) {
      this.writeFailed(place, error);
    }
    if (!matches) {
      if (place.temp === null) this.finishInPlace(place, false);
      this.release(place, receiving.session.options.partialDir !== '', 1);
      return this.complaints.mismatch(place.row, place.temp !== null, isRedo);
    }
    try {
      const outcome = place.temp === null ? this.finishInPlace(place, true) : this.finishTemp(ndx, place, place.temp);
      if (outcome === 'ok' && receiving.session.options.partialDir !== '') this.kept.remove(this.nameOf(place));
      return outcome;
    } finally {
      closeBasis(place);
    }
  }

  /** Without a match the time stays what it is: it is not that of the content. */
  private finishInPlace(place: Place, matches: boolean): Outcome {
    const { receiving } = this;
    const path = receiving.destPath(place.row);
    fstatInto(place.fd, this.st);
    const { fd } = place;
    place.fd = -1;
    fs.closeSync(fd);
    const kind = { isNew: false, exactTimes: true, withXattrs: true, skipTimes: !matches };
    receiving.parts.attrs.apply(path, receiving.session.list, place.row, this.st, kind);
    return 'ok';
  }

  private finishTemp(ndx: number, place: Place, temp: TempFile): Outcome {
    const { session, parts } = this.receiving;
    const { options: o } = session;
    const { row } = place;
    fstatInto(place.fd, this.st);
    this.setAttributes(row, temp.path(), temp.fd);
    const again = o.tempDir === '' ? null : (path: Buffer) => this.setCopied(row, path);
    try {
      if (o.delayUpdates) {
        temp.close();
        const name = this.nameOf(place);
        const kept = partialName(this.receiving, name)!;
        if (!this.kept.take(temp, row, kept, true, again)) return 'failed';
        this.kept.delay(ndx, row, name, kept);
        return 'delayed';
      }
      if (parts.backup !== null) this.kept.backUp(this.nameOf(place));
      this.moveTo(temp, row, again);
      return 'ok';
    } catch (error) {
      temp.discard();
      if (error instanceof RsyncError) throw error;
      this.complaints.notRenamed(this.nameOf(place), error, temp.name);
      return 'failed';
    }
  }

  /** Gives a file that was written anew, with state `st`, what the list says. */
  private setAttributes(row: number, path: Buffer, fd: number): void {
    this.writtenKind.fd = fd;
    this.receiving.parts.attrs.apply(path, this.receiving.session.list, row, this.st, this.writtenKind);
  }

  /** The same for a copy of it, which has nothing of what was set yet. */
  private setCopied(row: number, path: Buffer): void {
    if (lstatInto(path, this.st) === 0) this.setAttributes(row, path, -1);
  }

  /** --delay-updates: everything that was kept aside takes its place (9.10). `placed` is told of each file that has done so. */
  releaseDelayed(placed: (ndx: number, row: number) => void): void {
    this.kept.releaseDelayed(placed);
  }
}
