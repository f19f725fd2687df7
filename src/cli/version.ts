/** --version, and -VV as JSON. */
import { PROTOCOL_VERSION } from '../../protocol/constants.js';

/** Version of rsync whose behaviour is followed, as it appears in messages. */
export const RSYNC_VERSION = '3.5.0';

/** Names as --version has them; the value is what -VV says. */
const CAPABILITIES: ReadonlyArray<readonly [string, boolean | string]> = [
  ['symlinks', true],
  ['symtimes', true],
  ['hardlinks', true],
  ['hardlink-specials', true],
  ['hardlink-symlinks', true],
  ['IPv6', true],
  ['atimes', true],
  ['batchfiles', true],
  ['inplace', true],
  ['append', true],
  ['ACLs', true],
  ['xattrs', true],
  ['secluded-args', 'optional'],
  ['iconv', true],
  ['prealloc', true],
  ['stop-at', true],
  ['crtimes', false],
];
/** Bits of a number, as -VV names them, and what --version calls it. */
const WIDTHS: ReadonlyArray<readonly [string, string]> = [
  ['file_bits', '64-bit files'],
  ['inum_bits', '64-bit inums'],
  ['timestamp_bits', '64-bit timestamps'],
];
const CHECKSUMS = ['xxh128', 'xxh3', 'xxh64', 'md5', 'md4', 'sha1', 'none'];
const COMPRESSIONS = ['zstd', 'lz4', 'zlibx', 'zlib', 'none'];
const AUTH = ['sha512', 'sha256', 'sha1', 'md5', 'md4'];

/** Text of --version; `level` 2 and above is JSON. */
export function versionText(level = 1): string {
  return level > 1 ? jsonText() : plainText();
}

function jsonText(): string {
  const capabilities = Object.fromEntries([
    ...WIDTHS.map(([name]) => [name, 64]),
    ...CAPABILITIES.map(([name, has]) => [name.replaceAll('-', '_'), has]),
  ]);
  const facts = {
    program: 'rsync',
    implementation: 'tsrsync',
    version: RSYNC_VERSION,
    protocol: `${PROTOCOL_VERSION}.0`,
    capabilities,
    checksum_list: CHECKSUMS,
    compress_list: COMPRESSIONS,
    daemon_auth_list: AUTH,
    license: 'MIT',
  };
  return `${JSON.stringify(facts, null, 2)}\n`;
}

function plainText(): string {
  // The first line has rsync's shape: scripts take the version and the protocol from it.
  let text = `rsync  version ${RSYNC_VERSION}  protocol version ${PROTOCOL_VERSION}\n`;
  text += 'This is tsrsync, an independent implementation in TypeScript (MIT licence).\nCapabilities:\n';
  const plain = ([name, has]: readonly [string, boolean | string]) =>
    has === true ? name : `${has === false ? 'no' : has} ${name}`;
  text += `${wrap([...WIDTHS.map(([, name]) => name), ...CAPABILITIES.map(plain)].join(', '))}\n`;
  text += `Checksum list:\n    ${CHECKSUMS.join(' ').replace('xxh64', 'xxh64 (xxhash)')}\n`;
  text += `Compress list:\n    ${COMPRESSIONS.join(' ')}\nDaemon auth list:\n    ${AUTH.join(' ')}\n`;
  return text;
}

function wrap(text: string): string {
  const lines: string[] = [];
  let line = '   ';
  for (const word of text.split(' ')) {
    if (line.length + word.length > 74) {
      lines.push(line);
      line = '   ';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}
