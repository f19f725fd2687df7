import fs from 'node:fs';
import { adoptStreamFlags, mayReadLists } from '../../protocol/batch.js';
import { readVarint } from '../../protocol/bytes/varint.js';
import { Compat, Exit, MIN_PROTOCOL_VERSION } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { readNegotiation } from '../../protocol/handshake/negotiate.js';
import type { CommandOptions } from '../cli/options.js';
import type { ClientLog } from '../report/log.js';
import { openCharset } from '../session/charset.js';
import { MISMATCH, settleVersion } from '../session/handshake.js';
import { type Agreement, Session } from '../session/session.js';
import type { Connection } from '../transport/connection.js';
import { decode, decodeWhole } from '../transport/decode.js';
import { connectFile } from '../transport/streams.js';
import { openBatch } from './batch-files.js';
import { begin } from './run.js';
import type { BegunRun, RunPlan } from './run-plan.js';

/** Bytes of a batch file that are read at once. */
const READ_SIZE = 256 * 1024;

/** Begins a run whose sender is a batch file: what it says is set, nobody else is there. */
export async function beginBatch(plan: RunPlan): Promise<BegunRun> {
  const { options: o, log } = plan;
  const fd = openBatch(o, log);
  const input = fd === 0 ? process.stdin : fs.createReadStream('', { fd, highWaterMark: READ_SIZE });
  const connection = connectFile(input);
  connection.role = 'Receiver';
  try {
    const side = { isServer: false, isSender: false };
    const session = new Session(connection, o, log, side, await readHead(connection, o, log));
    return await begin(plan, session, null, false);
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Reads the head and sets the options to what it says. Errors: 1 or 2, also for a file that is no batch. */
async function readHead(connection: Connection, o: CommandOptions, log: ClientLog): Promise<Agreement> {
  const mayBeIncremental = mayReadLists(o);
  const flags = await decode(connection, (reader) => reader.i32());
  const protocol = await decode(connection, (reader) => reader.i32());
  if (protocol > o.protocol) {
    const text = `The protocol version in the batch file is too new (${protocol} > ${o.protocol}).`;
    throw new RsyncError(Exit.PROTOCOL, text);
  }
  if (protocol < MIN_PROTOCOL_VERSION) throw new RsyncError(Exit.PROTOCOL, MISMATCH);
  const changes = adoptStreamFlags(o, flags, protocol, (text) => new RsyncError(Exit.SYNTAX, text));
  if ((o.info.misc ?? 0) >= 1) for (const line of changes) log.info(line);
  settleVersion(o, protocol);
  const compatFlags = protocol >= 30 ? await decode(connection, readVarint) : 0;
  if (compatFlags & Compat.INC_RECURSE && !mayBeIncremental) {
    throw new RsyncError(Exit.SYNTAX, 'Incompatible options specified for inc-recursive batch file.');
  }
  // Nothing is negotiated: what the options do not say is what the version says.
  const fixed = { options: o, isServer: false, protocol, compatFlags: 0, checksums: [], compressions: [], trace: null };
  const algorithms = await decodeWhole(connection, (reader) => readNegotiation(reader, fixed));
  const seed = await decode(connection, (reader) => reader.i32());
  const charset = o.iconv === '' ? null : await openCharset(o.iconv);
  return { protocol, compatFlags, algorithms, seed, charset };
}
