import { connect } from 'node:net';
import type { ByteString } from '../../../protocol/options.js';
import type { Deliver, Delivery } from './delivery.js';

/** Milliseconds that a receiver that never closes its side is waited for. */
const CLOSE_MS = 2000;

/** A name on one line: newline, carriage return and backslash are written as `\n`, `\r`, `\\`. */
function oneLine(name: ByteString): ByteString {
  return name.replace(/[\\\n\r]/g, (c) => (c === '\\' ? '\\\\' : c === '\n' ? '\\n' : '\\r'));
}

/**
 * A batch as lines: `batch SYNC TARGET EXITCODE full|part`, then `sent PATH` and `deleted PATH` for each path, then
 * `end`.
 */
function batchLines(delivery: Delivery): ByteString {
  const { mirror, target, exitCode, full } = delivery;
  return [
    `batch ${mirror} ${target} ${exitCode} ${full ? 'full' : 'part'}`,
    ...delivery.paths.map((path) => `sent ${oneLine(path)}`),
    ...delivery.deleted.map((path) => `deleted ${oneLine(path)}`),
    'end\n',
  ].join('\n');
}

/** Opens a connection for each batch, writes its lines and closes; what the other side says is not read. */
export function tcpHook(host: string, port: number): Deliver {
  return (delivery, signal) =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ host, port });
      let timer: NodeJS.Timeout | undefined;
      const end = (settle: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', aborted);
        socket.destroy();
        settle();
      };
      const aborted = () => end(() => reject(signal.reason));
      signal.addEventListener('abort', aborted, { once: true });
      socket.on('error', (error) => end(() => reject(error)));
      socket.on('end', () => end(() => (socket.writableFinished ? resolve() : reject(new Error('closed too early')))));
      socket.on('finish', () => {
        timer = setTimeout(() => end(resolve), CLOSE_MS);
      });
      socket.resume();
      socket.end(Buffer.from(batchLines(delivery), 'latin1'));
    });
}
