import type { ByteString } from '../../../protocol/options.js';
import { pathPattern } from './path-pattern.js';
import {
  events,
  hostAndPort,
  httpUrl,
  loopbackAddress,
  nonEmpty,
  oneOf,
  type Parse,
  percent,
  positiveTime,
  schedule,
  time,
  wholeNumber,
  yesNo,
} from './values.js';
import { splitWords } from './words.js';

/** Where a key may stand. Those of a sync or target may also stand further out and are then the default. */
export type Level = 'global' | 'sync' | 'target' | 'hook';

interface Key<T> {
  level: Level;
  parse: Parse<T>;
  /** May be given several times. */
  many?: true;
}

function key<T>(level: Level, parse: Parse<T>): Key<T> {
  return { level, parse };
}

function list<T>(level: Level, parse: Parse<T>): Key<T> {
  return { level, parse, many: true };
}

const count = wholeNumber(1, 999_999_999);
const port = wholeNumber(1, 65535);

/** A file, or `none`. */
const fileOrNone: Parse<ByteString> = (value) => (value.toLowerCase() === 'none' ? '' : nonEmpty(value));

/** Every key of a configuration. Words in `options` and rules keep their order, whichever key they come from. */
export const KEYS = {
  'log file': key('global', nonEmpty),
  'pid file': key('global', nonEmpty),
  'status socket': key('global', fileOrNone),
  http: key('global', loopbackAddress),
  'status file': key('global', nonEmpty),
  'status interval': key('global', positiveTime),
  'total sessions': key('global', wholeNumber(0, 10_000)),
  'drain time': key('global', time),

  source: list('sync', nonEmpty),
  target: list('sync', nonEmpty),
  events: key('sync', events),
  settle: key('sync', time),
  watch: key('sync', oneOf('auto', 'inotify', 'fanotify', 'poll')),
  poll: key('sync', positiveTime),
  'full resync': list('sync', schedule),
  'resync options': list('sync', splitWords),
  'resync exclude': list('sync', nonEmpty),
  'retry first': key('sync', positiveTime),
  'retry most': key('sync', positiveTime),
  'delete guard': key('sync', percent),
  'delete guard from': key('sync', count),
  'most pending': key('sync', count),

  to: key('target', nonEmpty),
  options: list('target', splitWords),
  exclude: list('target', nonEmpty),
  include: list('target', nonEmpty),
  filter: list('target', nonEmpty),
  'exclude from': list('target', nonEmpty),
  'include from': list('target', nonEmpty),
  user: key('target', nonEmpty),
  'password file': key('target', nonEmpty),
  port: key('target', port),
  sessions: key('target', wholeNumber(1, 100)),

  command: key('hook', nonEmpty),
  separator: key('hook', oneOf('newline', 'nul')),
  url: key('hook', httpUrl),
  'header file': key('hook', nonEmpty),
  'base url': key('hook', httpUrl),
  tcp: key('hook', hostAndPort),
  match: list('hook', pathPattern),
  skip: list('hook', pathPattern),
  on: key('hook', oneOf('success', 'failure', 'always')),
  'only target': list('hook', nonEmpty),
  deletions: key('hook', yesNo),
  queue: key('hook', count),
  retries: key('hook', wholeNumber(0, 1_000_000)),
  'hook retry first': key('hook', positiveTime),
  'hook retry most': key('hook', positiveTime),
  timeout: key('hook', positiveTime),
} as const satisfies Record<string, Key<unknown>>;

export type KeyName = keyof typeof KEYS;
export type Value<K extends KeyName> = (typeof KEYS)[K] extends Key<infer T> ? T : never;

/** Keys whose words make up a command line, in the order in which they are written. */
export const RULE_KEYS = ['exclude', 'include', 'filter', 'exclude from', 'include from'] as const;

const LEVELS: Readonly<Record<Level, readonly Level[]>> = {
  global: ['global', 'sync', 'target'],
  sync: ['sync', 'target'],
  target: ['target'],
  hook: ['hook'],
};

/** Keys that say what a section itself is: further out they would make no sense. */
const OWN: ReadonlySet<string> = new Set(['source', 'target', 'to']);

/** True when `name` may stand in a section of this level. */
export function allowedIn(name: KeyName, level: Level): boolean {
  if (KEYS[name].level === level) return true;
  return LEVELS[level].includes(KEYS[name].level) && !OWN.has(name);
}

export function keysOf(level: Level): string[] {
  return Object.keys(KEYS).filter((name) => allowedIn(name as KeyName, level));
}
