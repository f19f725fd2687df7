import { connect, createServer, type Socket } from 'node:net';
import type { Teardown } from './temp.js';

export type Direction = 'c2s' | 's2c';

/** A fault that a relay puts into one direction once `after` bytes of it have passed. */
export interface Fault {
  direction: Direction;
  after: number;
  /** Bytes to send in place of the true ones; the connection is cut behind them unless `goOn` is set. */
  bytes?: Buffer;
  /** Nothing more is passed on, and the connection stays open. */
  stall?: boolean;
  goOn?: boolean;
  /** One bit of the byte there is another one, and that is all. */
  flip?: boolean;
}

export interface RelayedSession {
  c2s: Buffer[];
  s2c: Buffer[];
  /** Which side spoke, and how many bytes, in the order of both. */
  order: [Direction, number][];
  /** How many bytes passed. */
  bytes: Record<Direction, number>;
}

export interface Relay {
  port: number;
  /** What passed, by connection. */
  sessions: RelayedSession[];
  close(): Promise<void>;
}

/**
 * Listens on a free loopback port and passes each connection on to `target`, writing down both directions. With a
 * fault it turns an honest peer into a hostile or dying one at any point of a live session. Without `keepBytes` it only
 * counts, which gigabytes are small enough for.
 */
export async function startRelay(t: Teardown, target: number, fault?: Fault, keepBytes = true): Promise<Relay> {
  const sessions: RelayedSession[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true });
    const session: RelayedSession = { c2s: [], s2c: [], order: [], bytes: { c2s: 0, s2c: 0 } };
    sessions.push(session);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    const keep = (side: Direction) => (data: Buffer) => {
      session.bytes[side] += data.length;
      if (!keepBytes) return;
      session[side].push(data);
      session.order.push([side, data.length]);
    };
    pass(client, upstream, keep('c2s'), fault?.direction === 'c2s' ? fault : undefined);
    pass(upstream, client, keep('s2c'), fault?.direction === 's2c' ? fault : undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  t.teardown(close);
  return { port: (server.address() as { port: number }).port, sessions, close };
}

function pass(from: Socket, to: Socket, keep: (data: Buffer) => void, fault?: Fault): void {
  let passed = 0;
  let broken = false;
  from.on('data', (chunk: Buffer) => {
    if (broken) return;
    let data = chunk;
    const isHere = fault !== undefined && passed <= fault.after && fault.after < passed + chunk.length;
    if (fault?.flip) {
      if (isHere) chunk[fault.after - passed] ^= 1;
    } else if (fault && passed + chunk.length > fault.after) {
      broken = true;
      data = Buffer.concat([chunk.subarray(0, fault.after - passed), fault.bytes ?? Buffer.alloc(0)]);
    }
    passed += chunk.length;
    keep(data);
    if (!to.write(data)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
    if (!broken || fault?.stall) return;
    if (fault?.goOn) broken = false;
    else from.destroy(undefined).once('close', () => to.end());
  });
  from.on('end', () => {
    if (!broken) to.end();
  });
  from.on('close', () => {
    if (!broken) to.destroySoon();
  });
}
