import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ByteString } from '../../../protocol/options.js';
import { StatusHandler } from './handler.js';
import type { Controlled } from './types.js';

export interface StatusServer {
  /** Of a TCP server; 0 for a socket. */
  readonly port: number;
  close(): void;
}

function listen(server: http.Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function closer(server: http.Server, handler: StatusHandler): () => void {
  return () => {
    handler.close();
    server.close();
    server.closeAllConnections();
  };
}

/** Serves `service` to this machine on a TCP port: other sites' pages and foreign names get nothing. */
export async function serveTcp(service: Controlled, host: string, port: number): Promise<StatusServer> {
  const handler = new StatusHandler(service, true);
  const server = http.createServer((request, response) => handler.handle(request, response));
  server.requestTimeout = 10_000;
  await listen(server, { host, port });
  return { port: (server.address() as AddressInfo).port, close: closer(server, handler) };
}

/** True when somebody answers on that socket. */
function socketAnswers(path: ByteString): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get({ socketPath: path, path: '/status.json', timeout: 2000 }, (response) => {
      response.destroy();
      resolve(true);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

/**
 * Serves it on a Unix socket with mode 600: who may open that may do everything. A socket that a dead service left is
 * replaced; rejects with EADDRINUSE when a living one holds it.
 */
export async function serveSocket(service: Controlled, path: ByteString): Promise<StatusServer> {
  if (await socketAnswers(path)) throw Object.assign(new Error('in use'), { code: 'EADDRINUSE', errno: -98 });
  const before = fs.lstatSync(path, { throwIfNoEntry: false });
  if (before?.isSocket()) fs.unlinkSync(path);
  const handler = new StatusHandler(service, false);
  const server = http.createServer((request, response) => handler.handle(request, response));
  const umask = process.umask(0o177);
  try {
    await listen(server, { path });
  } finally {
    process.umask(umask);
  }
  const { ino } = fs.lstatSync(path);
  const close = closer(server, handler);
  return {
    port: 0,
    close() {
      // Node removes the path when the server closes; one that a later service has put there stays.
      if (fs.lstatSync(path, { throwIfNoEntry: false })?.ino === ino) close();
      else handler.close();
    },
  };
}
