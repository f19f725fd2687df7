import fs from 'node:fs';
import tty from 'node:tty';
import type { ByteString, Options } from '../../protocol/options.js';
import { escapeMessage, escapeName } from './escape.js';
import { isWarningExit } from './exit.js';
import type { FileLog } from './file-log.js';
import { Output } from './output.js';

export { errnoText } from './errno.js';
export { exitLine, type Role, SPOKEN_VERSION, systemError, whoAmI } from './exit.js';
export { FileLog } from './file-log.js';

/**
 * Where messages go. A text is one message: raw bytes (names are not escaped by the caller) that end in a newline.
 * A newline inside of it is taken for a part of a name and escaped.
 */
export interface Log {
  info(text: ByteString): void;
  error(text: ByteString): void;
  warning(text: ByteString): void;
  /** Names and itemized changes: like info, but a log file does not get them (it has its own format). */
  client(text: ByteString): void;
  /** An error that leaves something untransferred: the run goes on and ends with exit code 23. */
  xferError(text: ByteString): void;
  /** The same for what quotes the peer, and has its form already (--iconv); absent: that makes no difference. */
  quotingError?(text: ByteString): void;
  readonly hadXferError: boolean;
}

/** The log of a client, which also has lines that stay open and, with --log-file, a file. */
export interface ClientLog extends Log {
  readonly file: FileLog | null;
  progress(text: ByteString): void;
  finishLine(text: ByteString): void;
}

export interface ConsoleLogSettings {
  quiet: boolean;
  eightBit: boolean;
  stderrMode: Options['stderrMode'];
  /** --outbuf: N, L or B (or a longer word with that letter); '' for the default. */
  outbuf: string;
}

/** Major number of /dev/null and its like. */
const MEMORY_DEVICES = 1;

/** `tty` loads Node's sockets, 5 ms of a start, which only what may be a terminal is worth. */
function isTerminal(fd: number): boolean {
  const st = fs.fstatSync(fd);
  return st.isCharacterDevice() && st.rdev >>> 8 !== MEMORY_DEVICES && tty.isatty(fd);
}

/** Messages for a user: standard output and standard error, and a log file when there is one. */
export class ConsoleLog implements ClientLog {
  hadXferError = false;
  private readonly out: Output;
  private readonly err: Output;
  /** A progress line is open on the terminal. */
  private openLine = false;
  /** The open line is a count of list entries, which begins anew with each update. */
  private counting = false;
  private readonly escape: (text: ByteString) => ByteString;
  private readonly flushAtExit = () => this.close();

  constructor(
    private readonly settings: ConsoleLogSettings,
    /** --log-file of a client. */
    readonly file: FileLog | null = null,
    fds: { out: number; err: number } = { out: 1, err: 2 },
  ) {
    const unbuffered = /^[nu]/i.test(settings.outbuf) || isTerminal(fds.out);
    this.err = new Output(fds.err, true);
    this.out = settings.stderrMode === 'all' ? this.err : new Output(fds.out, unbuffered);
    this.escape = (text) => escapeName(text, settings.eightBit);
    process.on('exit', this.flushAtExit);
  }

  info(text: ByteString): void {
    this.file?.info(text);
    this.show(text);
  }

  client(text: ByteString): void {
    this.show(text);
  }

  warning(text: ByteString): void {
    this.file?.warning(text);
    this.complain(text);
  }

  error(text: ByteString): void {
    this.file?.error(text);
    this.complain(text);
  }

  xferError(text: ByteString): void {
    this.hadXferError = true;
    this.error(text);
  }

  /** The last line of a failed run, as a warning or an error. */
  exit(code: number, line: ByteString): void {
    if (this.openLine) this.out.write('\n');
    this.openLine = false;
    if (isWarningExit(code)) this.warning(line);
    else this.error(line);
  }

  /**
   * An update of a line that stays open: progress, or `building file list ... `. It overwrites an open line itself;
   * whatever else is printed afterwards begins on a new one. A text that ends in a newline closes the line.
   */
  progress(text: ByteString): void {
    if (this.settings.quiet) return;
    // The count of a growing list begins below the words that announced it.
    const below = this.openLine && !text.startsWith('\r') && text.endsWith('\r') && !this.counting;
    this.counting = text.endsWith('\r');
    this.openLine = !text.endsWith('\n');
    this.out.write(below ? `\n${text}` : text);
  }

  /** The end of `building file list ... `: information on the line that is open. */
  finishLine(text: ByteString): void {
    this.openLine = false;
    this.info(text);
  }

  flush(): void {
    this.out.flush();
    this.err.flush();
  }

  /** Ends an open progress line and writes what was held back. */
  close(): void {
    process.off('exit', this.flushAtExit);
    if (this.openLine) this.out.write('\n');
    this.openLine = false;
    this.flush();
  }

  private show(text: ByteString): void {
    if (!this.settings.quiet) this.message(this.out, text);
  }

  private complain(text: ByteString): void {
    this.out.flush();
    this.message(this.err, text);
  }

  private message(to: Output, text: ByteString): void {
    const escaped = escapeMessage(text, this.escape);
    to.write(this.openLine ? `\n${escaped}` : escaped);
    this.openLine = false;
  }
}

/** Hands a text of several lines to a log, which takes one message at a time. */
export function logLines(log: Log, kind: 'info' | 'client' | 'error', text: ByteString): void {
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) log[kind](line);
}
