import net from 'node:net';
import type { Dialogue } from '../dialogue.js';
import { parseAddress } from './address.js';

/*
 * The header that a proxy in front of the daemon sends before anything else (PROXY protocol, versions 1 and 2).
 *
 *   1:  PROXY TCP4|TCP6 SOURCE DESTINATION SOURCE-PORT DESTINATION-PORT CR LF, at most 107 bytes; or PROXY UNKNOWN ...
 *   2:  12 bytes of signature, version and command, family, uint16 length (big-endian), addresses of that length
 */
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const MAX_V1 = 107;
const V2_HEADER = 16;
/** Longest address block: two Unix socket paths. */
const MAX_V2_BODY = 216;
const LOCAL = 0;
const PROXY = 1;
const TCP4 = 0x11;
const TCP6 = 0x21;

/** The client's address as the proxy gives it; null: that of the connection itself. */
export interface ProxyHeader {
  address: string | null;
}

/** Reads the header of a connection; null when there is none, or when it is broken. */
export async function readProxyHeader(dialogue: Dialogue): Promise<ProxyHeader | null> {
  const start = await dialogue.bytes(SIGNATURE.length);
  if (start === null) return null;
  if (start.equals(SIGNATURE)) return readV2(dialogue);
  return start.toString('latin1').startsWith('PROXY') ? readV1(dialogue, start.toString('latin1')) : null;
}

async function readV1(dialogue: Dialogue, start: string): Promise<ProxyHeader | null> {
  let line = start;
  while (!line.endsWith('\n')) {
    if (line.length >= MAX_V1) return null;
    const next = await dialogue.bytes(1);
    if (next === null) return null;
    line += next.toString('latin1');
  }
  return parseProxyLine(line);
}

/** Version 1, as text with its CR LF. */
export function parseProxyLine(line: string): ProxyHeader | null {
  if (/^PROXY UNKNOWN[^\r\n]*\r\n$/.test(line)) return { address: null };
  const match = /^PROXY TCP([46]) (\S+) (\S+) ([1-9]\d{0,4}) ([1-9]\d{0,4})\r\n$/.exec(line);
  if (match === null) return null;
  const length = match[1] === '4' ? 4 : 16;
  for (const text of [match[2], match[3]]) if (parseAddress(text)?.bytes.length !== length) return null;
  return { address: match[2] };
}

async function readV2(dialogue: Dialogue): Promise<ProxyHeader | null> {
  const rest = await dialogue.bytes(V2_HEADER - SIGNATURE.length);
  if (rest === null) return null;
  const length = rest.readUInt16BE(2);
  if (rest[0] >> 4 !== 2 || length > MAX_V2_BODY) return null;
  const body = await dialogue.bytes(length);
  return body === null ? null : parseProxyBody(rest[0] & 0x0f, rest[1], body);
}

/** Version 2, after its fixed header. */
export function parseProxyBody(command: number, family: number, body: Buffer): ProxyHeader | null {
  if (command === LOCAL) return { address: null };
  if (command !== PROXY) return null;
  if (family === TCP4) return body.length === 12 ? { address: body.subarray(0, 4).join('.') } : null;
  if (family !== TCP6) return { address: null };
  if (body.length !== 36) return null;
  const words: string[] = [];
  for (let i = 0; i < 16; i += 2) words.push(body.readUInt16BE(i).toString(16));
  return { address: new net.SocketAddress({ address: words.join(':'), family: 'ipv6' }).address };
}
