import fs from 'node:fs';
import { type Charset, convertAnyhow } from '../../protocol/charset.js';
import { Exit, MAX_PATH } from '../../protocol/constants.js';
import { ProtocolError, RsyncError } from '../../protocol/errors.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { checkOperatorPath } from '../files/operator-path.js';
import { errnoText } from '../report/errno.js';
import { foreignLink } from '../report/messages.js';
import type { Session } from '../session/session.js';
import { sanitizePath } from './module-paths.js';

/** --files-from (6.5): the names come from a file of this side, or from the other side of the connection. */

/** The names in a list: separated by NUL, or by line ends. `comments`: those that start with # or ; are left out. */
export function splitNames(content: Buffer, from0: boolean, comments: boolean): ByteString[] {
  const text = content.toString('latin1');
  const names = from0 ? text.split('\0') : text.split(/[\r\n\0]/);
  return names.filter((name) => name !== '' && !(comments && /^[#;]/.test(name))).map(below);
}

/** Names are relative to the source directory: a slash in front says nothing, and `..` does not climb out of it. */
function below(name: ByteString): ByteString {
  return /^\/|(^|\/)\.\.(\/|$)/.test(name) ? sanitizePath(name) || '.' : name;
}

/** Reads a list of names; '-' is standard input. Exit code 1 when it cannot be read. */
export function readNamesFile(path: ByteString, o: Options): Buffer {
  let notice = '';
  try {
    checkOperatorPath(path, o, () => {
      notice = foreignLink();
    });
    return path === '-' ? fs.readFileSync(0) : fs.readFileSync(Buffer.from(path, 'latin1'));
  } catch (error) {
    throw new RsyncError(
      Exit.SYNTAX,
      `${notice}rsync: failed to open files-from file ${path}: ${errnoText(error).replace(/ \(\d+\)$/, '')}`,
    );
  }
}

/** Sends names to the side that lists the files; an empty name ends them. */
export function forwardNames(session: Session, names: readonly ByteString[]): void {
  const { writer } = session.connection;
  const unframed = session.protocol < 31 && writer.framed;
  if (unframed) {
    writer.flush();
    writer.stopFrames();
  }
  const charset = charsetOfNames(session);
  for (const name of names) {
    writer.text(convertAnyhow(charset, 'toWire', name));
    writer.u8(0);
  }
  writer.u8(0);
  writer.flush();
  if (unframed) writer.startFrames();
}

/** The names that the other side forwards. */
export async function* receiveNames(session: Session): AsyncGenerator<ByteString> {
  const { connection } = session;
  // Nothing follows that would carry the last bytes along: the list is made from what comes in.
  connection.flush();
  await session.awaitSeed();
  const { reader } = connection;
  const unframed = session.protocol < 31 && reader.framed;
  if (unframed) reader.stopFrames();
  for (;;) {
    reader.begin();
    const bytes: number[] = [];
    for (let byte = reader.u8(); byte !== 0 && !reader.short; byte = reader.u8()) {
      bytes.push(byte);
      if (bytes.length >= MAX_PATH) throw new ProtocolError('files-from name', 'too long');
    }
    if (!reader.done()) {
      await connection.fill();
      continue;
    }
    if (bytes.length === 0) break;
    yield below(convertAnyhow(charsetOfNames(session), 'toLocal', Buffer.from(bytes).toString('latin1')));
  }
  if (unframed) session.resumeInputFrames();
}

/** Names that are forwarded are converted as arguments are: only with -s. */
function charsetOfNames({ charset, options: o }: Session): Charset | null {
  return o.secludedArgs ? charset : null;
}

export async function* toAsync(names: readonly ByteString[]): AsyncGenerator<ByteString> {
  yield* names;
}
