import fs from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { Errno, systemError } from '../libc/errno.js';
import { leadsThroughForeignLink } from '../libc/foreign-link.js';
import { escapeForLog, escapeMessage } from './escape.js';
import type { Log } from './log.js';
import { dateString } from './times.js';

/** Bytes of a message that are kept. */
const MAX_MESSAGE = 2047;
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = fs.constants;

function openLog(file: Buffer, insecureLinks: boolean): number {
  // In a directory that others can write to, such a link could turn the log of a daemon of root into any file.
  if (!insecureLinks && leadsThroughForeignLink(file.toString('latin1'))) throw systemError(Errno.ELOOP, 'open');
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  const follow = stat?.isSymbolicLink() ? 0 : O_NOFOLLOW;
  const umask = process.umask();
  process.umask(umask | 0o022);
  try {
    return fs.openSync(file, O_WRONLY | O_APPEND | O_CREAT | follow, 0o644);
  } finally {
    process.umask(umask);
  }
}

export interface FileLogSettings {
  /** Links of others on the way to the file are followed, too. */
  insecureLinks?: boolean;
  pid?: number;
  now?: () => Date;
}

/**
 * A log file (--log-file, or that of a daemon): `2026/11/21 06:24:00 [pid] text`, appended line by line, with control
 * characters escaped. Several processes may append to the same file. The constructor throws when it cannot be opened.
 */
export class FileLog implements Log {
  hadXferError = false;
  private fd: number;
  private readonly file: Buffer;
  private readonly pid: number;
  private readonly now: () => Date;
  private readonly insecureLinks: boolean;

  constructor(file: ByteString, settings: FileLogSettings = {}) {
    this.file = Buffer.from(file, 'latin1');
    this.pid = settings.pid ?? process.pid;
    this.now = settings.now ?? (() => new Date());
    this.insecureLinks = settings.insecureLinks ?? false;
    this.fd = openLog(this.file, this.insecureLinks);
  }

  /** Opens the file anew, after it was rotated. The old one stays in use when that fails, and the error is thrown. */
  reopen(): void {
    const fresh = openLog(this.file, this.insecureLinks);
    this.close();
    this.fd = fresh;
  }

  close(): void {
    if (this.fd >= 0) fs.closeSync(this.fd);
    this.fd = -1;
  }

  info(text: ByteString): void {
    this.line(text);
  }

  error(text: ByteString): void {
    this.line(text);
  }

  warning(text: ByteString): void {
    this.line(text);
  }

  /** What is meant for the client only does not get here. */
  client(_text: ByteString): void {}

  xferError(text: ByteString): void {
    this.hadXferError = true;
    this.line(text);
  }

  private line(text: ByteString): void {
    if (this.fd < 0) return;
    const whole = text.endsWith('\n') ? text : `${text}\n`;
    const kept = whole.length > MAX_MESSAGE ? `${whole.slice(0, MAX_MESSAGE)}\n` : whole;
    const escaped = escapeMessage(kept, escapeForLog);
    try {
      fs.writeSync(this.fd, Buffer.from(`${dateString(this.now())} [${this.pid}] ${escaped}`, 'latin1'));
    } catch {
      // A full disk must not end a backup: the messages still reach the client.
    }
  }
}
