import { convertAnyhow } from '../../protocol/charset.js';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { splitDaemonPaths } from '../../protocol/handshake/escape.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { compileRefusals, parseServerArgs, ServerOptionError } from '../cli/options.js';
import { type ChmodRule, parseChmod } from '../files/chmod.js';
import { convertNamesBy } from '../files/names.js';
import { Root } from '../files/root.js';
import { exitLine, type Log } from '../report/log.js';
import { openCharset } from '../session/charset.js';
import { expandPaths } from '../transfer/glob.js';
import { serveSession } from '../transfer/serve.js';
import type { ServedModule } from '../transfer/served-module.js';
import type { Connection } from '../transport/connection.js';
import { readArguments, requestText } from './arguments.js';
import type { ModuleConfig } from './config/params.js';
import { type HookRequest, preXferFailure } from './hooks/hooks.js';
import { NOT_STARTED } from './hooks/process.js';
import { hiddenBy, moduleFilters } from './modules/filters.js';
import { askNames } from './modules/name-channel.js';
import { applyModule } from './modules/options.js';
import type { Place } from './workers/identity.js';
import type { Job } from './workers/job.js';

/** What a client's arguments came to. */
interface Request {
  /** The words of the options, as they came. */
  optionWords: ByteString[];
  options: Options;
  /** Why the options cannot be honoured; told to the client once the session is set up. */
  refused: RsyncError | null;
  words: ByteString[];
  secluded: boolean;
}

/** Tells of words of "refuse options" that no option matches. */
function checkRefusals({ config }: Job, log: Log): void {
  const { unmatched } = compileRefusals(refusedWords(config), config.charset !== '');
  for (const word of unmatched) log.error(`No match for refuse-options string "${word}"`);
}

function refusedWords(config: ModuleConfig): string[] {
  return config.refuseOptions.split(' ').filter((word) => word !== '');
}

function parse(job: Job, words: ByteString[], secludedDone: boolean): Pick<Request, 'options' | 'refused'> {
  const { config } = job;
  const refuse = refusedWords(config);
  const context = { isDaemon: true, refuse, charset: config.charset !== '', env: process.env, secludedDone };
  try {
    const options = parseServerArgs(words, context);
    // Whatever the client says that it should be.
    if (options.iconv !== '') options.iconv = config.charset;
    return { options, refused: null };
  } catch (error) {
    if (!(error instanceof ServerOptionError)) throw error;
    return { options: { ...error.options, iconv: '' }, refused: new RsyncError(Exit.UNSUPPORTED, error.message) };
  }
}

/** Reads the arguments of one client, in one list or (with -s) in two. */
async function readRequest(connection: Connection, job: Job): Promise<Request> {
  const nul = job.protocol >= 30;
  const first = await readArguments(connection, nul, true);
  const { options, refused } = parse(job, first.options, false);
  if (!options.secludedArgs) {
    return { optionWords: first.options, options, refused, words: first.paths ?? [], secluded: false };
  }
  const charset = options.iconv === '' ? null : await openCharset(options.iconv);
  const local = (words: readonly ByteString[]) => words.map((word) => convertAnyhow(charset, 'toLocal', word));
  const second = await readArguments(connection, true, false);
  if (refused !== null) return { optionWords: first.options, options, refused, words: [], secluded: true };
  // The second list starts with a program name of no meaning.
  const optionWords = [...first.options, ...local(second.options.slice(1))];
  const both = parse(job, optionWords, true);
  return { ...both, optionWords, words: local(second.paths ?? []), secluded: true };
}

function logRequest(job: Job, options: Options, words: readonly ByteString[], log: Log): void {
  const text = requestText(words);
  if (text === '') return;
  const who = job.user === '' ? job.client.name : `${job.user}@${job.client.name}`;
  log.info(`rsync ${options.sender ? 'on' : 'to'} ${text} from ${who} (${job.client.address})`);
}

/** Asks the parent, which runs "pre-xfer exec", about a request. Answers why it must not be done, or null. */
export type Ask = (request: HookRequest) => Promise<ByteString | null>;

/** Bytes of a request that can be put into an environment; the kernel's own bound is not higher. */
const MAX_ASKED = 2 << 20;

/** What "pre-xfer exec" says of a request. */
async function asked(
  ask: Ask,
  request: Request,
  paths: readonly ByteString[],
  place: Place,
): Promise<RsyncError | null> {
  // In a root of its own, paths are seen from there.
  const rooted = place.chrooted && !place.partial;
  const plain = (path: ByteString) => (path === '.' ? '' : path);
  const shown = paths.map((path) => (rooted ? `/${plain(path)}` : path || '.'));
  const args = ['rsyncd', ...request.optionWords, '.', ...shown];
  const size = args.reduce((sum, arg) => sum + arg.length, 0);
  const text = requestText(request.words);
  const refusal = size > MAX_ASKED ? preXferFailure(NOT_STARTED, '') : await ask({ text, args });
  return refusal === null ? null : new RsyncError(Exit.UNSUPPORTED, refusal);
}

/**
 * Serves one client of a module from its arguments on; `@RSYNCD: OK` has been sent. Runs with the module's rights.
 * Returns the exit code. Never throws.
 */
export async function servePeer(connection: Connection, job: Job, place: Place, log: Log, ask: Ask): Promise<number> {
  connection.role = 'Receiver';
  const deadline = setTimeout(() => {
    connection.fail(new RsyncError(Exit.TIMEOUT, `[${connection.role}] daemon handshake timeout -- exiting`));
  }, job.deadline * 1000);
  try {
    checkRefusals(job, log);
    const request = await readRequest(connection, job);
    clearTimeout(deadline);
    return await serveRequest(connection, job, place, log, request, ask);
  } catch (error) {
    return report(error, connection, log);
  } finally {
    clearTimeout(deadline);
    connection.finish();
  }
}

async function serveRequest(
  connection: Connection,
  job: Job,
  place: Place,
  log: Log,
  request: Request,
  ask: Ask,
): Promise<number> {
  const { options } = request;
  const filters = moduleFilters(job.config, job.filterFiles, job.protocol, options.sender);
  const idsByNumber = applyModule(options, job, place);
  const words = splitDaemonPaths(request.words, job.config.name, request.secluded);
  const root = openModule(place, job.config.insecureLinks);
  try {
    const found = request.refused === null || job.asks ? expandPaths(root, words, hiddenBy(filters)) : [];
    const refused = (job.asks ? await asked(ask, request, found, place) : null) ?? request.refused;
    if (job.convertsNames) convertNamesBy(askNames(job.id));
    logRequest(job, options, request.words, log);
    const { name, writeOnly, timeout, transferLogging, logFormat } = job.config;
    const module: ServedModule & { idsByNumber: boolean } = {
      name,
      path: place.root,
      configuredPath: job.config.path,
      innerRoot: innerRoot(job, place),
      confined: place.confined ? root : null,
      partial: place.partial,
      readOnly: job.readOnly,
      writeOnly,
      filters,
      chmod: options.sender
        ? chmodRules(job.config.outgoingChmod, 'outgoing', log)
        : chmodRules(job.config.incomingChmod, 'incoming', log),
      timeout,
      client: { host: job.client.name, addr: job.client.address, authUser: job.user },
      idsByNumber,
    };
    const itemFormat = transferLogging ? logFormat : null;
    const { protocol } = job;
    return await serveSession({
      connection,
      options,
      paths: found,
      module,
      protocol,
      log,
      record: log,
      itemFormat,
      refused,
    });
  } finally {
    root.close();
  }
}

function innerRoot({ identity }: Job, place: Place): ByteString | null {
  if (!place.partial) return null;
  return place.chrooted ? identity.inner : identity.whole;
}

function openModule(place: Place, insecureLinks: boolean): Root {
  if (!place.confined) return Root.plain(place.root);
  const held = `/proc/self/fd/${place.fd}`;
  // Inside a new root there may be no /proc.
  return insecureLinks ? Root.trusting(place.chrooted ? place.root : held) : Root.confined(held, true);
}

/** A module's chmod setting; one that cannot be read is told and has no effect. */
function chmodRules(text: ByteString, direction: string, log: Log): ChmodRule[] {
  if (text === '') return [];
  try {
    return parseChmod(text, process.umask());
  } catch {
    log.error(`Invalid "${direction} chmod" directive: ${text}`);
    return [];
  }
}

function report(error: unknown, connection: Connection, log: Log): number {
  if (!(error instanceof RsyncError)) {
    log.error(`internal error: ${String((error as Error).stack)}`);
    return Exit.CRASHED;
  }
  if (!error.silent) log.error(error.message);
  log.error(exitLine(error.exitCode, connection.role));
  return error.exitCode;
}
