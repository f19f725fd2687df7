import { closeSync } from 'node:fs';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { checked, lazily, needed } from './bind.js';

const O_CLOEXEC = 0o2000000;

const functions = lazily({
  pipe2: 'int pipe2(void *fds, int flags)',
  dup3: 'int dup3(int from, int to, int flags)',
});

/** A descriptor that is read whenever it has something to read. */
export interface EventSource {
  /** Number of the descriptor, for the calls that add and remove what it tells of. */
  readonly fd: number;
  /** Lets the process end although this is open. */
  unref(): void;
  close(): void;
}

/**
 * Reads `fd` (non-blocking, a queue of events as of inotify or fanotify) in Node's event loop and hands over each
 * reading: `buffer` holds `length` bytes until the call returns. Takes `fd` over. About 0.1 ms from event to call, no
 * thread, and no work at rest.
 *
 * Node refuses sockets over descriptors that it cannot name. It is given a pipe, and before its event loop has looked
 * at the descriptor, that number comes to mean `fd`.
 */
export function readEvents(fd: number, size: number, onEvents: (buffer: Buffer, length: number) => void): EventSource {
  const c = needed(functions(), 'watching');
  const ends = new Int32Array(2);
  checked(c.koffi, c.pipe2(ends, O_CLOEXEC), 'pipe2');
  const [end, other] = ends;
  const buffer = Buffer.alloc(size);
  const onread = {
    buffer,
    callback: (length: number): boolean => {
      onEvents(buffer, length);
      return true;
    },
  };
  const options: SocketConstructorOpts & { onread: unknown } = { fd: end, readable: true, writable: false, onread };
  const socket = new Socket(options);
  // Reading can only fail when the descriptor was closed behind our back.
  socket.on('error', () => socket.destroy());
  checked(c.koffi, c.dup3(fd, end, O_CLOEXEC), 'dup3');
  closeSync(fd);
  closeSync(other);
  return {
    fd: end,
    unref: () => void socket.unref(),
    close: () => void socket.destroy(),
  };
}
