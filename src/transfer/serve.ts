import fs from 'node:fs';
import { Exit, Msg } from '../../protocol/constants.js';
import { PeerExit, RsyncError } from '../../protocol/errors.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { openForReading, readText } from '../files/window.js';
import { type LinkTargets, ListGuard } from '../receiving/list-guard.js';
import { type ItemContext, ItemFormat, loggedDeletion } from '../report/item.js';
import { exitLine, type Log, logLines } from '../report/log.js';
import { BUILDING_LIST, RECEIVING_LIST } from '../report/messages.js';
import { logTotals } from '../report/stats.js';
import { agree } from '../session/handshake.js';
import type { TransferLog } from '../session/item-log.js';
import { Session } from '../session/session.js';
import { WireLog } from '../session/wire-log.js';
import type { Connection } from '../transport/connection.js';
import { buildFilters, exchangeFilters, plainFilterReader } from './filters.js';
import { announceFailure, asRunError } from './goodbye.js';
import { cwd, itemContextOf } from './item-context.js';
import { modulePath, rejectedOptions, sanitizePath } from './module-paths.js';
import { forwardNames, readNamesFile, receiveNames, splitNames, toAsync } from './names.js';
import { runReceivingSide, runSendingSide } from './roles.js';
import type { ServedModule } from './served-module.js';

/** One client of a server. */
export interface ServeRequest {
  connection: Connection;
  options: Options;
  /** Path arguments. For a module: relative to it, wildcards expanded; '' or '.' is the module itself. */
  paths: readonly ByteString[];
  module: ServedModule | null;
  /** null: versions are exchanged as numbers (remote shell). */
  protocol: number;
  /** Where this side's messages go that the client does not get; the record as well where it is to have them. */
  log: Log;
  /** Keeps what the client gets as well: a daemon's log, or the file of --log-file. */
  record: Log | null;
  /** Format of the record's lines about items; null: none. */
  itemFormat: ByteString | null;
  /** An error in the arguments, to be reported once the client listens (1.6). */
  refused: RsyncError | null;
}

/** Serves one client over a connection whose text part is over. Returns the exit code; the connection is closed. */
export async function serveSession(request: ServeRequest): Promise<number> {
  const { connection, options: o, module } = request;
  connection.role = o.sender ? 'sender' : 'Receiver';
  let session: Session | null = null;
  try {
    const side = { isServer: true, isSender: o.sender };
    const agreement = await agree(connection, o, side, request.protocol, (text) => request.log.info(text));
    const staysLocal = module === null && o.stderrMode === 'errors' && request.protocol >= 29;
    const log = new WireLog(connection, agreement, request.log, staysLocal, request.record);
    session = new Session(connection, o, log, side, agreement);
    await serve(session, request);
    // Who has been sent nothing at all has nothing to tell, as with rsync.
    if (request.record !== null && (o.sender || session.list.count > 0)) logBytes(session, request.record);
    connection.finish();
    const code = session.exitCode();
    if (module !== null && code !== Exit.OK && !o.sender) request.log.error(exitLine(code, connection.role));
    return code;
  } catch (thrown) {
    const error = asRunError(thrown, connection.role);
    if (session !== null) await announceFailure(session, error);
    else if (!error.silent) logLines(request.log, 'error', `${error.message}\n`);
    // A daemon notes the end of every run; what a peer has said is not repeated to it.
    if (session === null || (module !== null && error instanceof PeerExit)) {
      request.log.error(exitLine(error.exitCode, connection.role));
    }
    connection.finish();
    return error.exitCode;
  }
}

async function serve(session: Session, request: ServeRequest): Promise<void> {
  const { connection, options: o, module } = request;
  const { names, refused } = namesOf(request);
  // A client that forwards names waits for its turn even when it is about to be refused (1.6).
  if (refused !== null && !o.sender && o.filesFrom !== '') connection.writer.u8(0);
  session.startFrames();
  applyTimeout(session, module);
  if (o.bwlimit > 0) connection.limitRate(o.bwlimit * 1024);
  if (refused !== null) throw refused;
  checkAccess(o, module);
  if (o.copyAs !== null) {
    // A daemon's process serves others as well.
    if (module !== null) throw new RsyncError(Exit.UNSUPPORTED, '--copy-as is not supported on this server');
    const { copyAs } = await import('./copy-as.js');
    await copyAs(o.copyAs, connection.role);
  }
  const side = o.sender ? 'sender' : 'receiver';
  const filters = buildFilters({
    options: o,
    protocol: session.protocol,
    side,
    isServer: true,
    isLocal: false,
    reader: module === null ? undefined : { read: (path) => readInModule(path, module) },
    report: (text) => session.log.warning(`${text}\n`),
    trace: (text) => session.log.info(text),
  });
  await exchangeFilters(session, filters);
  const itemContext = itemContextOf(session, module);
  const transferLog = startRecord(session, request, itemContext);
  if (o.sender) {
    await runSendingSide(session, {
      ...sourcesOf(session, request, names),
      filters,
      moduleFilters: module?.filters ?? null,
      moduleChmod: module?.chmod ?? [],
      cwd: module?.path ?? cwd(),
      root: module?.confined ?? null,
      itemContext,
      transferLog,
      progress: null,
      announcer: null,
      idsByNumber: module?.idsByNumber ?? false,
    });
    return;
  }
  if (o.filesFrom !== '' && o.filesFrom !== '-') {
    forwardNames(session, splitNames(names ?? readNamesFile(o.filesFrom, o), o.from0, false));
  }
  await runReceivingSide(session, {
    dest: request.paths[0] ?? '.',
    base: {
      cwd: module?.path ?? cwd(),
      confined: module?.confined ?? null,
      isModule: module !== null,
      module: module?.name ?? null,
      innerRoot: module?.innerRoot ?? null,
      hides: hidesOf(module),
    },
    filters,
    moduleFilters: module?.filters ?? null,
    moduleChmod: module?.chmod ?? [],
    idsByNumber: module?.idsByNumber ?? false,
    itemContext,
    transferLog,
    progress: null,
    announcer: null,
    isLocal: false,
    guard: new ListGuard(null, null, linkTargets(o, module)),
  });
}

/** Links of a module that is a part of a root may not lead out of it: munged they lead nowhere, else they are bent. */
function linkTargets(o: Options, module: ServedModule | null): LinkTargets {
  if (o.mungeLinks) return 'munged';
  return module?.partial === true ? 'sanitized' : 'kept';
}

function applyTimeout(session: Session, module: ServedModule | null): void {
  const { connection, options: o, protocol } = session;
  const asked = o.timeout;
  const limit = module?.timeout ?? 0;
  const seconds = limit > 0 && (asked === 0 || asked > limit) ? limit : asked;
  if (seconds === 0) return;
  connection.setTimeout(seconds);
  if (module !== null && protocol >= 31) session.sendNumber(Msg.IO_TIMEOUT, seconds);
}

/** What a record says of the list, and of what is deleted. Returns where it is told of items. */
function startRecord(session: Session, request: ServeRequest, context: ItemContext): TransferLog | null {
  const { record, itemFormat } = request;
  if (record === null) return null;
  record.info(`${session.isSender ? BUILDING_LIST : RECEIVING_LIST}\n`);
  if (itemFormat === null) return null;
  if (!session.options.dryRun) {
    const format = new ItemFormat(itemFormat, context);
    session.onDeleted = (name, mode) => record.info(loggedDeletion(name, mode, format));
  }
  return { format: itemFormat, log: record };
}

/** A record's closing line about one session. */
function logBytes(session: Session, log: Log): void {
  session.countTraffic();
  log.info(logTotals(session.stats));
}

function checkAccess(o: Options, module: ServedModule | null): void {
  if (module === null) return;
  if (o.sender && module.writeOnly) throw new RsyncError(Exit.SYNTAX, 'ERROR: module is write only');
  if (!o.sender && module.readOnly && !o.listOnly) throw new RsyncError(Exit.SYNTAX, 'ERROR: module is read only');
  if (o.removeSourceFiles && o.sender && module.readOnly) {
    throw new RsyncError(Exit.SYNTAX, 'ERROR: --remove-source-files cannot be used with a read-only module');
  }
}

/** The list of names that a daemon's client wants to be taken from its module; without it, its options are refused. */
function namesOf({ options: o, module, refused }: ServeRequest): { names: Buffer | null; refused: RsyncError | null } {
  if (refused !== null || module === null || o.filesFrom === '' || o.filesFrom === '-') return { names: null, refused };
  try {
    return { names: readNames(o.filesFrom, module), refused };
  } catch (error) {
    if (error instanceof RsyncError) return { names: null, refused: error };
    throw error;
  }
}

function sourcesOf(session: Session, request: ServeRequest, given: Buffer | null) {
  const { options: o } = session;
  if (o.filesFrom === '') return { sources: request.paths.map((p) => (p === '' ? '.' : p)), names: null };
  const sources = [request.paths[0] ?? '.'];
  const { module } = request;
  const file = () => given ?? readNamesFile(o.filesFrom, o);
  const names = o.filesFrom === '-' ? receiveNames(session) : toAsync(splitNames(file(), o.from0, true));
  return { sources, names: module === null ? names : insideModule(names) };
}

/** Names that a client gives, without any `..` that would climb out of its module. */
async function* insideModule(names: AsyncIterable<ByteString>): AsyncGenerator<ByteString> {
  for await (const name of names) yield sanitizePath(name);
}

/** Exit code 4 when the list is not there, hidden, or outside of the module. */
function readNames(path: ByteString, module: ServedModule): Buffer {
  const inside = modulePath(path);
  if (hidesOf(module)?.(inside.slice(1), false)) {
    throw new RsyncError(Exit.UNSUPPORTED, `rsync: ${rejectedOptions().message}`);
  }
  const content = readInModule(path, module);
  if (content !== null) return content;
  const shown = path.startsWith('/') ? `${module.innerRoot ?? ''}${inside}` : path;
  throw new RsyncError(Exit.UNSUPPORTED, `rsync: failed to open files-from file ${shown}: No such file or directory`);
}

/** A file that a client names, from its module's root; null when it is not there, hidden, or outside of the module. */
function readInModule(path: ByteString, module: ServedModule): Buffer | null {
  const inside = modulePath(path);
  if (hidesOf(module)?.(inside.slice(1), false)) return null;
  const { confined } = module;
  return readText(() => {
    if (confined !== null) return openForReading(confined.resolve(inside.slice(1)));
    const root = module.path === '/' ? '' : module.path;
    return fs.openSync(Buffer.from(`${root}${inside}`, 'latin1'), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  });
}

/** What a module's filters say of names that a client gives: it is about the very name, not about its parents. */
function hidesOf(module: ServedModule | null): ((path: ByteString, isDir: boolean) => boolean) | null {
  const filters = module?.filters ?? null;
  if (filters === null || filters.empty) return null;
  const scope = filters.root(plainFilterReader);
  return (path, isDir) => path !== '' && path !== '.' && scope.verdict(path, isDir) < 0;
}
