import fs from 'node:fs';
import net from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { acknowledge } from '../libc/tcp.js';
import type { Carrier } from './carrier.js';
import { Connection } from './connection.js';

/** What the ends of connections that break are called. */
const BROKEN: Readonly<Record<string, string>> = {
  EPIPE: 'Broken pipe (32)',
  ECONNRESET: 'Connection reset by peer (104)',
};

/** A write error as the roles report it. */
export function writeError(error: NodeJS.ErrnoException, role: string): RsyncError {
  const why = BROKEN[error.code ?? ''] ?? error.message;
  return new RsyncError(Exit.SOCKETIO, `rsync: [${role}] write error: ${why}`);
}

function carrierOf(input: Readable, output: Writable): Carrier {
  return {
    write: (view, sent) => {
      output.write(view, sent);
    },
    pauseInput: () => input.pause(),
    resumeInput: () => input.resume(),
    endOutput: () => {
      output.end();
    },
    destroy: () => {
      input.destroy();
      output.destroy();
    },
  };
}

/** Ties a readable and a writable stream (the two pipes of a child) to a connection. */
export function connectStreams(input: Readable, output: Writable): Connection {
  const connection = new Connection(carrierOf(input, output));
  input.on('data', (chunk: Buffer) => connection.received(chunk));
  watchStreams(connection, input, output);
  return connection;
}

/** A connection to a file that says all by itself: what is written to it goes nowhere. */
export function connectFile(input: Readable): Connection {
  const connection = new Connection({
    write: (_view, sent) => sent(),
    pauseInput: () => input.pause(),
    resumeInput: () => input.resume(),
    endOutput: () => {},
    destroy: () => input.destroy(),
  });
  input.on('data', (chunk: Buffer) => connection.received(chunk));
  input.on('close', () => connection.ended());
  input.on('error', (error) => {
    connection.fail(new RsyncError(Exit.SOCKETIO, `rsync: [${connection.role}] read error: ${error.message}`), true);
  });
  return connection;
}

/**
 * Options of a socket that puts what it receives straight into the reader's window, so that receiving allocates and
 * copies nothing. `arrived` is told the number of bytes.
 */
export function receivingInto(reader: ByteReader, arrived: (n: number) => void): net.SocketConstructorOpts {
  const onread = {
    buffer: () => reader.space(),
    callback: (n: number) => {
      arrived(n);
      return true;
    },
  };
  return { onread } as net.SocketConstructorOpts;
}

export function endOfInput(connection: Connection, error: NodeJS.ErrnoException | null): void {
  if (error === null || error.code === 'ECONNRESET') connection.ended();
  else connection.fail(new RsyncError(Exit.STREAMIO, `rsync: [${connection.role}] read error: ${error.message}`), true);
}

function watchStreams(connection: Connection, input: Readable, output: Writable): void {
  input.on('end', () => connection.ended());
  input.on('close', () => connection.ended());
  input.on('error', (error: NodeJS.ErrnoException) => {
    // A socket tells here of its writes, too.
    if (error.syscall === 'write') connection.brokenPipe(writeError(error, connection.role));
    else endOfInput(connection, error);
  });
  if ((output as unknown) !== input) {
    output.on('error', (error) => connection.brokenPipe(writeError(error, connection.role)));
  }
  output.on('close', () =>
    connection.brokenPipe(writeError(Object.assign(new Error(), { code: 'EPIPE' }), connection.role)),
  );
}

function isPipe(fd: number): boolean {
  const stat = fs.fstatSync(fd);
  return stat.isFIFO() || stat.isSocket();
}

/** Standard input and output as a connection: pipes, a socket pair, or (inetd) one TCP socket on both. */
export function connectStdio(): Connection {
  // Nobody speaks over a file or a terminal; what comes from there is refused as any other nonsense.
  if (!isPipe(0) || !isPipe(1)) return connectStreams(process.stdin, process.stdout);
  const reader = new ByteReader();
  const input = new net.Socket({
    fd: 0,
    readable: true,
    writable: false,
    ...receivingInto(reader, (n) => connection.arrived(n)),
  });
  const output = new net.Socket({ fd: 1, readable: false, writable: true });
  const connection = new Connection(carrierOf(input, output), false, reader);
  watchStreams(connection, input, output);
  return connection;
}

/**
 * Two ends of a TCP connection within this machine: one as a connection, the other one to be given to a child. Whoever
 * else comes to the port in between is turned away.
 */
export async function socketPair(): Promise<{ connection: Connection; socket: net.Socket }> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  const reader = new ByteReader();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as net.AddressInfo;
    const own = net.connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      allowHalfOpen: true,
      ...receivingInto(reader, (n) => connection?.arrived(n)),
    } as net.NetConnectOpts);
    let connection: Connection | null = null;
    const socket = await new Promise<net.Socket>((resolve, reject) => {
      own.once('error', reject);
      server.on('connection', (accepted) => {
        if (accepted.remotePort === own.localPort) resolve(accepted);
        else accepted.destroy();
      });
    });
    connection = overSocket(own, reader);
    return { connection, socket };
  } catch (error) {
    throw new RsyncError(Exit.SOCKETIO, `socketpair_tcp failed: ${(error as Error).message}`);
  } finally {
    server.close();
  }
}

/**
 * An act that happens before the event loop waits the next time, however often it is asked for until then: a socket that
 * has much to give is read many times in one turn.
 */
export function onceATurn(act: () => void): () => void {
  let isDue = false;
  const now = (): void => {
    isDue = false;
    act();
  };
  return () => {
    if (!isDue) setImmediate(now);
    isDue = true;
  };
}

/** A connection over a socket that fills `reader`. */
export function overSocket(socket: net.Socket, reader: ByteReader): Connection {
  const carrier = { ...carrierOf(socket, socket), acknowledge: onceATurn(() => acknowledge(fdOf(socket))) };
  const connection = new Connection(carrier, false, reader);
  socket.resume();
  watchStreams(connection, socket, socket);
  return connection;
}

/** What Node keeps of the operating system's socket; it has no public name. */
interface HandleOwner {
  _handle: { fd: number; reading: boolean } | null;
}

/** The descriptor of a socket; -1 when it is closed. */
function fdOf(socket: net.Socket): number {
  return (socket as unknown as HandleOwner)._handle?.fd ?? -1;
}

/**
 * A connection over a socket that was accepted, or handed over by another process, with bytes of it that were read
 * already. The given socket object is given up for the one that is returned, which receives into the reader's window.
 */
export function adoptSocket(given: net.Socket, alreadyRead: Buffer): { socket: net.Socket; connection: Connection } {
  const reader = new ByteReader();
  if (alreadyRead.length > 0) reader.push(alreadyRead);
  const owner = given as unknown as HandleOwner;
  const handle = owner._handle;
  if (handle === null) throw new Error('the socket is closed');
  owner._handle = null;
  const socket = new net.Socket({
    handle,
    allowHalfOpen: true,
    ...receivingInto(reader, (n) => connection.arrived(n)),
  } as net.SocketConstructorOpts);
  socket.setNoDelay(true);
  const connection = overSocket(socket, reader);
  return { socket, connection };
}
