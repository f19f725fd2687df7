import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { pathBelow } from '../../protocol/path.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { splitPath } from '../files/temp.js';
import { Step } from '../files/thread/queue.js';
import { errnoText } from '../report/errno.js';
import { failedVerification } from '../report/messages.js';
import type { Receiving } from './receiving.js';

/** Which attribute a result of the thread for file work is about (see `Step`). */
const ATTRIBUTES: Record<number, 'owner' | 'group' | 'times' | 'mode'> = {
  [Step.CHOWN]: 'owner',
  [Step.CHGRP]: 'group',
  [Step.TIMES]: 'times',
  [Step.MODE]: 'mode',
};

/** What a receiver says about files that did not land as they should. `error`: an errno error or a positive errno. */
export class Complaints {
  constructor(private readonly receiving: Receiving) {}

  failed(call: string, name: ByteString, error: unknown): void {
    const shown = this.receiving.fullName(name);
    this.receiving.session.log.xferError(`rsync: [receiver] ${call} ${shown} failed: ${errnoText(error)}\n`);
  }

  /** A temporary file for `path` could not be made. */
  noTemp(path: ByteString, error: unknown): void {
    this.failed('mkstemp', this.tempPath(path), error);
  }

  /** A temporary file could not take its place, `path`; without `temp` nobody has kept its name. */
  notRenamed(path: ByteString, error: unknown, temp: Buffer | null = null): void {
    const from = this.receiving.fullName(this.tempPath(path, temp));
    this.receiving.session.log.xferError(`rsync: [receiver] rename ${from} -> "${path}": ${errnoText(error)}\n`);
  }

  /** Where the temporary file for `path` lies. */
  private tempPath(path: ByteString, temp: Buffer | null = null): ByteString {
    const { dir, name } = splitPath(path);
    const { tempDir } = this.receiving.session.options;
    const text = `${name.toString('latin1')}.XXXXXX`;
    const made = tempDir === '' ? `.${text.replace(/^\./, '')}` : text;
    return pathBelow(tempDir === '' ? dir : tempDir, temp?.toString('latin1') ?? made);
  }

  /** What a run ends with that is told to take blocks from a file that is not there. */
  noBasis(name: ByteString): RsyncError {
    const text = `got a block match with no basis file for ${this.receiving.fullName(name)} [receiver]`;
    return new RsyncError(Exit.PROTOCOL, text);
  }

  /** What a run ends with whose file cannot be written. */
  writeError(name: ByteString, error: unknown): RsyncError {
    const shown = this.receiving.fullName(name);
    return new RsyncError(Exit.FILEIO, `rsync: [receiver] write failed on ${shown}: ${errnoText(error)}`);
  }

  /** A file's sum is wrong. `isTemp`: it was written under a temporary name, or not at all. */
  mismatch(row: number, isTemp: boolean, isRedo: boolean): 'redo' | 'failed' {
    const { receiving } = this;
    const { options: o, log } = receiving.session;
    const what = isTemp && o.partialDir === '' ? 'discarded' : 'retained';
    const name = receiving.shownName(row);
    if (isRedo) {
      log.xferError(failedVerification(name, what, false));
      return 'failed';
    }
    if (o.info.name >= 1 || receiving.printsItems)
      log.warning(failedVerification(name, what, true, receiving.replay !== null));
    return 'redo';
  }

  /** What failed at a file that the thread has worked on, `landing` as in `result`. Throws `writeError`. */
  aside(row: number, landing: number): 'redo' | 'failed' {
    const step = landing >> 16;
    const errno = landing & 0xffff;
    if (step === Step.READ) return this.mismatch(row, true, false);
    const name = this.receiving.relativePath(row);
    if (step === Step.WRITE) throw this.writeError(name, errno);
    if (step === Step.CREATE) this.noTemp(name, errno);
    else if (step === Step.RENAME) this.notRenamed(name, errno);
    return 'failed';
  }

  /** A new file has attributes that its row has not. */
  private takeAway(row: number): void {
    const { session, parts } = this.receiving;
    const path = this.receiving.destPath(row);
    const st = new FileStat();
    if (lstatInto(path, st) !== 0) return;
    parts.attrs.apply(path, session.list, row, st, { isNew: true, exactTimes: true, withXattrs: true });
  }

  /** An attribute could not be set, `result` as in the function of that name. */
  attribute(row: number, result: number): void {
    const { session, parts } = this.receiving;
    if (result >> 16 === Step.FURTHER) this.takeAway(row);
    else parts.attrs.tellFailed(ATTRIBUTES[result >> 16], session.list, row, result & 0xffff);
  }
}
