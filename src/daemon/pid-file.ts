import fs from 'node:fs';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { hasLibc, lockRange } from '../libc/libc.js';
import { errnoText } from '../report/log.js';

const MAX_PID_FILE = 32;

export interface PidFile {
  /** Removes the file, when it still is the one that was written. */
  remove(): void;
}

function fail(what: string, path: ByteString, error: unknown): RsyncError {
  return new RsyncError(
    Exit.FILEIO,
    `failed to ${what} pid file ${path}: ${errnoText(error).replace(/ \(\d+\)$/, '')}`,
  );
}

/** True when the file names a process that runs and is not this one: used where record locks cannot be had. */
function heldByAnother(fd: number): boolean {
  const pid = Number.parseInt(fs.readFileSync(fd, 'latin1'), 10);
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    return /rsync/.test(fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
  } catch {
    return false;
  }
}

/**
 * Writes the "pid file" and keeps it locked as long as the daemon runs. Anything at that path that is no regular file
 * is removed first. Errors: exit code 11 when another daemon holds the file or it cannot be written.
 */
export function createPidFile(path: ByteString): PidFile {
  const at = Buffer.from(path, 'latin1');
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = fs.constants;
  const before = fs.lstatSync(at, { throwIfNoEntry: false });
  if (before !== undefined && !before.isFile()) {
    try {
      fs.unlinkSync(at);
    } catch (error) {
      throw fail('unlink', path, error);
    }
  }
  let fd: number;
  try {
    fd = fs.openSync(at, O_RDWR | O_CREAT | O_NOFOLLOW, 0o664);
  } catch (error) {
    const dir = path.replace(/\/[^/]*$/, '') || '/';
    if (!fs.existsSync(Buffer.from(dir, 'latin1'))) {
      const text = `rsync: [Receiver] failed to open pid-file directory "${dir}": ${errnoText(error)}`;
      throw new RsyncError(Exit.FILEIO, text);
    }
    throw fail(before?.isFile() ? 'open' : 'create', path, error);
  }
  try {
    lockAndWrite(fd, at, path);
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
  const { dev, ino } = fs.fstatSync(fd);
  return {
    remove() {
      const now = fs.lstatSync(at, { throwIfNoEntry: false });
      if (now?.dev === dev && now.ino === ino) fs.unlinkSync(at);
      fs.closeSync(fd);
    },
  };
}

function lockAndWrite(fd: number, at: Buffer, path: ByteString): void {
  if (hasLibc() ? !lockRange(fd, 0, 4) : heldByAnother(fd)) {
    throw fail('lock', path, { code: 'EAGAIN', errno: -11 });
  }
  const opened = fs.fstatSync(fd);
  const named = fs.lstatSync(at, { throwIfNoEntry: false });
  if (opened.size > MAX_PID_FILE) throw fail('find small', path, { code: 'EFBIG', errno: -27 });
  if (named?.dev !== opened.dev || named.ino !== opened.ino || !opened.isFile()) {
    throw fail('verify stat info for', path, { code: 'ESTALE', errno: -116 });
  }
  try {
    fs.ftruncateSync(fd, 0);
    fs.writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    throw fail('write', path, error);
  }
}
