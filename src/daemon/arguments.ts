import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { unescapeDaemonOption } from '../../protocol/handshake/escape.js';
import type { ByteString } from '../../protocol/options.js';
import type { Connection } from '../transport/connection.js';

/** Words that a client may send in one list, the bytes of each that are kept, and of all of them. */
const MAX_WORDS = 15_999;
const MAX_WORD = 5119;
const MAX_TOTAL = 32 << 20;
/** Bytes of the path words that the log shows. */
const MAX_REQUEST = 1024;

/** A list of arguments as it came: options without their escapes, and what follows the `.` as it is. */
export interface ArgumentList {
  options: ByteString[];
  /** null when there was no `.`: with -s everything else comes in a second list. */
  paths: ByteString[] | null;
}

/**
 * Reads one list of arguments (protocol description, 1.6 step 6): words that end in NUL (`nul`) or in LF or CR, up to
 * an empty one. `escaped` words are options of a first list: their backslashes go.
 * Errors: exit code 2 for too many words, 12 when the connection ends.
 */
export async function readArguments(connection: Connection, nul: boolean, escaped: boolean): Promise<ArgumentList> {
  const options: ByteString[] = [];
  let paths: ByteString[] | null = null;
  let total = 0;
  for (let count = 0; ; count++) {
    const word = await readWord(connection, nul);
    if (word === '') return { options, paths };
    total += word.length;
    if (count >= MAX_WORDS || total > MAX_TOTAL) throw new RsyncError(Exit.PROTOCOL, 'too many daemon arguments');
    if (paths !== null) paths.push(word);
    else if (word === '.') paths = [];
    else options.push(escaped ? unescapeDaemonOption(word) : word);
  }
}

async function readWord(connection: Connection, nul: boolean): Promise<ByteString> {
  const { reader } = connection;
  let word = '';
  let total = 0;
  for (;;) {
    const n = reader.available();
    if (n === 0) {
      await connection.fill();
      continue;
    }
    const end = findEnd(reader.buf, reader.pos, reader.pos + n, nul);
    const stop = end < 0 ? reader.pos + n : end;
    const keep = Math.min(stop - reader.pos, MAX_WORD - word.length);
    word += reader.buf.toString('latin1', reader.pos, reader.pos + keep);
    total += stop - reader.pos;
    reader.pos = end < 0 ? stop : end + 1;
    reader.begin();
    if (end >= 0) return word;
    if (total > MAX_TOTAL) throw new RsyncError(Exit.PROTOCOL, 'too many daemon arguments');
  }
}

function findEnd(buf: Buffer, from: number, to: number, nul: boolean): number {
  for (let i = from; i < to; i++) {
    if (nul ? buf[i] === 0 : buf[i] === 0x0a || buf[i] === 0x0d) return i;
  }
  return -1;
}

/** The path words as the log shows them: `rsync on THIS from host`. */
export function requestText(paths: readonly ByteString[]): ByteString {
  let text = '';
  for (const path of paths) {
    if (text.length >= MAX_REQUEST) break;
    text += text === '' ? path : ` ${path}`;
  }
  return text;
}
