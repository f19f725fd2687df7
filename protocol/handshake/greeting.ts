import { PROTOCOL_VERSION } from '../constants.js';
import type { ByteString } from '../options.js';
import { AUTH_DIGESTS } from './auth.js';

/*
 * The text lines of a daemon connection (protocol description, 1.6). Lines are byte strings without their LF; CR was
 * dropped by whoever read them.
 *
 *   @RSYNCD: VERSION.SUB DIGEST DIGEST ...     both sides, at once; SUB from version 30 on, digests from 32 on
 *   @RSYNCD: AUTHREQD CHALLENGE                server
 *   @RSYNCD: OK | @RSYNCD: EXIT                server
 *   @ERROR...                                  server, then it closes
 */

/** Longest line that a server reads before the arguments, without its LF. */
export const MAX_LINE = 1022;

/** Sub-protocol of a released version. */
const SUB_PROTOCOL = 0;

export interface Greeting {
  /** Version that the peer claims. */
  version: number;
  sub: number;
  /** Digest names of the peer, or null when it sent none. */
  digests: string[] | null;
}

/** The greeting line of this side, with its LF. `maxProtocol` is lower when the user forced an older version. */
export function greetingLine(maxProtocol: number = PROTOCOL_VERSION): string {
  return `@RSYNCD: ${maxProtocol}.${SUB_PROTOCOL} ${AUTH_DIGESTS.join(' ')}\n`;
}

export type GreetingFault = 'not-a-greeting' | 'no-sub-protocol' | 'no-digests';

/** Reads the peer's greeting. Version numbers beyond any sense are not a greeting. */
export function parseGreeting(line: ByteString): Greeting | GreetingFault {
  const match = /^@RSYNCD: [ \t]*(\d{1,9})(?:\.(\d{1,9}))?/.exec(line);
  if (match === null) return 'not-a-greeting';
  const version = Number(match[1]);
  if (match[2] === undefined && version >= 30) return 'no-sub-protocol';
  const space = line.indexOf(' ', 9);
  if (space < 0 && version >= 32) return 'no-digests';
  return {
    version,
    sub: match[2] === undefined ? 0 : Number(match[2]),
    digests:
      space < 0
        ? null
        : line
            .slice(space + 1)
            .split(' ')
            .filter((name) => name !== ''),
  };
}

/** What a server answers to a line that is no greeting: the whole line that goes out, without LF. */
export function greetingRefusal(fault: GreetingFault, line: ByteString): ByteString {
  if (fault === 'no-sub-protocol') return `@ERROR: your client omitted the subprotocol value: ${line}`;
  if (fault === 'no-digests') return `@ERROR: your client omitted the digest name list: ${line}`;
  return '@ERROR: protocol startup error';
}

/** What a client reports about a server's line that is no greeting. */
export function greetingComplaint(fault: GreetingFault, line: ByteString): ByteString {
  if (fault === 'no-sub-protocol') return `rsync: the server omitted the subprotocol value: ${line}`;
  if (fault === 'no-digests') return `rsync: the server omitted the digest name list: ${line}`;
  return `rsync: server sent "${line}" rather than greeting`;
}

/** The protocol version of a connection: the smaller one, and one less when either side is a pre-release (1.6.1). */
export function agreeProtocol(peer: Greeting, ours: number = PROTOCOL_VERSION): number {
  if (peer.version < ours) return peer.sub === 0 ? peer.version : peer.version - 1;
  return peer.version === ours && peer.sub !== SUB_PROTOCOL ? ours - 1 : ours;
}

/** One line of a module listing, with its LF. */
export function listingLine(name: ByteString, comment: ByteString): ByteString {
  return `${name.padEnd(15)}\t${comment}\n`;
}

/** A server's line as a client has to understand it. Anything else is message-of-the-day or listing text. */
export type ServerLine =
  | { kind: 'ok' }
  | { kind: 'exit' }
  | { kind: 'auth'; challenge: string }
  | { kind: 'error'; text: ByteString }
  | { kind: 'text'; text: ByteString };

export function parseServerLine(line: ByteString): ServerLine {
  if (line.startsWith('@RSYNCD: AUTHREQD ')) return { kind: 'auth', challenge: line.slice(18) };
  if (line === '@RSYNCD: OK') return { kind: 'ok' };
  if (line === '@RSYNCD: EXIT') return { kind: 'exit' };
  if (line.startsWith('@ERROR')) return { kind: 'error', text: line };
  return { kind: 'text', text: line };
}

/** Bytes of early input that a server takes (1.6.3). */
export const MAX_EARLY_INPUT = 5120;

/** A client's first line after the greeting. */
export type ClientRequest =
  | { kind: 'list' }
  | { kind: 'early-input'; length: number }
  | { kind: 'unknown'; text: ByteString }
  | { kind: 'module'; name: ByteString };

/** Reads a client's request; the length of early input is 0 when it is out of bounds. */
export function parseRequest(line: ByteString): ClientRequest {
  if (line === '' || line === '#list') return { kind: 'list' };
  if (line.startsWith('#early_input=')) {
    const length = Number.parseInt(line.slice(13), 10);
    return { kind: 'early-input', length: length > 0 && length <= MAX_EARLY_INPUT ? length : 0 };
  }
  if (line.startsWith('#')) return { kind: 'unknown', text: line };
  return { kind: 'module', name: line };
}
