import { allowIncRecurse } from './handshake/negotiate.js';
import type { ByteString, Options } from './options.js';

/**
 * Batch files (14): a head, and behind it the data stream of a sender without frames. What the stream's form depends on
 * stands in the head: a bitmap of options, protocol version, compat flags and checksum seed.
 */

/** One bit of the bitmap: the option, as messages name it, what it is here, and how it is set. */
interface StreamOption {
  name: string;
  isOn(o: Options): boolean;
  set(o: Options, on: boolean): void;
}

type Flag = 'recurse' | 'owner' | 'group' | 'links' | 'devices' | 'hardLinks' | 'checksum' | 'compress' | 'acls';

const flag = (name: string, key: Flag | 'inplace'): StreamOption => ({
  name,
  isOn: (o) => o[key],
  set: (o, on) => {
    o[key] = on;
  },
});

const append = (name: string, mode: number): StreamOption => ({
  name,
  isOn: (o) => o.append === mode,
  set: (o, on) => {
    if (on) o.append = mode;
    else if (o.append === mode) o.append = 0;
  },
});

/** By bit number. */
const STREAM_OPTIONS: readonly StreamOption[] = [
  flag('--recurse (-r)', 'recurse'),
  flag('--owner (-o)', 'owner'),
  flag('--group (-g)', 'group'),
  flag('--links (-l)', 'links'),
  flag('--devices (-D)', 'devices'),
  flag('--hard-links (-H)', 'hardLinks'),
  flag('--checksum (-c)', 'checksum'),
  {
    name: '--dirs (-d)',
    isOn: (o) => o.dirs > 0 || o.recurse,
    set: (o, on) => {
      o.dirs = on ? 1 : 0;
    },
  },
  flag('--compress (-z)', 'compress'),
  { name: '--iconv', isOn: (o) => o.iconv !== '', set: () => {} },
  flag('--acls (-A)', 'acls'),
  {
    name: '--xattrs (-X)',
    isOn: (o) => o.xattrs > 0,
    set: (o, on) => {
      o.xattrs = on ? 1 : 0;
    },
  },
  flag('--inplace', 'inplace'),
  append('--append', 1),
  append('--append-verify', 2),
];
const ICONV = 9;

/** How many of them a protocol version knows. */
function knownOptions(protocol: number): number {
  if (protocol < 29) return 7;
  return protocol < 30 ? 9 : STREAM_OPTIONS.length;
}

/** The bitmap for these options. */
export function streamFlags(o: Options): number {
  return STREAM_OPTIONS.reduce((flags, option, bit) => (option.isOn(o) ? flags | (1 << bit) : flags), 0);
}

/**
 * Sets the options to what the stream behind `flags` was made with. Returns a line for each that was set otherwise.
 * Throws `refuse`, made with its text, when --iconv is missing, or there in vain.
 */
export function adoptStreamFlags(
  o: Options,
  flags: number,
  protocol: number,
  refuse: (text: string) => Error,
): string[] {
  const changed: [StreamOption, boolean][] = [];
  for (let bit = 0; bit < knownOptions(protocol); bit++) {
    const option = STREAM_OPTIONS[bit];
    const on = (flags & (1 << bit)) !== 0;
    if (option.isOn(o) === on) continue;
    if (bit === ICONV) throw refuse(`${on ? 'Please' : 'Do not'} specify the --iconv option to use this batch file.`);
    changed.push([option, on]);
  }
  for (const [option, on] of changed) option.set(o, on);
  if (protocol < 29) o.dirs = o.recurse ? Math.max(o.dirs, 1) : o.dirs < 2 ? 0 : o.dirs;
  return changed.map(([{ name }, on]) => `${on ? 'Sett' : 'Clear'}ing the ${name} option to match the batchfile.\n`);
}

/** Whether the options of a command line, before they are set by a batch file, let its lists come one by one. */
export function mayReadLists(o: Options): boolean {
  return allowIncRecurse(o, true);
}

/** Bytes as one word for a shell. What is plainly an option keeps its name outside of the quotes. */
export function shellWord(word: ByteString): ByteString {
  const option = /^-[-\w]*=/.exec(word)?.[0] ?? '';
  return `${option}'${word.slice(option.length).replaceAll("'", "'\\''")}'`;
}
