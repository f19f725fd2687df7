import type { ByteString } from '../../protocol/options.js';
import { IN } from '../libc/inotify.js';
import { COMMON_SPECS, type CommonOptions, EVENTS_HELP, newCommonOptions, takeCommon } from './common-options.js';
import { eventBits } from './events.js';
import { getopt, type OptionSpec, UsageError } from './getopt.js';
import { listen } from './listener.js';
import { writeOut } from './output.js';
import { type Sorting, Statistics } from './statistics.js';

const PROGRAM = 'tsinotifywatch';

const SPECS: readonly OptionSpec[] = [
  ...COMMON_SPECS,
  { key: 'v', long: 'verbose', hasValue: false },
  { key: 'z', long: 'zero', hasValue: false },
  { key: 'a', long: 'ascending', hasValue: true },
  { key: 'd', long: 'descending', hasValue: true },
];

const HELP = `${PROGRAM} (tsrsync), after inotifywatch of inotify-tools
Counts what happens to files until it is interrupted, and prints a table then; at SIGUSR1 also in between.
Usage: ${PROGRAM} [OPTION]... FILE...

  @FILE                    leave the directory FILE out
  -r, --recursive          directories with all below them, and those that appear
  -e, --event EVENTS       only these events (comma-separated; may be repeated); without it, all
  -t, --timeout SECONDS    end after so long; 0: never
  -a, --ascending EVENT    sort by an event, or by 'total', the greatest last
  -d, --descending EVENT   the greatest first
  -z, --zero               rows and columns too in which there is nothing but zeros
  --exclude REGEX          nothing whose path matches this extended regular expression
  --excludei REGEX         the same, upper and lower case alike
  --include REGEX          only what matches
  --includei REGEX         the same, upper and lower case alike
  -P, --no-dereference     watch symbolic links themselves
  --fromfile FILE          names to watch, one a line; - is standard input
  -v, --verbose            say more
  -I, --inotify            use inotify (as without it)
  -F, --fanotify           use fanotify: no watch for each directory (root only)
  -S, --filesystem         all of the file systems that the files are on
  -h, --help               this text

Exit code: 0, or 1 after an error.
${EVENTS_HELP}`;

interface CountOptions extends CommonOptions {
  files: ByteString[];
  verbose: boolean;
  zero: boolean;
  sorting: Sorting;
}

function warn(text: ByteString): void {
  writeOut(2, `${text}\n`);
}

function parse(args: readonly ByteString[]): CountOptions {
  const words = getopt(args, SPECS, PROGRAM);
  const sorting: Sorting = { bits: 0, ascending: false };
  const options: CountOptions = { ...newCommonOptions(), files: words.files, verbose: false, zero: false, sorting };
  for (const { key, value } of words.options) {
    if (takeCommon(options, key, value, warn)) continue;
    if (key === 'v') options.verbose = true;
    else if (key === 'z') options.zero = true;
    else options.sorting = { bits: sortingKey(value), ascending: key === 'a' };
  }
  return options;
}

function sortingKey(name: ByteString): number {
  const bits = name.toLowerCase() === 'total' ? 0 : eventBits(name);
  if (bits === undefined) throw new UsageError(`'${name}' is not a valid key for sorting!`);
  return bits;
}

/** Runs the command; resolves with its exit code. */
export async function runCount(args: readonly ByteString[]): Promise<number> {
  try {
    const options = parse(args);
    if (options.help) writeOut(1, HELP);
    else await count(options);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    warn(error.message);
    return 1;
  }
}

async function count(options: CountOptions): Promise<void> {
  const statistics = new Statistics();
  const events = options.events === 0 ? IN.ALL_EVENTS : options.events;
  const listening = { ...options, events, follow: options.recursive, warn };
  const listener = listen(listening, (event) => statistics.count(event.watched, event.mask & events));
  warn('Establishing watches...');
  const loud = (text: string) => (name: ByteString) => {
    if (options.verbose && options.recursive) warn(text.replace('%', () => name));
  };
  listener.watchAll('Failed to watch', loud('Setting up watch(es) on %'), loud('OK, % is now being watched.'));
  for (const path of listener.paths) statistics.watch(path);
  if (options.verbose) warn(`Total of ${listener.paths.length} watches.`);
  warn('Finished establishing watches, now collecting statistics.');
  if (options.timeout < 0) throw new UsageError('Negative timeout specified - abort!');
  if (options.timeout > 0 && options.verbose) warn(`Will listen for events for ${options.timeout} seconds.`);
  const print = () => statistics.table(events, options.zero, options.sorting);
  process.on('SIGUSR1', () => writeOut(1, `${print()}\n`));
  await untilEnd(options.timeout);
  listener.close();
  const table = print();
  if (table === '') warn('No events occurred.');
  else writeOut(1, table);
}

/** Resolves after so many seconds (0: never), or when the program is asked to end. */
function untilEnd(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.once(signal, () => resolve());
    if (seconds > 0) setTimeout(resolve, Math.min(seconds * 1000, 2 ** 31 - 1));
  });
}
