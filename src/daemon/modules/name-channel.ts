import fs from 'node:fs';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { ByteString } from '../../../protocol/options.js';

/*
 * How a worker has user and group names converted: it asks on a descriptor of its own, `ID usr NAME` for a job of that id,
 * and waits for a line, as the roles cannot go on without. The parent never waits.
 */

/** The descriptor in a worker. */
export const NAME_FD = 4;
/** Bytes of a line, in either direction. */
const MAX_LINE = 1024;

/** The parent's end. `answer` gives the line without its end, '' when nothing is known. */
export function answerNames(channel: Duplex, answer: (id: number, request: ByteString) => Promise<ByteString>): void {
  let held = '';
  channel.on('error', () => {});
  if (channel instanceof net.Socket) channel.unref();
  channel.on('data', async (chunk: Buffer) => {
    held += chunk.toString('latin1');
    const end = held.indexOf('\n');
    if (end < 0 && held.length <= MAX_LINE) return;
    const found = /^(\d+) ([^\n]*)\n$/.exec(held);
    held = '';
    const text = found === null ? '' : await answer(Number(found[1]), found[2]);
    if (!channel.destroyed) channel.write(Buffer.from(`${text}\n`, 'latin1'));
  });
}

/** The worker's end, for one job: asks, once for each name, and waits. */
export function askNames(id: number): (request: ByteString) => ByteString {
  const known = new Map<ByteString, ByteString>();
  return (request) => {
    let answer = known.get(request);
    if (answer === undefined) {
      answer = askOnce(`${id} ${request}\n`);
      known.set(request, answer);
    }
    return answer;
  };
}

function askOnce(line: ByteString): ByteString {
  // A name with a line's end in it would be two requests.
  if (line.length > MAX_LINE || /[\p{Cc}]/u.test(line.slice(0, -1))) return '';
  const buffer = Buffer.alloc(MAX_LINE + 1);
  let length = 0;
  try {
    fs.writeSync(NAME_FD, Buffer.from(line, 'latin1'));
    while (length < buffer.length && !buffer.subarray(0, length).includes(0x0a)) {
      const n = fs.readSync(NAME_FD, buffer, length, buffer.length - length, null);
      if (n === 0) return '';
      length += n;
    }
  } catch {
    return '';
  }
  return buffer.toString('latin1', 0, length).split('\n', 1)[0];
}
