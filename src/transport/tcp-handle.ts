import { getSystemErrorName } from 'node:util';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { acknowledge } from '../libc/tcp.js';
import type { Carrier } from './carrier.js';
import { Connection } from './connection.js';
import { endOfInput, onceATurn, writeError } from './streams.js';

/**
 * Node's own sockets below `node:net`, whose streams cost 5 ms of a start, a tenth of a short run. It is what `net.Socket` itself
 * calls; that it has no public name is why everybody who asks must be able to do without it.
 */
interface TcpHandle {
  readonly fd: number;
  /** Told of input, of its end, and of an error; what it returns is the room for more. */
  onread: () => Uint8Array | undefined;
  connect(request: Request, address: string, port: number): number;
  connect6(request: Request, address: string, port: number): number;
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, seconds: number): number;
  useUserBuffer(room: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: Request, view: Uint8Array): number;
  shutdown(request: Request): number;
  close(closed: () => void): void;
}

/** Something that takes its time. `buffer`: what has to be there until then. */
interface Request {
  oncomplete: (status: number) => void;
  buffer?: Uint8Array;
}

interface TcpBinding {
  TCP: new (type: number) => TcpHandle;
  TCPConnectWrap: new () => Request;
  constants: { SOCKET: number };
}

interface StreamBinding {
  WriteWrap: new () => Request;
  ShutdownWrap: new () => Request;
  streamBaseState: Int32Array;
  kReadBytesOrError: number;
  kLastWriteWasAsync: number;
}

interface Sockets extends TcpBinding, StreamBinding {}

/** libuv's number for an end of input. */
const END_OF_INPUT = -4095;
/** What becomes of a request whose handle was closed. */
export const CANCELED = -125;
const NOT_NUMERIC = -22;

/** Null: this Node.js has no such thing, or does not give it away (its permission model). */
export function sockets(): Sockets | null {
  const { binding } = process as unknown as { binding?: (name: string) => unknown };
  try {
    const all = { ...(binding?.('tcp_wrap') as TcpBinding), ...(binding?.('stream_wrap') as StreamBinding) };
    const parts = [all.TCP, all.TCPConnectWrap, all.WriteWrap, all.ShutdownWrap, all.TCP?.prototype.useUserBuffer];
    const isComplete = parts.every((part) => typeof part === 'function') && all.streamBaseState instanceof Int32Array;
    return isComplete ? all : null;
  } catch {
    return null;
  }
}

/** An error of a handle as `node:net` would throw it. */
export function handleError(status: number, syscall: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`${syscall} ${code}`), { errno: status, code, syscall });
}

/**
 * Begins to connect a new handle; `connected` is told of the outcome unless the handle is closed before. Null: the host is no
 * address of the family.
 */
export function beginConnecting(
  { TCP, TCPConnectWrap, constants }: Sockets,
  target: { host: string; port: number; family: 0 | 4 | 6 },
  connected: (status: number) => void,
): TcpHandle | null {
  const { host, port, family } = target;
  const handle = new TCP(constants.SOCKET);
  const request = new TCPConnectWrap();
  request.oncomplete = connected;
  let status = family === 6 ? NOT_NUMERIC : handle.connect(request, host, port);
  if (status === NOT_NUMERIC && family !== 4) status = handle.connect6(request, host, port);
  if (status === NOT_NUMERIC) {
    handle.close(() => {});
    return null;
  }
  if (status !== 0) process.nextTick(connected, status);
  return handle;
}

/** A connection over a connected handle. */
export function overHandle(handle: TcpHandle, all: Sockets): Connection {
  const { WriteWrap, ShutdownWrap, streamBaseState: state, kReadBytesOrError, kLastWriteWasAsync } = all;
  const reader = new ByteReader();
  let isClosed = false;
  const failed = (status: number): void => {
    if (!isClosed) connection.brokenPipe(writeError(handleError(status, 'write'), connection.role));
  };
  const carrier: Carrier = {
    write: (view, sent) => {
      const request = new WriteWrap();
      request.oncomplete = (status) => {
        if (status < 0) failed(status);
        sent();
      };
      const status = isClosed ? 0 : handle.writeBuffer(request, view);
      if (status === 0 && !isClosed && state[kLastWriteWasAsync] !== 0) request.buffer = view;
      else request.oncomplete(status);
    },
    pauseInput: () => {
      if (!isClosed) handle.readStop();
    },
    resumeInput: () => {
      if (!isClosed) handle.readStart();
    },
    acknowledge: onceATurn(() => acknowledge(isClosed ? -1 : handle.fd)),
    endOutput: () => {
      const request = new ShutdownWrap();
      request.oncomplete = () => {};
      if (!isClosed) handle.shutdown(request);
    },
    destroy: () => {
      if (!isClosed) handle.close(() => connection.ended());
      isClosed = true;
    },
  };
  const connection = new Connection(carrier, false, reader);
  handle.onread = () => {
    const count = state[kReadBytesOrError];
    if (count > 0) {
      connection.arrived(count);
      return reader.space();
    }
    if (count < 0) endOfInput(connection, count === END_OF_INPUT ? null : handleError(count, 'read'));
    return undefined;
  };
  handle.useUserBuffer(reader.space());
  handle.readStart();
  return connection;
}
