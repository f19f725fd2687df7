import type { Options } from '../options.js';
import type { Algorithms, Compression } from './algorithms.js';
import { AUTH_DIGESTS, chooseDigest } from './auth.js';

/** Names of algorithms by kind; null where there was nothing to choose. */
export interface OfferedNames {
  sums: string | null;
  compressions: string | null;
}

/** Whether a choice came about by the lists of both sides, and not by an option or the version. */
export interface Negotiated {
  sums: boolean;
  compression: boolean;
}

/** The levels that a codec has: least, greatest, and the one that is meant when none is said. */
const LEVELS: Readonly<Record<Compression, readonly [number, number, number]>> = {
  zstd: [-131_072, 22, 3],
  lz4: [0, 0, 0],
  zlibx: [1, 9, 6],
  zlib: [1, 9, 6],
  none: [0, 0, 0],
};

/** --debug=nstr: the lists of both sides (level 2) and what was chosen (level 1). A server speaks of all at level 3 only. */
export function negotiationLines(
  o: Options,
  isServer: boolean,
  own: OfferedNames,
  theirs: OfferedNames,
  chosen: Algorithms,
  negotiated: Negotiated,
): string[] {
  const level = o.debug.nstr ?? 0;
  const [here, there] = isServer ? ['Server', 'Client'] : ['Client', 'Server'];
  const lines: string[] = [];
  if (level >= (isServer ? 3 : 2)) {
    lines.push(...listLines(here, here, own), ...listLines(there, here, theirs));
  }
  if (level < (isServer ? 3 : 1)) return lines;
  const how = (byLists: boolean) => (byLists ? `${here} negotiated` : here);
  const { compression } = chosen;
  const fixed = o.checksumChoice !== '' && o.checksumChoice !== 'auto' ? o.checksumChoice : chosen.transferSum;
  lines.push(`${how(negotiated.sums)} checksum: ${negotiated.sums ? chosen.transferSum : fixed}\n`);
  if (o.compress && !(negotiated.compression && compression === 'none')) {
    const text = `${compression} (level ${levelOf(compression, o.compressLevel)})`;
    lines.push(`${how(negotiated.compression)} compress: ${text}\n`);
  }
  return lines;
}

/** The same of the digest of a login to a daemon, which has sent its list in the greeting; nothing where it has not. */
export function authLines(level: number, digests: readonly string[] | null, protocol: number): string[] {
  const chosen = digests === null ? null : chooseDigest({ digests, protocol }, false);
  if (level < 1 || digests === null || chosen === null) return [];
  const list = (whose: string, names: readonly string[]) =>
    `${whose} daemon auth checksum list (on client): ${names.join(' ')}\n`;
  const lists = level >= 2 ? [list('Client', AUTH_DIGESTS), list('Server', digests)] : [];
  return [...lists, `Client negotiated daemon auth checksum: ${chosen.digest}\n`];
}

function listLines(whose: string, here: string, names: OfferedNames): string[] {
  const line = (what: string, list: string | null) =>
    list === null ? [] : [`${whose} ${what} list (on ${here.toLowerCase()}): ${list}\n`];
  return [...line('checksum', names.sums), ...line('compress', names.compressions)];
}

/** The level that a number on the command line stands for. With 0 zlib and zlibx are off: data travels as it is. */
export function levelOf(codec: Compression, level: number | null): number {
  const [least, most, usual] = LEVELS[codec];
  if (codec === 'none') return level ?? usual;
  if (codec === 'zstd' ? level === 0 : level === -1) return usual;
  if (level === null) return usual;
  return level === 0 ? 0 : Math.max(least, Math.min(most, level));
}
