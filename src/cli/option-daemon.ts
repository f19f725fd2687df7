/** The command line of `--daemon`: a table of its own, in which an unknown option is told as such. */
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { ScanError, walk } from './option-scan.js';
import { indexRows, type Row } from './option-table.js';
import { parseInteger } from './option-values.js';

/** Settings of a daemon that its command line overrides. */
export interface DaemonOptions {
  /** '' when not given. */
  address: string;
  /** KiB per second, 0 for no limit. */
  bwlimit: number;
  /** '' when not given. */
  config: ByteString;
  /** `name=value` of each --dparam, in order. */
  dparams: string[];
  noDetach: boolean;
  /** 0 when not given. */
  port: number;
  logFile: ByteString;
  logFileFormat: string;
  sockopts: string;
  tempDir: ByteString;
  verbose: number;
  ipFamily: 0 | 4 | 6;
  protocol: number;
  /** `--server --daemon`: one connection on standard input and output (1.7). */
  server: boolean;
}

/** Thrown when --help was among a daemon's options. */
export class DaemonHelp extends Error {}

type Kind = Row['arg'];
const row = (name: string, arg: Kind = 'none'): Row => {
  const [long, short = ''] = name.split(',');
  return { long, short, arg };
};

const daemonRows = () => [
  row('address', 'text'),
  row('bwlimit', 'int'),
  row('config', 'text'),
  row('daemon'),
  row('dparam,M', 'text'),
  row('ipv4,4'),
  row('ipv6,6'),
  row('detach'),
  row('no-detach'),
  row('log-file', 'text'),
  row('log-file-format', 'text'),
  row('port', 'int'),
  row('sockopts', 'text'),
  row('protocol', 'int'),
  row('server'),
  row('temp-dir,T', 'text'),
  row('verbose,v'),
  row('no-verbose'),
  row('no-v'),
  row('help,h'),
];

function failure(message: string): RsyncError {
  return new RsyncError(1, `${message}\n(Type "rsync --daemon --help" for assistance with daemon mode.)`);
}

/** Parses the whole command line again with the daemon's table. Returns what is not an option, too. */
export function parseDaemonArgs(argv: readonly ByteString[]): { daemon: DaemonOptions; args: ByteString[] } {
  const d: DaemonOptions = {
    address: '',
    bwlimit: 0,
    config: '',
    dparams: [],
    noDetach: false,
    port: 0,
    logFile: '',
    logFileFormat: '',
    sockopts: '',
    tempDir: '',
    verbose: 0,
    ipFamily: 0,
    protocol: 0,
    server: false,
  };
  const args: ByteString[] = [];
  let asked = false;
  try {
    const take = (r: Row, value: string, word: string) => {
      if (r.long === 'daemon') asked = true;
      else takeDaemonOption(d, r, value, word);
    };
    walk(argv, indexRows(daemonRows()), args, () => false, take);
  } catch (e) {
    if (e instanceof ScanError) throw failure(`rsync: ${e.text} (in daemon mode)`);
    throw e;
  }
  if (!asked) throw failure('Daemon option(s) used without --daemon.');
  return { daemon: d, args };
}

function takeDaemonOption(d: DaemonOptions, r: Row, value: string, word: string): void {
  if (r.arg === 'int') {
    const n = parseInteger(value);
    if (typeof n === 'string') throw new ScanError(`${word}: ${n}`);
    d[r.long as 'bwlimit' | 'port' | 'protocol'] = n;
    return;
  }
  switch (r.long) {
    case 'address':
    case 'config':
    case 'sockopts':
      d[r.long] = value;
      return;
    case 'log-file':
      d.logFile = value;
      return;
    case 'log-file-format':
      d.logFileFormat = value;
      return;
    case 'temp-dir':
      d.tempDir = value;
      return;
    case 'dparam':
      if (!value.includes('=')) throw failure(`--dparam value is missing an '=': ${value}`);
      d.dparams.push(value);
      return;
    case 'ipv4':
    case 'ipv6':
      d.ipFamily = r.long === 'ipv4' ? 4 : 6;
      return;
    case 'detach':
    case 'no-detach':
      d.noDetach = r.long === 'no-detach';
      return;
    case 'verbose':
      d.verbose++;
      return;
    case 'no-verbose':
    case 'no-v':
      d.verbose = 0;
      return;
    case 'server':
      d.server = true;
      return;
    case 'help':
      throw new DaemonHelp();
  }
}
