import type { ByteString } from '../../protocol/options.js';
import { eventsAskedFor } from './events.js';
import { type OptionSpec, UsageError } from './getopt.js';
import type { NameFilter, Via } from './listening.js';

/** Options that both tools have. */
export const COMMON_SPECS: readonly OptionSpec[] = [
  { key: 'h', long: 'help', hasValue: false },
  { key: 'r', long: 'recursive', hasValue: false },
  { key: 'P', long: 'no-dereference', hasValue: false },
  { key: 'I', long: 'inotify', hasValue: false },
  { key: 'F', long: 'fanotify', hasValue: false },
  { key: 'S', long: 'filesystem', hasValue: false },
  { key: 't', long: 'timeout', hasValue: true },
  { key: 'e', long: 'event', hasValue: true },
  { key: 'fromfile', long: 'fromfile', hasValue: true },
  { key: 'exclude', long: 'exclude', hasValue: true },
  { key: 'excludei', long: 'excludei', hasValue: true },
  { key: 'include', long: 'include', hasValue: true },
  { key: 'includei', long: 'includei', hasValue: true },
];

/** What the common options say. */
export interface CommonOptions {
  help: boolean;
  recursive: boolean;
  noFollow: boolean;
  /** Seconds; 0 waits for ever. */
  timeout: number;
  /** Bits of inotify(7); 0 when none were named. */
  events: number;
  fromFile: ByteString | null;
  filter: NameFilter | null;
  via: Via;
}

export function newCommonOptions(): CommonOptions {
  return {
    help: false,
    recursive: false,
    noFollow: false,
    timeout: 0,
    events: 0,
    fromFile: null,
    filter: null,
    via: 'inotify',
  };
}

const VIA: Readonly<Record<string, Via>> = { I: 'inotify', F: 'fanotify', S: 'file system' };

/** Takes one option; false when it is none of the common ones. Throws UsageError. */
export function takeCommon(
  options: CommonOptions,
  key: string,
  value: ByteString,
  warn: (text: string) => void,
): boolean {
  if (key === 'h') options.help = true;
  else if (key === 'r') options.recursive = true;
  else if (key === 'P') options.noFollow = true;
  else if (key === 't') options.timeout = parseTimeout(value);
  else if (key === 'e') options.events |= eventsAskedFor(value);
  else if (key === 'fromfile') {
    if (options.fromFile !== null) throw new UsageError('Multiple --fromfile options given.');
    options.fromFile = value;
  } else if (key in VIA) options.via = VIA[key];
  else if (/^(ex|in)clude/.test(key)) takeFilter(options, key, value, warn);
  else return false;
  return true;
}

function takeFilter(options: CommonOptions, key: string, pattern: ByteString, warn: (text: string) => void): void {
  const filter: NameFilter = { pattern, ignoreCase: key.endsWith('i'), include: key.startsWith('include') };
  const { filter: before } = options;
  if (before !== null && before.include !== filter.include) {
    throw new UsageError('include and exclude regexp cannot both be specified.');
  }
  if (before !== null && before.ignoreCase !== filter.ignoreCase) {
    const kind = filter.include ? 'include' : 'exclude';
    throw new UsageError(`--${kind} and --${kind}i cannot both be specified.`);
  }
  if (before !== null) warn(`--${key}: only the last option will be taken into consideration.`);
  options.filter = filter;
}

function parseTimeout(value: ByteString): number {
  if (!/^\s*[-+]?\d+$/.test(value)) {
    throw new UsageError(`'${value}' is not a valid timeout value.\nPlease specify a long int value.`);
  }
  return Number(value);
}

/** The part of a help text that is about events. */
export const EVENTS_HELP = `
Events:
  access         something was read from a file or directory
  modify         something was written to a file
  attrib         mode, owner, times, link count or extended attributes changed
  close_write    a file that could be written to was closed
  close_nowrite  a file or directory that could only be read was closed
  close          one of the two
  open           a file or directory was opened
  moved_to       something came into a watched directory by a rename
  moved_from     something left a watched directory by a rename
  move           one of the two
  move_self      what is watched was renamed itself
  create         something was made in a watched directory
  delete         something was removed from a watched directory
  delete_self    what is watched was removed itself
  unmount        the file system of what is watched was unmounted
`;
