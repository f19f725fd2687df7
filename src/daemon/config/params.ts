import type { ByteString } from '../../../protocol/options.js';
import { FACILITIES } from '../../report/syslog.js';
import { plainName } from './lex.js';

/**
 * Kinds of values. A 'path' is a string that loses its trailing slashes, a 'command' one that a shell reads: it keeps its
 * variables until their values are quoted for it. 'bool3' may be unset (null).
 */
export type ParamKind = 'string' | 'path' | 'command' | 'int' | 'bool' | 'bool3' | 'facility';

interface Param<T> {
  /** Spelling in messages. */
  label: string;
  kind: ParamKind;
  initial: T;
}

const text = (label: string, initial: ByteString = ''): Param<ByteString> => ({ label, kind: 'string', initial });
const path = (label: string): Param<ByteString> => ({ label, kind: 'path', initial: '' });
const command = (label: string): Param<ByteString> => ({ label, kind: 'command', initial: '' });
const int = (label: string, initial: number): Param<number> => ({ label, kind: 'int', initial });
const bool = (label: string, initial: boolean): Param<boolean> => ({ label, kind: 'bool', initial });
const bool3 = (label: string): Param<boolean | null> => ({ label, kind: 'bool3', initial: null });

/** Parameters that only make sense for the whole daemon. */
export const GLOBAL_PARAMS = {
  address: text('address'),
  daemonChroot: text('daemon chroot'),
  daemonGid: text('daemon gid'),
  daemonUid: text('daemon uid'),
  motdFile: text('motd file'),
  pidFile: text('pid file'),
  proxyProtocolHosts: text('proxy protocol hosts'),
  socketOptions: text('socket options'),
  listenBacklog: int('listen backlog', 5),
  port: int('port', 0),
  proxyProtocol: bool('proxy protocol', false),
};

/** Parameters of a module; in the global part of a file they set the default of the modules that follow. */
export const MODULE_PARAMS = {
  authDigest: text('auth digest'),
  authUsers: text('auth users'),
  charset: text('charset'),
  comment: text('comment'),
  dontCompress: text('dont compress'),
  earlyExec: command('early exec'),
  exclude: text('exclude'),
  excludeFrom: text('exclude from'),
  filter: text('filter'),
  gid: text('gid'),
  hostsAllow: text('hosts allow'),
  hostsDeny: text('hosts deny'),
  include: text('include'),
  includeFrom: text('include from'),
  incomingChmod: text('incoming chmod'),
  lockFile: text('lock file', '/var/run/rsyncd.lock'),
  logFile: text('log file'),
  logFormat: text('log format', '%o %h [%a] %m (%u) %f %l'),
  name: text('name'),
  nameConverter: command('name converter'),
  outgoingChmod: text('outgoing chmod'),
  postXferExec: command('post-xfer exec'),
  preXferExec: command('pre-xfer exec'),
  refuseOptions: text('refuse options'),
  secretsFile: text('secrets file'),
  syslogTag: text('syslog tag', 'rsyncd'),
  uid: text('uid'),
  path: path('path'),
  tempDir: path('temp dir'),
  maxConnections: int('max connections', 0),
  maxVerbosity: int('max verbosity', 1),
  timeout: int('timeout', 0),
  syslogFacility: { label: 'syslog facility', kind: 'facility', initial: 'daemon' } as Param<string>,
  fakeSuper: bool('fake super', false),
  forwardLookup: bool('forward lookup', true),
  ignoreErrors: bool('ignore errors', false),
  ignoreNonreadable: bool('ignore nonreadable', false),
  insecureLinks: bool('insecure links', false),
  list: bool('list', true),
  readOnly: bool('read only', true),
  reverseLookup: bool('reverse lookup', true),
  strictModes: bool('strict modes', true),
  transferLogging: bool('transfer logging', false),
  writeOnly: bool('write only', false),
  mungeSymlinks: bool3('munge symlinks'),
  numericIds: bool3('numeric ids'),
  openNoatime: bool3('open noatime'),
  useChroot: bool3('use chroot'),
};

type Values<T> = { -readonly [K in keyof T]: T[K] extends Param<infer V> ? V : never };

/** The daemon's own settings. Strings are byte strings with their `%VAR%` references still in them. */
export type GlobalConfig = Values<typeof GLOBAL_PARAMS>;
/** The settings of one module, plain data that can be sent to a worker. Strings as in `GlobalConfig`. */
export type ModuleConfig = Values<typeof MODULE_PARAMS>;

const OTHER_NAMES: Readonly<Record<string, keyof GlobalConfig>> = { rsyncport: 'port', bindaddress: 'address' };

export interface ParamEntry {
  scope: 'global' | 'module';
  key: keyof GlobalConfig | keyof ModuleConfig;
  param: Param<unknown>;
}

const BY_NAME = new Map<string, ParamEntry>();
for (const [key, param] of Object.entries(GLOBAL_PARAMS)) {
  BY_NAME.set(plainName(param.label), { scope: 'global', key: key as keyof GlobalConfig, param });
}
for (const [key, param] of Object.entries(MODULE_PARAMS)) {
  BY_NAME.set(plainName(param.label), { scope: 'module', key: key as keyof ModuleConfig, param });
}
for (const [name, key] of Object.entries(OTHER_NAMES)) {
  BY_NAME.set(name, { scope: 'global', key, param: GLOBAL_PARAMS[key] });
}

/** The parameter of that name, whatever its case and spaces; null when there is none. */
export function findParam(name: ByteString): ParamEntry | null {
  return BY_NAME.get(plainName(name)) ?? null;
}

function defaults<T extends Record<string, Param<unknown>>>(table: T): Values<T> {
  return Object.fromEntries(Object.entries(table).map(([key, param]) => [key, param.initial])) as Values<T>;
}

export function defaultGlobal(): GlobalConfig {
  return defaults(GLOBAL_PARAMS);
}

export function defaultModule(): ModuleConfig {
  return defaults(MODULE_PARAMS);
}

/** The leading integer of a text, as C's atoi reads it, kept in 32 bits. */
function leadingInt(value: string): number {
  const n = Number.parseInt(value, 10);
  return Number.isNaN(n) ? 0 : Math.max(-0x80000000, Math.min(0x7fffffff, n));
}

/**
 * The value of a parameter, or undefined when the text has no meaning for its kind (the setting then stays as it was).
 * `text` has its variables replaced already unless the kind is a string.
 */
export function parseValue(kind: ParamKind, value: ByteString): ByteString | number | boolean | null | undefined {
  switch (kind) {
    case 'string':
    case 'command':
      return value;
    case 'path':
      return value.length > 1 ? value.replace(/(?<=.)\/+$/, '') : value;
    case 'int':
      return leadingInt(value);
    case 'facility':
      return value.toLowerCase() in FACILITIES ? value.toLowerCase() : undefined;
    default: {
      const word = plainName(value);
      if (word === 'yes' || word === 'true' || word === '1') return true;
      if (word === 'no' || word === 'false' || word === '0') return false;
      return kind === 'bool3' && (word === 'unset' || word === '-1') ? null : undefined;
    }
  }
}
