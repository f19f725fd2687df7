import { readVarint, writeVarint } from '../../protocol/bytes/varint.js';
import { Compat, Exit, MAX_PROTOCOL_VERSION, MIN_PROTOCOL_VERSION } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import {
  allowIncRecurse,
  checksumList,
  compressList,
  decideCompatFlags,
  type NegotiationInput,
  readNegotiation,
  writeNegotiation,
} from '../../protocol/handshake/negotiate.js';
import type { Options } from '../../protocol/options.js';
import { loadCodecs } from '../codec/load.js';
import type { Connection } from '../transport/connection.js';
import { decode, decodeWhole } from '../transport/decode.js';
import { randomSeed } from './seed.js';
import type { Agreement, Side } from './session.js';

export const MISMATCH = 'protocol version mismatch -- is your shell clean?\n(see the rsync manpage for an explanation)';

/** Exchanges protocol numbers over a remote shell or pipe (3.1): int32, both sides at once. `told` gets the peer's. */
export async function exchangeVersions(
  connection: Connection,
  own: number,
  told: (theirs: number, agreed: number) => void = () => {},
): Promise<number> {
  connection.writer.i32(own);
  const theirs = await decode(connection, (reader) => reader.i32());
  if (theirs < MIN_PROTOCOL_VERSION || theirs > MAX_PROTOCOL_VERSION) throw new RsyncError(Exit.PROTOCOL, MISMATCH);
  const agreed = Math.min(own, theirs);
  told(theirs, agreed);
  return agreed;
}

function mayCompress(o: Options): boolean {
  return o.compress || o.compressChoice !== '' || o.compressLevel !== null;
}

/** Refuses what a peer below protocol 29 cannot do, which would go wrong in silence. */
function checkOldPeer(o: Options, protocol: number): void {
  const needsNewer = (what: string): never => {
    throw new RsyncError(Exit.PROTOCOL, `${what} protocol 29 or higher (negotiated ${protocol}).`);
  };
  const basis = `--${o.basisKind ?? ''}-dest`;
  if (o.basisDirs.length > 0 && o.inplace) needsNewer(`${basis} with --inplace requires`);
  if (o.basisDirs.length > 1) needsNewer(`Using more than one ${basis} option requires`);
  if (o.fuzzy > 0) needsNewer('--fuzzy requires');
  if (o.pruneEmptyDirs) needsNewer('--prune-empty-dirs requires');
}

/** Neither access control lists nor extended attributes have a form in the lists of old peers. */
function checkAttributes(o: Options, protocol: number): void {
  const option = o.acls ? '--acls' : o.xattrs > 0 ? '--xattrs' : null;
  if (option === null) return;
  throw new RsyncError(Exit.PROTOCOL, `${option} requires protocol 30 or higher (negotiated ${protocol}).`);
}

/** Finding out what there is takes time, and most runs do not ask. A batch file has what every reader knows. */
async function compressionsFor(o: Options, isServer: boolean): Promise<string[]> {
  if (o.batch !== null) return ['zlib'];
  return compressList(process.env.RSYNC_COMPRESS_LIST, isServer, (await loadCodecs()).availableCompressions());
}

/** What follows from the version for the options. Errors: 2 where a peer of that version cannot do what they ask for. */
export function settleVersion(o: Options, protocol: number): void {
  // What a plain --delete means depends on the version (3.1).
  if (o.deleteUntimed && o.deleteMode !== 'none') o.deleteMode = protocol < 30 ? 'before' : 'during';
  if (protocol < 29) checkOldPeer(o, protocol);
  if (protocol < 30) checkAttributes(o, protocol);
}

/**
 * Settles compat flags, algorithms and seed (sections 3.2 to 3.4). Versions are known already.
 * `trace` takes the lines of --debug=nstr. Errors: 2 when the peer wants something impossible, 4 when no common algorithm exists.
 */
export async function agree(
  connection: Connection,
  o: Options,
  { isServer, isSender }: Side,
  protocol: number,
  trace: ((text: string) => void) | null = null,
): Promise<Agreement> {
  const { writer } = connection;
  settleVersion(o, protocol);
  let compatFlags = 0;
  if (protocol >= 30) {
    if (isServer) {
      compatFlags = decideCompatFlags(o, protocol);
      writeVarint(writer, compatFlags);
    } else {
      compatFlags = await decode(connection, readVarint);
      if (compatFlags & Compat.INC_RECURSE && !allowIncRecurse(o, !isSender)) {
        throw new RsyncError(Exit.SYNTAX, 'Incompatible options specified for inc-recursive connection.');
      }
    }
  }
  const charset = o.iconv === '' ? null : await (await import('./charset.js')).openCharset(o.iconv);
  const input: NegotiationInput = {
    options: o,
    isServer,
    protocol,
    compatFlags,
    checksums:
      o.batch === null ? checksumList(process.env.RSYNC_CHECKSUM_LIST, isServer) : [protocol >= 30 ? 'md5' : 'md4'],
    compressions: mayCompress(o) ? await compressionsFor(o, isServer) : [],
    trace,
  };
  writeNegotiation(writer, input);
  const algorithms = await decodeWhole(connection, (reader) => readNegotiation(reader, input));
  if (!isServer) return { protocol, compatFlags, algorithms, seed: null, charset };
  const seed = (o.checksumSeed !== 0 ? o.checksumSeed : randomSeed()) | 0;
  writer.i32(seed);
  writer.flush();
  return { protocol, compatFlags, algorithms, seed, charset };
}
