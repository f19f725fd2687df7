import { convertAnyhow } from '../../protocol/charset.js';
import { Exit, MAX_PATH } from '../../protocol/constants.js';
import { ProtocolError, RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { type CommandOptions, parseServerArgs } from '../cli/options.js';
import { tempRegistry } from '../files/temp.js';
import { exitLine } from '../report/exit.js';
import { ConsoleLog, logLines } from '../report/log.js';
import { protocolVersions } from '../report/messages.js';
import { openLogFile } from '../report/open-log.js';
import { openCharset } from '../session/charset.js';
import { exchangeVersions } from '../session/handshake.js';
import { serveSession } from '../transfer/serve.js';
import type { Connection } from '../transport/connection.js';
import { endOnSignals } from '../transport/interrupt.js';
import { connectStdio } from '../transport/streams.js';
import { confineProcess } from './confine.js';

const MAX_ARGS = 16_000;

/** `--server …`: the far end of a remote shell, on standard input and output (1.1). */
export async function runServer(argv: ByteString[]): Promise<number> {
  if (argv.includes('--daemon')) {
    const { runDaemonOnStdio } = await import('../daemon/server.js');
    try {
      return await runDaemonOnStdio(argv);
    } catch (error) {
      return complain(error);
    }
  }
  let options: CommandOptions;
  const connection = connectStdio();
  endOnSignals(connection);
  try {
    options = parseServerArgs(argv, { isDaemon: false, env: process.env });
    // An unknown one is told before anything else.
    const charset = options.iconv === '' ? null : await openCharset(options.iconv);
    if (options.secludedArgs) {
      const more = (await readSecluded(connection)).map((arg) => convertAnyhow(charset, 'toLocal', arg));
      options = parseServerArgs([...argv, ...more.slice(1)], { isDaemon: false, env: process.env, secludedDone: true });
      const { expandAnywhere } = await import('../transfer/glob.js');
      options.args = expandAnywhere(options.args);
    }
    confineProcess(options);
  } catch (error) {
    return complain(error);
  }
  return serve(options, connection);
}

/** An error in the arguments. */
function complain(error: unknown): number {
  if (!(error instanceof RsyncError)) throw error;
  process.stderr.write(Buffer.from(`${error.message}\n${exitLine(error.exitCode, 'server')}`, 'latin1'));
  return error.exitCode;
}

async function serve(options: CommandOptions, connection: Connection): Promise<number> {
  const settings = { ...options, quiet: false };
  const fds = { out: 2, err: 2 };
  const record = openLogFile(options, 'server', new ConsoleLog(settings, null, fds));
  const log = new ConsoleLog(settings, record, fds);
  const role = options.sender ? 'sender' : 'Receiver';
  connection.role = role;
  // The first path argument is the "." in front of the real ones (1.1).
  const paths = options.args[0] === '.' ? options.args.slice(1) : options.args;
  let code: number;
  try {
    const protocol = await exchangeVersions(connection, options.protocol, (theirs, agreed) => {
      if ((options.debug.proto ?? 0) >= 1) log.info(protocolVersions(true, theirs, agreed));
    });
    const itemFormat = options.logFileFormat;
    const request = { connection, options, paths, module: null, protocol, log, record, itemFormat, refused: null };
    code = await serveSession(request);
  } catch (error) {
    if (!(error instanceof RsyncError)) throw error;
    logLines(log, 'error', `${error.message}\n`);
    code = error.exitCode;
    log.error(exitLine(code, role));
  }
  tempRegistry.removeAll();
  log.close();
  await connection.outputEnded();
  return code;
}

/** -s: the rest of the arguments comes over the connection, each with NUL, an empty one at the end (1.5). */
export async function readSecluded(connection: Connection): Promise<ByteString[]> {
  const { reader } = connection;
  const args: ByteString[] = [];
  for (;;) {
    reader.begin();
    const bytes: number[] = [];
    for (let byte = reader.u8(); byte !== 0 && !reader.short; byte = reader.u8()) {
      bytes.push(byte);
      if (bytes.length > 16 * MAX_PATH) throw new ProtocolError('argument', 'too long', Exit.SYNTAX);
    }
    if (!reader.done()) {
      await connection.fill();
      continue;
    }
    if (bytes.length === 0) return args;
    args.push(Buffer.from(bytes).toString('latin1'));
    if (args.length > MAX_ARGS) throw new ProtocolError('arguments', 'too many', Exit.SYNTAX);
  }
}
