import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import type { Connection } from '../transport/connection.js';
import { readLine } from './daemon-connect.js';

/** A web proxy that lets connections through (HTTP's CONNECT). */
export interface Proxy {
  host: string;
  port: number;
  /** `USER:PASSWORD`, null for none. */
  credentials: string | null;
}

/** Header lines of an answer that are passed over. */
const MAX_HEADERS = 1000;

/** Reads `[USER:PASSWORD@]HOST:PORT`. Exit code 10 for anything else. */
export function parseProxy(text: string): Proxy {
  const at = text.lastIndexOf('@');
  const credentials = at < 0 ? null : text.slice(0, at);
  if (credentials !== null && !credentials.includes(':')) throw malformed('USER:PASS@HOST:PORT');
  const address = text.slice(at + 1);
  const colon = address.lastIndexOf(':');
  if (colon < 0) throw malformed('HOST:PORT');
  const [host, port] = [address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), address.slice(colon + 1)];
  if (!/^\d{1,5}$/.test(port)) {
    throw failure(`rsync: getaddrinfo: ${host} ${port}: Servname not supported for ai_socktype`);
  }
  return { host, port: Number(port), credentials };
}

/** Asks the proxy at the other end of `connection` for a way to a daemon. Exit code 10 when it refuses. */
export async function openTunnel(connection: Connection, proxy: Proxy, host: ByteString, port: number): Promise<void> {
  // A line end would begin a header of its own.
  if ([...host].some((c) => c < ' ' || c === '\x7f')) throw failure('invalid control character in proxy CONNECT host');
  const { writer } = connection;
  writer.text(`CONNECT ${host}:${port} HTTP/1.0\r\n`);
  if (proxy.credentials !== null) {
    writer.text(`Proxy-Authorization: Basic ${Buffer.from(proxy.credentials).toString('base64')}\r\n`);
  }
  writer.text('\r\n');
  writer.flush();
  const answer = await nextLine(connection);
  if (!/^HTTP\/\d+\.\d+ +2/.test(answer)) throw failure(`bad response from proxy -- ${answer}`);
  for (let count = 0; (await nextLine(connection)) !== ''; count++) {
    if (count >= MAX_HEADERS) throw failure('proxy response header line too long');
  }
}

async function nextLine(connection: Connection): Promise<ByteString> {
  try {
    return await readLine(connection);
  } catch (error) {
    if (!(error instanceof RsyncError) || error.exitCode !== Exit.STARTCLIENT) throw error;
    throw failure(`rsync: [${connection.role}] failed to read from proxy`);
  }
}

function malformed(form: string): RsyncError {
  return failure(`invalid proxy specification: should be ${form}`);
}

function failure(text: string): RsyncError {
  return new RsyncError(Exit.SOCKETIO, text);
}
