import dns from 'node:dns';
import net from 'node:net';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { Connection } from './connection.js';
import { overSocket, receivingInto } from './streams.js';
import { beginConnecting, CANCELED, handleError, overHandle, sockets } from './tcp-handle.js';

export interface TcpTarget {
  host: string;
  port: number;
  /** Local address to bind, '' for any. */
  localAddress: string;
  family: 0 | 4 | 6;
  /** Seconds to wait for the connection, 0 for no limit. */
  connectTimeout: number;
  /** Told the address that has answered, and the connection's descriptor, when they are of interest. */
  connected?: (address: string, fd: number) => void;
}

const LOOKUP_WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'Name or service not known',
  EAFNOSUPPORT: 'Address family for hostname not supported',
};

/** Who has no address, in the words of getaddrinfo. */
function lookupFailure(what: string, error: NodeJS.ErrnoException): RsyncError {
  const why = LOOKUP_WORDS[error.code ?? ''] ?? 'Temporary failure in name resolution';
  return new RsyncError(Exit.SOCKETIO, `rsync: getaddrinfo${what}: ${why}`);
}

/** --address as an address: names are looked up. */
function localAddressOf(target: TcpTarget): Promise<string | undefined> {
  const { localAddress, family } = target;
  if (localAddress === '' || net.isIP(localAddress) !== 0) return Promise.resolve(localAddress || undefined);
  return new Promise((resolve, reject) => {
    dns.lookup(localAddress, { family }, (error, address) => {
      if (error === null) resolve(address);
      else reject(lookupFailure(` ${localAddress}`, error));
    });
  });
}

/**
 * Opens a TCP connection.
 * Errors: exit code 10 with rsync's text when nobody answers, 35 after `connectTimeout`.
 */
export async function connectTcp(
  target: TcpTarget,
  role: string,
  errnoText: (error: unknown) => string,
): Promise<Connection> {
  const code = unreachable(target);
  if (code !== '') throw lookupFailure(`: ${target.host} ${target.port}`, { code } as NodeJS.ErrnoException);
  return connectNumeric(target, role, errnoText) ?? connectAny(target, role, errnoText);
}

/** Why a host cannot be looked up at all: it has no name, or is an address of the family that was not asked for. */
function unreachable({ host, family }: TcpTarget): string {
  if (host === '') return 'ENOTFOUND';
  const other = family === 6 ? /^\d+\.\d+\.\d+\.\d+$/ : /:/;
  return family !== 0 && other.test(host) ? 'EAFNOSUPPORT' : '';
}

/** Connects to an address without `node:net`; null where that cannot be. Names, and the choice among addresses, are its business. */
function connectNumeric(
  target: TcpTarget,
  role: string,
  errnoText: (error: unknown) => string,
): Promise<Connection> | null {
  const all = target.localAddress === '' ? sockets() : null;
  if (all === null) return null;
  let told: (status: number) => void = () => {};
  const { host, family } = target;
  const handle = beginConnecting(all, { host, port: target.port & 0xffff, family }, (status) => told(status));
  if (handle === null) return null;
  return new Promise((resolve, reject) => {
    const close = () => handle.close(() => {});
    const timer = connectTimer(target, close, reject);
    told = (status) => {
      clearTimeout(timer);
      if (status === CANCELED) return;
      if (status < 0) {
        close();
        reject(connectFailure(target, role, handleError(status, 'connect'), errnoText));
        return;
      }
      handle.setNoDelay(true);
      handle.setKeepAlive(true, 0);
      const connection = overHandle(handle, all);
      connection.role = role;
      target.connected?.(host, handle.fd);
      resolve(connection);
    };
  });
}

/** --contimeout. */
function connectTimer(
  { connectTimeout }: TcpTarget,
  close: () => void,
  reject: (error: Error) => void,
): NodeJS.Timeout | undefined {
  if (connectTimeout <= 0) return undefined;
  return setTimeout(() => {
    close();
    reject(new RsyncError(Exit.CONTIMEOUT, '', true));
  }, connectTimeout * 1000);
}

async function connectAny(target: TcpTarget, role: string, errnoText: (error: unknown) => string): Promise<Connection> {
  const localAddress = await localAddressOf(target);
  return new Promise((resolve, reject) => {
    let connection: Connection | null = null;
    const reader = new ByteReader();
    const socket = net.connect({
      host: target.host,
      // A number that is too large is cut, as it is by getaddrinfo.
      port: target.port & 0xffff,
      localAddress,
      family: target.family,
      noDelay: true,
      keepAlive: true,
      allowHalfOpen: true,
      ...receivingInto(reader, (n) => connection?.arrived(n)),
    } as net.NetConnectOpts);
    const timer = connectTimer(target, () => socket.destroy(), reject);
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      if (connection !== null) return;
      reject(connectFailure(target, role, error, errnoText));
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      connection = overSocket(socket, reader);
      connection.role = role;
      target.connected?.(socket.remoteAddress ?? '', descriptorOf(socket));
      resolve(connection);
    });
  });
}

/** Node has no name for it. */
const descriptorOf = (socket: net.Socket): number =>
  (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;

function connectFailure(
  target: TcpTarget,
  role: string,
  error: NodeJS.ErrnoException,
  errnoText: (e: unknown) => string,
): RsyncError {
  if (error.syscall === 'getaddrinfo') return lookupFailure(`: ${target.host} ${target.port}`, error);
  const all = (error as unknown as { errors?: NodeJS.ErrnoException[] }).errors ?? [error];
  const lines = all.map((e) => {
    if (e.syscall === 'bind') return `rsync: [${role}] bind failed: ${errnoText(e)}`;
    const { address = target.host } = e as { address?: string };
    return `rsync: [${role}] failed to connect to ${target.host} (${address}): ${errnoText(e)}`;
  });
  return new RsyncError(Exit.SOCKETIO, lines.join('\n'));
}
