import { readFileSync } from 'node:fs';
import type { ByteString } from '../../../protocol/options.js';
import { nameText } from '../names.js';
import type { Deliver, Delivery } from './delivery.js';

/** POSTs a batch as JSON; any answer but 2xx is a failure. */
export function httpHook(url: string, headerFile: ByteString, baseUrl: string): Deliver {
  return async (delivery, signal) => {
    const headers = { ...readHeaders(headerFile), 'content-type': 'application/json' };
    const body = JSON.stringify(payload(delivery, baseUrl));
    let response: Response;
    try {
      response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const { cause, message } = error as Error;
      throw new Error(cause instanceof Error && cause.message !== '' ? cause.message : message);
    }
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`.trim());
  };
}

/** Lines `Name: value`, read anew each time: what is in there may be a secret that changes. */
function readHeaders(file: ByteString): Record<string, string> {
  if (file === '') return {};
  const headers: Record<string, string> = {};
  for (const line of readFileSync(Buffer.from(file, 'latin1'), 'utf8').split('\n')) {
    const m = /^([\w-]+)\s*:\s*(.*?)\s*$/.exec(line);
    if (m) headers[m[1].toLowerCase()] = m[2];
  }
  return headers;
}

/** What is posted. Times are ISO 8601; paths are relative to the source. */
function payload(delivery: Delivery, baseUrl: string): Record<string, unknown> {
  const paths = delivery.paths.map(nameText);
  const deleted = delivery.deleted.map(nameText);
  const address = (path: string) =>
    `${baseUrl.replace(/\/$/, '')}/${path.split('/').map(encodeURIComponent).join('/')}`;
  return {
    sync: delivery.mirror,
    target: delivery.target,
    full: delivery.full,
    paths,
    deleted,
    ...(baseUrl === '' ? {} : { urls: [...paths, ...deleted].map(address) }),
    started: new Date(delivery.started).toISOString(),
    ended: new Date(delivery.ended).toISOString(),
    exitCode: delivery.exitCode,
    sentBytes: delivery.sentBytes,
    error: delivery.error,
  };
}
