import net from 'node:net';

/** An address as its bytes: 4 for IPv4, 16 for IPv6; the scope of a link-local one aside. */
export interface Address {
  bytes: Uint8Array;
  scope: string;
}

function ipv4Bytes(text: string): Uint8Array {
  return Uint8Array.from(text.split('.'), Number);
}

function ipv6Bytes(text: string): Uint8Array {
  let plain = text;
  const lastColon = plain.lastIndexOf(':');
  if (plain.includes('.')) {
    const [a, b, c, d] = ipv4Bytes(plain.slice(lastColon + 1));
    plain = `${plain.slice(0, lastColon + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head, tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const words = [...left, ...new Array<string>(8 - left.length - right.length).fill('0'), ...right];
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 8; i++) {
    const word = Number.parseInt(words[i], 16);
    bytes[2 * i] = word >> 8;
    bytes[2 * i + 1] = word & 0xff;
  }
  return bytes;
}

/**
 * An IPv4 address as inet_aton(3) reads it: up to four numbers, octal with a 0 in front, the last of which fills what is
 * left of the four bytes. Null for what is none.
 */
function shortIpv4(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length > 4 || !parts.every((part) => /^(0[0-7]*|[1-9]\d{0,9})$/.test(part))) return null;
  const numbers = parts.map((part) => Number.parseInt(part, part.startsWith('0') ? 8 : 10));
  const last = numbers.pop() as number;
  const left = 4 - numbers.length;
  if (numbers.some((n) => n > 255) || last >= 256 ** left) return null;
  const tail = Array.from({ length: left }, (_, i) => Math.floor(last / 256 ** (left - 1 - i)) & 0xff);
  return Uint8Array.from([...numbers, ...tail]);
}

/** An address as "hosts allow" has it. */
function listedAddress(text: string): Address | null {
  const bytes = /^[.0-9]*$/.test(text) ? shortIpv4(text) : null;
  return bytes === null ? parseAddress(text) : { bytes, scope: '' };
}

/** Reads a numeric address, with a scope (`fe80::1%eth0`) where there is one; null for anything else. */
export function parseAddress(text: string): Address | null {
  const percent = text.indexOf('%');
  const plain = percent < 0 ? text : text.slice(0, percent);
  const family = net.isIP(plain);
  if (family === 4 && percent < 0) return { bytes: ipv4Bytes(plain), scope: '' };
  return family === 6 ? { bytes: ipv6Bytes(plain), scope: percent < 0 ? '' : text.slice(percent + 1) } : null;
}

/** The usual text of a peer's address: IPv4 carried in IPv6 is shown as IPv4. */
export function plainAddress(text: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1] ?? text;
}

function maskOf(text: string, length: number): Uint8Array | null {
  const address = parseAddress(text);
  if (address !== null) return address.bytes.length === length ? address.bytes : null;
  if (!/^[ \t]*[+-]?\d+$/.test(text)) return null;
  const bits = Number(text);
  if (bits < 0 || bits > length * 8) return null;
  const mask = new Uint8Array(length);
  for (let i = 0; i < length; i++) mask[i] = (0xff << (8 - Math.max(0, Math.min(8, bits - i * 8)))) & 0xff;
  return mask;
}

export type AddressVerdict = 'match' | 'no-match' | 'not-an-address' | 'bad-address' | 'bad-mask';

/**
 * Compares an address with one item of "hosts allow": ADDRESS, ADDRESS/BITS or ADDRESS/NETMASK.
 * Host names are 'not-an-address'.
 */
export function matchAddress(address: Address, item: string): AddressVerdict {
  const slash = item.indexOf('/');
  const base = slash < 0 ? item : item.slice(0, slash);
  if (/[^.0-9]/.test(base) && !base.includes(':')) return 'not-an-address';
  const wanted = listedAddress(base);
  if (wanted === null) return 'bad-address';
  if (wanted.bytes.length !== address.bytes.length) return 'no-match';
  if (wanted.scope !== '' && wanted.scope !== address.scope) return 'no-match';
  const mask = slash < 0 ? null : maskOf(item.slice(slash + 1), wanted.bytes.length);
  if (slash >= 0 && mask === null) return 'bad-mask';
  for (let i = 0; i < wanted.bytes.length; i++) {
    if (((wanted.bytes[i] ^ address.bytes[i]) & (mask === null ? 0xff : mask[i])) !== 0) return 'no-match';
  }
  return 'match';
}
