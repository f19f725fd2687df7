import type { ByteString } from '../../protocol/options.js';
import { Datagrams } from '../libc/service.js';
import { formatTime } from '../libc/time.js';
import { escapeForLog, escapeMessage } from './escape.js';

/** Where the system log is listened for. */
const SOCKET = '/dev/log';

/** Severities of messages (RFC 3164, 4.1.1). */
export const Severity = { WARNING: 4, INFO: 6 } as const;

/** Numbers of facilities, by the names that configurations have for them (RFC 3164, 4.1.1). */
export const FACILITIES: Readonly<Record<string, number>> = {
  kern: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  security: 4,
  syslog: 5,
  lpr: 6,
  news: 7,
  uucp: 8,
  cron: 9,
  authpriv: 10,
  ftp: 11,
  ...Object.fromEntries([...'01234567'].map((digit) => [`local${digit}`, 16 + Number(digit)])),
};

/**
 * The system log: `<priority>Nov 27 20:35:46 tag[pid]: text`, a datagram each. Control characters are escaped. It stays open
 * into a changed root; once nobody listens any more, messages are lost.
 */
export class Syslog {
  private constructor(
    private readonly socket: Datagrams,
    private readonly tag: ByteString,
    private readonly facility: number,
  ) {}

  /** Null when there is no system log here, or no way to send to it. */
  static open(tag: ByteString, facility: string, socket = SOCKET): Syslog | null {
    try {
      return new Syslog(new Datagrams(socket, false), tag, FACILITIES[facility]);
    } catch {
      return null;
    }
  }

  write(severity: number, text: ByteString): void {
    const time = formatTime('%b %e %T', Date.now() / 1000);
    const whole = text.endsWith('\n') ? text : `${text}\n`;
    const line = escapeMessage(whole, escapeForLog).slice(0, -1);
    const message = `<${this.facility * 8 + severity}>${time} ${this.tag}[${process.pid}]: ${line}`;
    try {
      this.socket.send(Buffer.from(message, 'latin1'));
    } catch {
      // There is nobody else to tell.
    }
  }

  close(): void {
    this.socket.close();
  }
}
