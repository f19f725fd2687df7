import type { ByteString } from '../../protocol/options.js';
import { COMMON_SPECS, type CommonOptions, EVENTS_HELP, newCommonOptions, takeCommon } from './common-options.js';
import { getopt, type OptionSpec, UsageError } from './getopt.js';

export const WAIT_PROGRAM = 'tsinotifywait';

const SPECS: readonly OptionSpec[] = [
  ...COMMON_SPECS,
  { key: 'm', long: 'monitor', hasValue: false },
  { key: 'd', long: 'daemon', hasValue: false },
  { key: 'q', long: 'quiet', hasValue: false },
  { key: 's', long: 'syslog', hasValue: false },
  { key: 'c', long: 'csv', hasValue: false },
  { key: 'o', long: 'outfile', hasValue: true },
  { key: 'format', long: 'format', hasValue: true },
  { key: 'timefmt', long: 'timefmt', hasValue: true },
  { key: 'no-newline', long: 'no-newline', hasValue: false },
];

export interface WaitOptions extends CommonOptions {
  files: ByteString[];
  monitor: boolean;
  daemon: boolean;
  /** 1: only events, 2: nothing. */
  quiet: number;
  syslog: boolean;
  csv: boolean;
  outFile: ByteString | null;
  format: ByteString | null;
  timeFormat: ByteString | null;
  newline: boolean;
}

/** Understands a command line. Throws UsageError. */
export function parseWait(args: readonly ByteString[], warn: (text: string) => void): WaitOptions {
  const words = getopt(args, SPECS, WAIT_PROGRAM);
  const options: WaitOptions = {
    ...newCommonOptions(),
    files: words.files,
    monitor: false,
    daemon: false,
    quiet: 0,
    syslog: false,
    csv: false,
    outFile: null,
    format: null,
    timeFormat: null,
    newline: true,
  };
  for (const { key, value } of words.options) {
    if (!takeCommon(options, key, value, warn)) take(options, key, value);
  }
  if (!options.help) check(options);
  return options;
}

function take(options: WaitOptions, key: string, value: ByteString): void {
  if (key === 'm') options.monitor = true;
  else if (key === 'd') options.daemon = options.monitor = options.syslog = true;
  else if (key === 'q') options.quiet++;
  else if (key === 's') options.syslog = true;
  else if (key === 'c') options.csv = true;
  else if (key === 'format') options.format = value;
  else if (key === 'timefmt') options.timeFormat = value;
  else if (key === 'no-newline') options.newline = false;
  else {
    if (options.outFile !== null) throw new UsageError('Multiple --outfile options given.');
    options.outFile = value;
  }
}

function check({ csv, format, timeFormat, newline, daemon, outFile }: WaitOptions): void {
  if (csv && format !== null) throw new UsageError('-c and --format cannot both be specified.');
  if (format === null && !newline) throw new UsageError('--no-newline cannot be specified without --format.');
  if (format === null && timeFormat !== null) throw new UsageError('--timefmt cannot be specified without --format.');
  if (format?.includes('%T') && timeFormat === null) {
    throw new UsageError('%T is in --format string, but --timefmt was not specified.');
  }
  if (daemon && outFile === null) throw new UsageError('-o must be specified with -d.');
}

export const WAIT_HELP = `${WAIT_PROGRAM} (tsrsync), after inotifywait of inotify-tools
Waits until something happens to files, and says what.
Usage: ${WAIT_PROGRAM} [OPTION]... FILE...

  @FILE                   leave the directory FILE out
  -r, --recursive         directories with all below them; with -m also those that appear, and what is in them already
  -m, --monitor           go on after the first event
  -d, --daemon            the same in the background; needs --outfile, implies --syslog
  -e, --event EVENTS      only these events (comma-separated; may be repeated); without it, all
  -t, --timeout SECONDS   give up when nothing happens for so long; 0: never
  --exclude REGEX         nothing whose path matches this extended regular expression
  --excludei REGEX        the same, upper and lower case alike
  --include REGEX         only what matches
  --includei REGEX        the same, upper and lower case alike
  -P, --no-dereference    watch symbolic links themselves
  --fromfile FILE         names to watch, one a line; - is standard input
  -o, --outfile FILE      append events to FILE instead of printing them
  -s, --syslog            errors go to the system log
  -q, --quiet             only events; twice: nothing at all
  --format FORMAT         %w watched name, %f name in it, %e events, %Xe the same joined by X, %T time,
                          %c cookie of a move, %0 NUL, %n newline, %% percent sign
  --timefmt FORMAT        how %T looks, as in strftime(3)
  --no-newline            no newline after FORMAT
  -c, --csv               comma-separated values
  -I, --inotify           use inotify (as without it)
  -F, --fanotify          use fanotify: no watch for each directory (root only)
  -S, --filesystem        all of the file systems that the files are on
  -h, --help              this text

Exit code: 0 an event that was asked for; 1 one that was not, such as the end of what is watched, or an error;
2 nothing happened in time.
${EVENTS_HELP}`;
