import { Exit, MAX_PROTOCOL_VERSION, MIN_PROTOCOL_VERSION } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { DigestOffer } from '../../protocol/handshake/auth.js';
import {
  agreeProtocol,
  greetingLine,
  greetingRefusal,
  listingLine,
  parseGreeting,
  parseRequest,
} from '../../protocol/handshake/greeting.js';
import type { ByteString } from '../../protocol/options.js';
import { errnoText, exitLine, type Log } from '../report/log.js';
import { type Client, hostAllowed } from './clients/access.js';
import { clientName, UNDETERMINED } from './clients/names.js';
import { login, openChallenge } from './clients/secrets.js';
import { readTrusted } from './clients/trusted-file.js';
import { type DaemonConfig, expandModule, findModule, type Module, type ModuleConfig } from './config/config.js';
import { expandVars } from './config/lex.js';
import type { Dialogue } from './dialogue.js';
import { Hooks } from './hooks/hooks.js';
import { CLIENT_GONE, type HookRun, NOT_SERVED } from './hooks/process.js';
import { readFilterFiles } from './modules/filters.js';
import { cleanPath, type Identity, lookedAtAgain, planIdentity, SetupError } from './workers/identity.js';
import type { Slot, Slots } from './workers/slots.js';
import { Stay } from './workers/stay.js';

/** Seconds at most for each part of a connection that waits for a client's text; a shorter "timeout" makes it shorter. */
const HANDSHAKE_SECONDS = 60;
/** Bytes of a message of the day that are sent. */
const MAX_MOTD = 1 << 20;

/** What a daemon offers to each of its connections. */
export interface Hall {
  config: DaemonConfig;
  log: Log;
  slots: Slots;
  env: Readonly<Record<string, string | undefined>>;
  /** False for a daemon behind a remote shell. */
  overTcp: boolean;
  /** Where the output of hooks goes. */
  hookOutput: HookRun['output'];
  /** Connections that have hooks: each until its last hook is over. */
  hooked: Set<Promise<void>>;
}

/** A client that may use a module: all that is needed to serve it. */
export interface Admission {
  client: Client;
  protocol: number;
  /** '' when the module asks for no user. */
  user: ByteString;
  readOnly: boolean;
  /** The module's settings with their variables replaced. */
  config: ModuleConfig;
  identity: Identity;
  /** Files that the module's filters name, with their content. */
  filterFiles: Record<ByteString, ByteString>;
  stay: Stay;
}

/** The end of a dialogue that was settled in a known way: the line is sent (if any), the reason logged (if any). */
class Refusal extends Error {
  constructor(
    readonly line: ByteString,
    readonly reason: ByteString = '',
    readonly exitCode: number = Exit.STARTCLIENT,
  ) {
    super(line);
  }
}

/**
 * Leads the text part of one connection (protocol description, 1.6 and 2) up to the point where the module's own
 * rights are needed. Returns an exit code when the connection is over: then it was closed. Never throws.
 */
export async function greet(dialogue: Dialogue, client: Client, hall: Hall): Promise<Admission | number> {
  const { log } = hall;
  try {
    if (hall.overTcp) dialogue.deadline(handshakeSeconds(hall.config.defaults));
    // The client has its answer to make while its name is looked up.
    sendGreeting(dialogue, hall);
    if (hall.config.defaults.reverseLookup && client.name === UNDETERMINED)
      client.name = await clientName(client.address, (text) => log.info(text));
    log.info(`connect from ${client.name} (${client.address})`);
    const offer = await readGreeting(dialogue);
    const { module, earlyInput } = await chooseModule(dialogue, client, hall);
    return await admit(dialogue, client, hall, module, offer, earlyInput);
  } catch (error) {
    tell(dialogue, log, error);
    return error instanceof Refusal ? error.exitCode : Exit.STARTCLIENT;
  }
}

/** Seconds for the text part, and again for the arguments, of a connection to a module. */
export function handshakeSeconds(config: ModuleConfig): number {
  return config.timeout > 0 ? Math.min(config.timeout, HANDSHAKE_SECONDS) : HANDSHAKE_SECONDS;
}

function tell(dialogue: Dialogue, log: Log, error: unknown): void {
  if (dialogue.fate === 'deadline') {
    log.error('[Receiver] daemon handshake timeout -- exiting');
    log.error(exitLine(Exit.TIMEOUT, 'Receiver'));
  } else if (error instanceof Refusal || error instanceof SetupError) {
    if (error.reason !== '') log.info(error.reason);
    if (error.line !== '') dialogue.send(`${error.line}\n`);
  } else {
    const text = error instanceof RsyncError ? error.message : `internal error: ${String((error as Error).stack)}`;
    log.error(text);
    dialogue.send('@ERROR: internal error\n');
  }
  dialogue.close();
}

function sendGreeting(dialogue: Dialogue, hall: Hall): void {
  dialogue.send(greetingLine());
  const motd = expandVars(hall.config.global.motdFile, hall.env);
  if (motd !== '') {
    try {
      dialogue.send(readTrusted(motd, MAX_MOTD));
    } catch {
      // As with rsync, a message that cannot be read is no reason to turn anybody away.
    }
    dialogue.send('\n');
  }
}

async function readGreeting(dialogue: Dialogue): Promise<DigestOffer> {
  const line = await dialogue.line();
  if (line === null) throw new Refusal('');
  const greeting = parseGreeting(line);
  if (typeof greeting === 'string') throw new Refusal(greetingRefusal(greeting, line));
  if (greeting.version < MIN_PROTOCOL_VERSION || greeting.version > MAX_PROTOCOL_VERSION) {
    throw new Refusal('@ERROR: protocol startup error', `protocol version ${greeting.version} is not supported`);
  }
  return { protocol: agreeProtocol(greeting), digests: greeting.digests };
}

async function chooseModule(
  dialogue: Dialogue,
  client: Client,
  hall: Hall,
): Promise<{ module: Module; earlyInput: Buffer }> {
  const from = `from ${client.name} (${client.address})`;
  let line = await dialogue.line();
  let request = line === null ? null : parseRequest(line);
  let earlyInput: Buffer | null = Buffer.alloc(0);
  if (request?.kind === 'early-input') {
    if (request.length === 0) throw new Refusal('@ERROR: invalid early_input length');
    earlyInput = await dialogue.bytes(request.length);
    if (earlyInput === null) throw new Refusal('');
    line = await dialogue.line();
    request = line === null ? null : parseRequest(line);
  }
  if (request === null || line === null) throw new Refusal('');
  if (request.kind === 'list') {
    sendListing(dialogue, hall);
    throw new Refusal('@RSYNCD: EXIT', `module-list request ${from}`);
  }
  if (request.kind !== 'module') throw new Refusal(`@ERROR: Unknown command '${line}'`);
  const module = findModule(hall.config, request.name);
  if (module === null) {
    throw new Refusal(`@ERROR: Unknown module '${line}'`, `unknown module '${line}' tried ${from}`);
  }
  return { module, earlyInput };
}

function sendListing(dialogue: Dialogue, hall: Hall): void {
  let text = '';
  for (const { name, config } of hall.config.modules) {
    if (config.list) text += listingLine(name, expandVars(config.comment, hall.env));
  }
  if (text !== '') dialogue.send(text);
}

async function admit(
  dialogue: Dialogue,
  client: Client,
  hall: Hall,
  module: Module,
  offer: DigestOffer,
  earlyInput: Buffer,
): Promise<Admission> {
  const { log } = hall;
  const { name } = module;
  if (client.name === UNDETERMINED && module.config.reverseLookup) {
    client.name = await clientName(client.address, (text) => log.info(text));
  }
  const env = { ...hall.env, RSYNC_MODULE_NAME: name, RSYNC_HOST_NAME: client.name, RSYNC_HOST_ADDR: client.address };
  const early = expandModule(module.config, env);
  if (!(await hostAllowed(early, client, (text) => log.info(text)))) {
    const line = early.list
      ? `@ERROR: access denied to ${name} from ${client.name} (${client.address})`
      : `@ERROR: Unknown module '${name}'`;
    throw new Refusal(line, `rsync denied on module ${name} from ${client.name} (${client.address})`);
  }
  if (hall.overTcp) log.info(`rsync allowed access on module ${name} from ${client.name} (${client.address})`);
  const stay = new Stay(claimSlot(hall, early));
  try {
    if (hall.overTcp) dialogue.deadline(handshakeSeconds(early));
    const { user, access } = await authenticate(dialogue, client, hall, early, offer);
    const known = { ...env, RSYNC_USER_NAME: user };
    const path = cleanPath(expandVars(module.config.path, known));
    const config = expandModule(module.config, { ...known, RSYNC_MODULE_PATH: path });
    const readOnly = access === null ? config.readOnly : access === 'ro';
    config.name = name;
    let identity = await planIdentity(config);
    const filterFiles = readFilterFiles(config, offer.protocol);
    stay.hooks = hooksOf(hall, config, path, client, user);
    if (stay.hooks !== null) {
      dialogue.withoutDeadline();
      const { over } = stay.hooks;
      hall.hooked.add(over);
      void over.then(() => hall.hooked.delete(over));
      await stay.hooks.early(earlyInput);
      identity = lookedAtAgain(identity);
    }
    if (dialogue.fate !== '') throw new Refusal('');
    return { client, protocol: offer.protocol, user, readOnly, config, identity, filterFiles, stay };
  } catch (error) {
    stay.end(dialogue.fate === '' ? NOT_SERVED : CLIENT_GONE);
    throw error;
  }
}

function hooksOf(hall: Hall, config: ModuleConfig, path: ByteString, client: Client, user: ByteString): Hooks | null {
  const { env, hookOutput: output, log } = hall;
  try {
    return Hooks.of({ config, path, client, user, env, output, log });
  } catch (error) {
    if (!(error instanceof RsyncError)) throw error;
    log.error(error.message);
    throw new Refusal('', exitLine(error.exitCode, 'Receiver'), error.exitCode);
  }
}

function claimSlot(hall: Hall, config: ModuleConfig): Slot {
  const { maxConnections, lockFile } = config;
  let slot: Slot | null;
  try {
    slot = hall.slots.claim(lockFile, maxConnections);
  } catch (error) {
    const reason = `rsync: [Receiver] failed to open lock file ${lockFile}: ${errnoText(error)}`;
    throw new Refusal('@ERROR: failed to open lock file', reason);
  }
  if (slot === null) {
    throw new Refusal(
      `@ERROR: max connections (${maxConnections}) reached -- try again later`,
      `max connections (${maxConnections}) reached`,
    );
  }
  return slot;
}

async function authenticate(
  dialogue: Dialogue,
  client: Client,
  hall: Hall,
  config: ModuleConfig,
  offer: DigestOffer,
): Promise<{ user: ByteString; access: 'ro' | 'rw' | null }> {
  if (config.authUsers === '') return { user: '', access: null };
  const { name } = config;
  const failed = `auth failed on module ${name} from ${client.name} (${client.address})`;
  const refused = `@ERROR: auth failed on module ${name}`;
  const challenge = openChallenge(config, offer);
  if ('line' in challenge) throw new Refusal(challenge.line.trimEnd());
  if ('reason' in challenge) throw new Refusal(refused, `${failed}: ${challenge.reason}`);
  const result = await login(config, challenge.chosen, dialogue, (text) => hall.log.info(text));
  if (dialogue.fate !== '') throw new Refusal('', result.ok ? '' : `${failed}: ${result.reason}`);
  if (result.ok) return result;
  throw new Refusal(
    refused,
    result.user === undefined ? `${failed}: ${result.reason}` : `${failed} for ${result.user}: ${result.reason}`,
  );
}
