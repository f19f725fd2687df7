import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { clientAuthLine } from '../../protocol/handshake/auth.js';
import {
  agreeProtocol,
  greetingComplaint,
  greetingLine,
  parseGreeting,
  parseServerLine,
} from '../../protocol/handshake/greeting.js';
import { authLines } from '../../protocol/handshake/negotiation-lines.js';
import type { ByteString } from '../../protocol/options.js';
import type { CommandOptions } from '../cli/options.js';
import type { ClientLog } from '../report/log.js';
import { commandLine, protocolVersions } from '../report/messages.js';
import type { Connection } from '../transport/connection.js';
import { readEarlyInput } from './early-input.js';
import { readPassword } from './password.js';

/** Longest line that is taken from a daemon. */
const MAX_LINE = 4096;

/** What a client asks of a daemon. */
export interface DaemonRequest {
  module: ByteString;
  user: ByteString;
  /** The server arguments, paths included; without module they are not sent. */
  args: readonly ByteString[];
  /** With -s: the arguments that follow in a second list (1.5). */
  secluded: readonly ByteString[] | null;
}

/** One line without its end; CR is dropped. Exit code 5 when the daemon closes instead. */
export async function readLine(connection: Connection): Promise<ByteString> {
  const { reader } = connection;
  for (;;) {
    reader.begin();
    const bytes: number[] = [];
    for (;;) {
      const byte = reader.u8();
      if (reader.short || byte === 0x0a) break;
      if (byte !== 0x0d) bytes.push(byte);
      if (bytes.length > MAX_LINE) throw new RsyncError(Exit.STARTCLIENT, 'rsync: line too long from the daemon');
    }
    if (reader.done()) return Buffer.from(bytes).toString('latin1');
    if (!(await connection.fillOrEnd())) {
      throw new RsyncError(Exit.STARTCLIENT, 'rsync: did not see server greeting');
    }
  }
}

async function nextLine(connection: Connection): Promise<ByteString> {
  try {
    return await readLine(connection);
  } catch (error) {
    if (!(error instanceof RsyncError) || error.exitCode !== Exit.STARTCLIENT) throw error;
    throw new RsyncError(Exit.STARTCLIENT, "rsync: didn't get server startup line");
  }
}

/**
 * Speaks the text part of a daemon connection (1.6). Returns the protocol version, or null when the daemon listed its
 * modules and there is nothing more to come. Errors: exit code 5 with the daemon's own line.
 */
export async function startDaemon(
  connection: Connection,
  request: DaemonRequest,
  o: CommandOptions,
  log: ClientLog,
): Promise<number | null> {
  const { writer } = connection;
  // Nothing of this depends on what the daemon greets with: a round trip less.
  writer.text(greetingLine(o.protocol));
  sendEarlyInput(connection, o);
  writer.text(`${request.module}\n`);
  writer.flush();
  const first = await readLine(connection);
  const greeting = parseGreeting(first);
  if (typeof greeting === 'string') throw new RsyncError(Exit.STARTCLIENT, greetingComplaint(greeting, first));
  const protocol = agreeProtocol(greeting, o.protocol);
  for (;;) {
    writer.flush();
    const line = parseServerLine(await nextLine(connection));
    if (line.kind === 'ok') break;
    if (line.kind === 'exit') return null;
    if (line.kind === 'error') throw new RsyncError(Exit.STARTCLIENT, line.text);
    if (line.kind === 'text') {
      if (o.motd) log.info(`${line.text}\n`);
      continue;
    }
    for (const text of authLines(o.debug.nstr ?? 0, greeting.digests, protocol)) log.info(text);
    const password = await readPassword(o);
    writer.text(await clientAuthLine(request.user, password, greeting.digests, line.challenge, protocol));
  }
  if ((o.debug.cmd ?? 0) >= 1) log.client(commandLine('sending daemon args:', request.args));
  sendArguments(connection, request, protocol);
  if ((o.debug.proto ?? 0) >= 1) log.info(protocolVersions(false, greeting.version, protocol));
  return protocol;
}

/** --early-input: what the module's "early exec" reads goes in front of the module's name (1.6.3). */
function sendEarlyInput({ writer, role }: Connection, o: CommandOptions): void {
  const content = readEarlyInput(o, role);
  if (content.length === 0) return;
  writer.text(`#early_input=${content.length}\n`);
  writer.bytes(content);
}

/** Arguments end with NUL from protocol 30 on, with LF below; an empty one ends the list (1.6 step 6). */
function sendArguments(connection: Connection, request: DaemonRequest, protocol: number): void {
  const { writer } = connection;
  const end = protocol >= 30 ? 0 : 0x0a;
  for (const arg of request.args) {
    writer.text(arg);
    writer.u8(end);
  }
  writer.u8(end);
  if (request.secluded !== null) sendSecluded(connection, request.secluded);
  writer.flush();
}

/** -s: arguments that no shell sees, each with NUL, an empty one at the end (1.5). */
export function sendSecluded(connection: Connection, args: readonly ByteString[]): void {
  const { writer } = connection;
  for (const arg of ['rsync', ...args]) {
    writer.text(arg === '' ? '.' : arg);
    writer.u8(0);
  }
  writer.u8(0);
}
