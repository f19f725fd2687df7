import dns from 'node:dns';
import net from 'node:net';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { Log } from '../report/log.js';
import { errnoText } from '../report/log.js';

export interface ListenSettings {
  /** Address or host name, '' for all addresses of the machine. */
  address: string;
  /** 0 asks the system for a free one. */
  port: number;
  family: 0 | 4 | 6;
  backlog: number;
}

interface Bind {
  host: string;
  family: 4 | 6;
}

function lookup(address: string, family: 0 | 4 | 6): Promise<Bind[]> {
  return new Promise((resolve, reject) => {
    dns.lookup(address, { all: true, family }, (error, found) => {
      if (error === null) resolve(found.map((a) => ({ host: a.address, family: a.family === 6 ? 6 : 4 })));
      else
        reject(new RsyncError(Exit.SOCKETIO, `rsync: getaddrinfo: bind address ${address}: Name or service not known`));
    });
  });
}

async function binds(settings: ListenSettings): Promise<Bind[]> {
  const { address, family } = settings;
  if (address !== '') return lookup(address, family);
  const all: Bind[] = [
    { host: '0.0.0.0', family: 4 },
    { host: '::', family: 6 },
  ];
  return all.filter((bind) => family === 0 || bind.family === family);
}

function listenOn(
  bind: Bind,
  port: number,
  backlog: number,
  onSocket: (socket: net.Socket) => void,
): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, onSocket);
    server.once('error', reject);
    server.listen({ host: bind.host, port, backlog, ipv6Only: bind.family === 6, exclusive: true }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

/** The daemon's listening sockets. */
export interface Listeners {
  /** The port, also when the system chose it. */
  port: number;
  close(): void;
}

/**
 * Listens on every address asked for. One that fails is only told when all fail.
 * Errors: exit code 10, after the reasons went to `log`.
 */
export async function listen(
  settings: ListenSettings,
  log: Log,
  onSocket: (socket: net.Socket) => void,
): Promise<Listeners> {
  const servers: net.Server[] = [];
  const failures: string[] = [];
  let { port } = settings;
  for (const bind of await binds(settings)) {
    try {
      const server = await listenOn(bind, port, Math.max(1, settings.backlog), onSocket);
      // An accept that fails (no descriptors left) concerns one client, not the daemon.
      server.on('error', (error) => log.error(`accept: ${error.message}`));
      servers.push(server);
      port = (server.address() as net.AddressInfo).port;
    } catch (error) {
      const why = errnoText(error).replace(/ \(\d+\)$/, '');
      failures.push(`bind() failed: ${why} (address-family ${bind.family === 6 ? 10 : 2})`);
    }
  }
  if (servers.length === 0) {
    for (const text of failures) log.error(text);
    throw new RsyncError(Exit.SOCKETIO, `unable to bind any inbound sockets on port ${port}`);
  }
  return {
    port,
    close() {
      for (const server of servers) server.close();
    },
  };
}

/** Options that every connection of the daemon has anyway. */
const ALWAYS_ON = new Set(['SO_KEEPALIVE', 'SO_REUSEADDR', 'TCP_NODELAY']);
const NOT_SETTABLE = new Set([
  'SO_BROADCAST',
  'IPTOS_LOWDELAY',
  'IPTOS_THROUGHPUT',
  'SO_SNDBUF',
  'SO_RCVBUF',
  'SO_SNDLOWAT',
  'SO_RCVLOWAT',
  'SO_SNDTIMEO',
  'SO_RCVTIMEO',
]);

/** Reads a "socket options" list (NAME or NAME=VALUE words) and tells through `warn` which of them have no effect. */
export function checkSocketOptions(text: string, warn: (text: string) => void): void {
  for (const word of text.split(/[ \t,]+/)) {
    if (word === '') continue;
    const [name, value] = word.split('=');
    const off = value !== undefined && Number.parseInt(value, 10) === 0;
    if (NOT_SETTABLE.has(name) || (off && ALWAYS_ON.has(name))) {
      warn(`socket option ${word} has no effect in this version of tsrsync`);
    } else if (!ALWAYS_ON.has(name)) {
      warn(`Unknown socket option ${name}`);
    }
  }
}
