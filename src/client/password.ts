import fs from 'node:fs';
import tty from 'node:tty';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { checkOperatorPath } from '../files/operator-path.js';
import { errnoText } from '../report/errno.js';
import { foreignLink } from '../report/messages.js';

const MAX_PASSWORD = 511;

/** The name that a daemon is given when the command line has none. */
export function defaultUser(): ByteString {
  return process.env.USER || process.env.LOGNAME || 'nobody';
}

/** The password for a daemon: --password-file, RSYNC_PASSWORD, or a question on the terminal (section 2). */
export async function readPassword(o: Options): Promise<Buffer> {
  if (o.password !== undefined) return Buffer.from(o.password, 'latin1');
  if (o.passwordFile !== '') return fromFile(o.passwordFile, o);
  const { RSYNC_PASSWORD } = process.env;
  if (RSYNC_PASSWORD !== undefined) return Buffer.from(RSYNC_PASSWORD);
  const typed = await askTerminal('Password: ');
  // Whoever opens several connections asks once.
  o.password = typed.toString('latin1');
  return typed;
}

/** First line of a file that nobody else may read. Exit code 1, as every fault of it is the user's. */
function fromFile(path: ByteString, o: Options): Buffer {
  const name = Buffer.from(path, 'latin1');
  let content: Buffer;
  if (path === '-') {
    content = fs.readFileSync(0);
  } else {
    let fd: number;
    let notice = '';
    try {
      checkOperatorPath(path, o, () => {
        notice = foreignLink();
      });
      fd = fs.openSync(name, 'r');
    } catch (error) {
      throw new RsyncError(Exit.SYNTAX, `${notice}rsync: could not open password file ${path}: ${errnoText(error)}`);
    }
    try {
      const st = fs.fstatSync(fd);
      if (st.mode & 0o006) throw new RsyncError(Exit.SYNTAX, 'ERROR: password file must not be other-accessible');
      if (process.getuid?.() === 0 && st.uid !== 0) {
        throw new RsyncError(Exit.SYNTAX, 'ERROR: password file must be owned by root when running as root');
      }
      content = Buffer.alloc(4 * MAX_PASSWORD);
      content = content.subarray(0, fs.readSync(fd, content));
    } finally {
      fs.closeSync(fd);
    }
  }
  const end = content.findIndex((byte) => byte === 0x0a || byte === 0x0d || byte === 0);
  const line = content.subarray(0, Math.min(end < 0 ? content.length : end, MAX_PASSWORD));
  if (line.length === 0) throw new RsyncError(Exit.SYNTAX, 'ERROR: failed to read a password from the password file');
  return line;
}

/** Without a terminal the question goes to standard error, and the answer is a line of standard input. */
function askStandardInput(question: string): Buffer {
  fs.writeSync(2, question);
  const typed: number[] = [];
  const byte = Buffer.alloc(1);
  try {
    while (fs.readSync(0, byte) === 1 && byte[0] !== 0x0a && typed.length < MAX_PASSWORD) typed.push(byte[0]);
  } catch {
    // Closed, or nothing there: what has been read is the answer.
  }
  return Buffer.from(typed);
}

/** Asks on the terminal itself, without echo, so that standard input and output stay free. */
function askTerminal(question: string): Promise<Buffer> {
  let fd: number;
  try {
    fd = fs.openSync('/dev/tty', 'r+');
  } catch {
    return Promise.resolve(askStandardInput(question));
  }
  const terminal = new tty.ReadStream(fd);
  fs.writeSync(fd, question);
  terminal.setRawMode(true);
  return new Promise((resolve, reject) => {
    const typed: number[] = [];
    const finish = (answer: () => void) => {
      terminal.setRawMode(false);
      fs.writeSync(fd, '\n');
      terminal.destroy();
      answer();
    };
    terminal.on('end', () => finish(() => resolve(Buffer.from(typed))));
    terminal.on('data', (chunk: Buffer) => {
      for (const byte of chunk) {
        if (byte === 0x0d || byte === 0x0a || byte === 0x04) return finish(() => resolve(Buffer.from(typed)));
        if (byte === 0x03) return finish(() => reject(new RsyncError(Exit.SIGNAL, '', true)));
        if (byte === 0x7f || byte === 0x08) typed.pop();
        else typed.push(byte);
      }
    });
  });
}
