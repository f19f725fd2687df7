import type { ByteReader } from '../bytes/reader.js';
import type { ByteWriter } from '../bytes/writer.js';
import { Compat, Exit } from '../constants.js';
import { RsyncError } from '../errors.js';
import type { DigestName } from '../hash/digest.js';
import type { Options } from '../options.js';
import { type Algorithms, COMPRESSIONS, type Compression } from './algorithms.js';
import { negotiationLines, type OfferedNames } from './negotiation-lines.js';

/** Digests in the order of preference that all peers share (3.3). */
const CHECKSUMS: readonly DigestName[] = ['xxh128', 'xxh3', 'xxh64', 'md5', 'md4', 'sha1', 'none'];
/** What a peer may call a digest besides its usual name. */
const ALIASES: Readonly<Record<string, string>> = { xxhash: 'xxh64' };
/** Longest list that a peer may send, in bytes. */
const MAX_LIST = 255;
/** Stands for a list in which the user left no usable name. */
const INVALID = 'INVALID';

export interface NegotiationInput {
  options: Options;
  isServer: boolean;
  protocol: number;
  compatFlags: number;
  /** From `checksumList`. */
  checksums: string[];
  /** From `compressList`. */
  compressions: string[];
  /** Takes the lines of --debug=nstr. */
  trace: ((text: string) => void) | null;
}

/** Whether this side can work with incremental recursion (1.3). */
export function allowIncRecurse(o: Options, isReceiver: boolean): boolean {
  if (!o.recurse || o.incRecursive === false || o.qsort) return false;
  if (!isReceiver) return true;
  const wholeListFirst = !o.deleteUntimed && (o.deleteMode === 'before' || o.deleteMode === 'after');
  return !wholeListFirst && !o.delayUpdates && !o.pruneEmptyDirs;
}

/** The value of -e that a client gives to its server (1.3). */
export function capabilityString(o: Options, clientIsSender: boolean): string {
  return `.${allowIncRecurse(o, !clientIsSender) ? 'i' : ''}LsfxCIvu`;
}

/** The compat flags of a server (3.2), 0 below protocol 30. */
export function decideCompatFlags(o: Options, protocol: number): number {
  if (protocol < 30) return 0;
  const client = o.clientInfo;
  let flags = Compat.SYMLINK_TIMES | Compat.SYMLINK_ICONV;
  if (client.includes('i') && allowIncRecurse(o, !o.sender)) flags |= Compat.INC_RECURSE;
  if (client.includes('f')) flags |= Compat.SAFE_FLIST;
  if (client.includes('x')) flags |= Compat.AVOID_XATTR_OPTIM;
  if (client.includes('C')) flags |= Compat.CHKSUM_SEED_FIX;
  if (client.includes('I')) flags |= Compat.INPLACE_PARTIAL_DIR;
  if (client.includes('v')) flags |= Compat.VARINT_FLIST_FLAGS;
  if (client.includes('u')) flags |= Compat.ID0_NAMES;
  return flags;
}

/**
 * The names that this side offers: all of `known`, or those that the environment variable `env` leaves (text before
 * `&` is for a client, after it for a server). The order stays the common one whatever the variable says, because
 * peers that apply their own order would choose differently (3.3).
 */
function offeredNames(env: string | undefined, isServer: boolean, known: readonly string[]): string[] {
  const ampersand = env?.indexOf('&') ?? -1;
  const part = env === undefined || ampersand < 0 ? env : isServer ? env.slice(ampersand + 1) : env.slice(0, ampersand);
  const words = (part ?? '')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return known.filter((name) => isServer || name !== 'none');
  const wanted = new Set(words.map((word) => ALIASES[word] ?? word));
  const names = known.filter((name) => wanted.has(name));
  return names.length > 0 ? names : [INVALID];
}

/** Digests to offer; `env` is the value of RSYNC_CHECKSUM_LIST. */
export function checksumList(env: string | undefined, isServer: boolean): string[] {
  return offeredNames(env, isServer, CHECKSUMS);
}

/** Compressions to offer, among those that this machine has; `env` is the value of RSYNC_COMPRESS_LIST. */
export function compressList(env: string | undefined, isServer: boolean, available: readonly string[]): string[] {
  const known = COMPRESSIONS.filter((name) => name === 'none' || available.includes(name));
  return offeredNames(env, isServer, known);
}

const isAuto = (choice: string): boolean => choice === '' || choice === 'auto' || choice === 'auto,auto';
const canNegotiate = (i: NegotiationInput): boolean =>
  i.protocol >= 30 && (i.compatFlags & Compat.VARINT_FLIST_FLAGS) !== 0;
const negotiatesSums = (i: NegotiationInput): boolean => canNegotiate(i) && isAuto(i.options.checksumChoice);
const negotiatesCompression = (i: NegotiationInput): boolean =>
  canNegotiate(i) && i.options.compress && isAuto(i.options.compressChoice);

/** Writes the lists of this side (3.3): checksums, then compressions, each only if it is open to negotiation. */
export function writeNegotiation(w: ByteWriter, input: NegotiationInput): void {
  if (negotiatesSums(input)) w.vstring(Buffer.from(input.checksums.join(' '), 'latin1'));
  if (negotiatesCompression(input)) w.vstring(Buffer.from(input.compressions.join(' '), 'latin1'));
}

/**
 * Reads the lists of the peer as one unit and settles the algorithms; null when bytes are missing.
 * Throws RsyncError 4 when there is no common name, or when a server's environment forbids what the client fixed.
 */
export function readNegotiation(r: ByteReader, input: NegotiationInput): Algorithms | null {
  r.begin();
  const sums = negotiatesSums(input) ? r.vstring(MAX_LIST, 'checksum list') : null;
  const compressions = negotiatesCompression(input) ? r.vstring(MAX_LIST, 'compression list') : null;
  if (!r.done()) return null;
  const chosen: Algorithms = { ...chooseSums(input, sums), compression: chooseCompression(input, compressions) };
  if (input.options.checksum && chosen.listSum === 'none') {
    throw new RsyncError(Exit.UNSUPPORTED, 'Invalid checksum-choice for --checksum: none (0)');
  }
  const isOff = chosen.compression.startsWith('zlib') && input.options.compressLevel === 0;
  if (isOff && compressions === null) chosen.compression = 'none';
  if (input.trace !== null && (input.options.debug.nstr ?? 0) > 0) tell(input, sums, compressions, chosen);
  if (isOff) chosen.compression = 'none';
  return chosen;
}

/** What a peer that sent no list stands for: the algorithms of its version. */
function tell(input: NegotiationInput, sums: Buffer | null, compressions: Buffer | null, chosen: Algorithms): void {
  const { options: o, isServer } = input;
  const choosesSums = isAuto(o.checksumChoice);
  const choosesCompression = o.compress && isAuto(o.compressChoice);
  const listed = (list: Buffer | null, otherwise: string) =>
    list?.toString('latin1').replaceAll('\n', '\\#012') ?? otherwise;
  const own: OfferedNames = {
    sums: choosesSums ? input.checksums.join(' ') : null,
    compressions: choosesCompression ? input.compressions.join(' ') : null,
  };
  const theirs: OfferedNames = {
    sums: choosesSums ? listed(sums, chosen.transferSum) : null,
    compressions: choosesCompression ? listed(compressions, chosen.compression) : null,
  };
  const negotiated = { sums: sums !== null, compression: compressions !== null };
  for (const line of negotiationLines(o, isServer, own, theirs, chosen, negotiated)) input.trace?.(line);
}

function chooseSums(input: NegotiationInput, list: Buffer | null): Omit<Algorithms, 'compression'> {
  const byVersion: DigestName = input.protocol >= 30 ? 'md5' : 'md4';
  if (list !== null) {
    const name = common('checksum', input.isServer, input.checksums, list) as DigestName;
    return { transferSum: name, listSum: name, sumsExplicit: true };
  }
  const choice = input.options.checksumChoice;
  if (isAuto(choice)) return { transferSum: byVersion, listSum: byVersion, sumsExplicit: false };
  const [first, second = first] = choice.toLowerCase().split(',');
  const pick = (word: string): DigestName =>
    word === 'auto' ? byVersion : (fixed('checksum', choice, word, CHECKSUMS, input, input.checksums) as DigestName);
  return { transferSum: pick(first), listSum: pick(second), sumsExplicit: first !== 'auto' };
}

function chooseCompression(input: NegotiationInput, list: Buffer | null): Compression {
  const { compress, compressChoice } = input.options;
  if (!compress) return 'none';
  if (list !== null) return common('compress', input.isServer, input.compressions, list) as Compression;
  if (isAuto(compressChoice)) return 'zlib';
  const word = compressChoice.toLowerCase();
  return fixed('compress', compressChoice, word, COMPRESSIONS, input, input.compressions) as Compression;
}

/** Checks a name that the user fixed: it must exist, and on a server the environment may forbid it. */
function fixed(
  what: string,
  choice: string,
  word: string,
  known: readonly string[],
  input: NegotiationInput,
  offered: readonly string[],
): string {
  const name = ALIASES[word] ?? word;
  if (!known.includes(name)) throw new RsyncError(Exit.UNSUPPORTED, `unknown ${what} name: ${word}`);
  if (input.isServer && !offered.includes(name)) {
    throw new RsyncError(Exit.UNSUPPORTED, `Your --${what}-choice value (${choice}) was refused by the server.`);
  }
  return name;
}

/** The first name of the client's list that the server has too (3.3). */
function common(what: string, isServer: boolean, own: readonly string[], list: Buffer): string {
  const text = list.toString('latin1');
  const theirs = text
    .toLowerCase()
    .split(' ')
    .map((word) => ALIASES[word] ?? word);
  const client = isServer ? theirs : own;
  const server = isServer ? own : theirs;
  const name = client.find((word) => word !== INVALID && server.includes(word));
  if (name !== undefined) return name;
  const ours = own.join(' ');
  // Whatever the peer sent must stay on its line.
  const theirText = text.replaceAll('\n', '\\#012');
  const [clientText, serverText] = isServer ? [theirText, ours] : [ours, theirText];
  throw new RsyncError(
    Exit.UNSUPPORTED,
    `Failed to negotiate a ${what} choice.\nServer list: ${serverText}\nClient list: ${clientText}`,
  );
}
