import http from 'node:http';
import type { ByteString } from '../../protocol/options.js';
import { errnoText } from '../report/errno.js';
import type { ControlCommand, ServiceStatus } from './status/types.js';

const TIMEOUT_MS = 10_000;

/** Asks a running service through its socket. Rejects with an Error for the user. */
function ask(socket: ByteString, method: string, path: string, body: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'localhost', 'content-type': 'application/json', 'content-length': body.length };
    const request = http.request({ socketPath: socket, method, path, headers, timeout: TIMEOUT_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        try {
          const answer = JSON.parse(text) as { error?: string };
          if (response.statusCode === 200) resolve(answer);
          else reject(new Error(answer.error ?? `the service answered ${response.statusCode}`));
        } catch {
          reject(new Error('the service gave no answer that can be read'));
        }
      });
    });
    request.on('timeout', () => request.destroy(new Error('the service does not answer')));
    request.on('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === undefined ? error.message : errnoText(error);
      const hint = error.code === 'ENOENT' || error.code === 'ECONNREFUSED' ? '; is the service running?' : '';
      reject(new Error(`status socket ${socket}: ${why}${hint}`));
    });
    request.end(body);
  });
}

export async function askStatus(socket: ByteString): Promise<ServiceStatus> {
  return (await ask(socket, 'GET', '/status.json', '')) as ServiceStatus;
}

export async function askControl(
  socket: ByteString,
  command: ControlCommand,
  sync?: string,
  target?: string,
): Promise<void> {
  await ask(socket, 'POST', `/${command}`, JSON.stringify({ sync, target }));
}
