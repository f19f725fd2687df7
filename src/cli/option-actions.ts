/** What an option does that is more than storing a value. Messages are rsync's. */
import { MAX_BLOCK_SIZE, OLD_MAX_BLOCK_SIZE } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { applyWords, type Levels, type WordKind, wordsHelp } from '../../protocol/handshake/levels.js';
import type { BasisKind, FilterSource } from '../../protocol/options.js';
import { TargetError } from '../client/target.js';
import type { Settings } from './option-settings.js';
import { parseStopAfter, parseStopAt } from './option-times.js';
import { isChmod, parseSize, usageError } from './option-values.js';

/** Thrown by an option that asks for a text and nothing else (--info=help). */
export class HelpRequest extends Error {
  constructor(readonly text: string) {
    super('help requested');
  }
}

type Action = (s: Settings, value: string) => void;

const MAX_BASIS_DIRS = 20;

const filter =
  (kind: FilterSource['kind']): Action =>
  (s, value) => {
    s.filters.push({ kind, value });
  };

const basisDir =
  (kind: BasisKind): Action =>
  (s, value) => {
    if (s.basisKind !== null && s.basisKind !== kind) {
      throw usageError(`ERROR: the --${kind}-dest option conflicts with the --${s.basisKind}-dest option`);
    }
    if (s.basisDirs.length >= MAX_BASIS_DIRS) {
      throw usageError(`ERROR: at most ${MAX_BASIS_DIRS} --${kind}-dest args may be specified`);
    }
    s.basisKind = kind;
    s.basisDirs.push(value);
  };

function words(s: Settings, kind: WordKind, list: string): void {
  const levels: Levels = s[kind];
  let rest = list;
  for (;;) {
    const bad = applyWords(levels, rest, true);
    if (bad === null) return;
    if (bad === 'help') throw new HelpRequest(wordsHelp(kind));
    if (s.server === 0) throw new RsyncError(1, `Unknown --${kind} item: "${bad}"`);
    // A server passes over words that only its client knows.
    const comma = rest.indexOf(',', rest.indexOf(bad));
    if (comma < 0) return;
    rest = rest.slice(comma + 1);
  }
}

function mapOnce(s: Settings, field: 'usermap' | 'groupmap', value: string): void {
  const byChown = field === 'usermap' ? s.usermapByChown : s.groupmapByChown;
  if (s[field] !== null) {
    throw usageError(byChown ? `--${field} conflicts with prior --chown.` : `You can only specify --${field} once.`);
  }
  if (value === '') throw new TargetError(`No colon found in --${field}: `, 'Receiver');
  s[field] = value;
}

function chownPart(s: Settings, field: 'usermap' | 'groupmap', name: string): void {
  const [byChown, kind] =
    field === 'usermap' ? ([s.usermapByChown, 'user'] as const) : ([s.groupmapByChown, 'group'] as const);
  if (s[field] !== null) {
    throw usageError(
      byChown ? `You can only specify a ${kind}-affecting --chown once.` : `--chown conflicts with prior --${field}.`,
    );
  }
  s[field] = `*:${name}`;
}

function chown(s: Settings, value: string): void {
  const colon = value.indexOf(':');
  const user = colon < 0 ? value : value.slice(0, colon);
  const group = colon < 0 ? '' : value.slice(colon + 1);
  if (user !== '') {
    chownPart(s, 'usermap', user);
    s.usermapByChown = 1;
    s.owner = 1;
  }
  if (group !== '') {
    chownPart(s, 'groupmap', group);
    s.groupmapByChown = 1;
    s.group = 1;
  }
}

function stderrMode(s: Settings, value: string): void {
  const mode = value === '' ? -1 : ['client', 'all', 'errors'].findIndex((name) => name.startsWith(value));
  if (mode < 0) throw usageError(`--stderr mode "${value}" is not one of errors, all, or client`);
  s.stderrMode = mode;
  s.stderrGiven = 1;
}

const size = (value: string, name: string, unit: string, min: number, max: number, zeroIsUnlimited = false) =>
  parseSize(value, { name, unit, min, max, zeroIsUnlimited });

export const ACTIONS = {
  version: (s) => void s.version++,
  verbose: (s) => void s.verbose++,
  info: (s, value) => words(s, 'info', value),
  debug: (s, value) => words(s, 'debug', value),
  stderr: stderrMode,
  quiet: (s) => void s.quiet++,
  humanReadable: (s) => void s.humanReadable++,
  archive: (s) => {
    if (s.recurse === 0) s.recurse = 1;
    s.links = 1;
    s.perms = 1;
    s.times = 1;
    s.group = 1;
    s.owner = 1;
    s.devices = 1;
    s.specials = 1;
  },
  acls: (s) => {
    s.acls = 1;
    s.perms = 1;
  },
  xattrs: (s) => void s.xattrs++,
  atimes: (s) => {
    if (++s.atimes > 1) s.openNoatime = 1;
  },
  modifyWindow: (s) => {
    s.modifyWindowGiven = 1;
  },
  devicesAndSpecials: (s) => {
    s.devices = 1;
    s.specials = 1;
  },
  noDevicesAndSpecials: (s) => {
    s.devices = 0;
    s.specials = 0;
  },
  hardLinks: (s) => void s.hardLinks++,
  chmod: (s, value) => {
    if (!isChmod(value)) throw usageError(`Invalid argument passed to --chmod (${value})`);
    s.chmod.push(value);
  },
  oneFileSystem: (s) => void s.oneFileSystem++,
  maxSize: (s, value) => {
    s.maxSize = size(value, 'max-size', 'b', 0, -1);
  },
  minSize: (s, value) => {
    s.minSize = size(value, 'min-size', 'b', 0, -1);
  },
  append: (s) => {
    s.append = s.server ? s.append + 1 : 1;
  },
  deleteMissingArgs: (s) => {
    s.missingArgs |= 2;
  },
  ignoreMissingArgs: (s) => {
    s.missingArgs |= 1;
  },
  perDirFilter: (s) => {
    s.perDirFilters++;
    if (s.perDirFilters === 1) s.filters.push({ kind: 'filter', value: ': /.rsync-filter' });
    if (s.perDirFilters === 2) s.filters.push({ kind: 'filter', value: '- .rsync-filter' });
  },
  filter: filter('filter'),
  exclude: filter('exclude'),
  include: filter('include'),
  excludeFrom: filter('exclude-from'),
  includeFrom: filter('include-from'),
  blockSize: (s, value) => {
    s.blockSize = size(value, 'block-size', 'b', 0, s.protocol < 30 ? OLD_MAX_BLOCK_SIZE : MAX_BLOCK_SIZE);
  },
  compareDest: basisDir('compare'),
  copyDest: basisDir('copy'),
  linkDest: basisDir('link'),
  fuzzy: (s) => void s.fuzzy++,
  compress: (s) => void s.compress++,
  oldCompress: (s) => {
    s.compressChoice = 'zlib';
  },
  newCompress: (s) => {
    s.compressChoice = 'zlibx';
  },
  noCompress: (s) => {
    s.compress = 0;
    s.compressChoice = null;
  },
  partialProgress: (s) => {
    s.partial = 1;
    s.progress = 1;
  },
  itemize: (s) => void s.itemize++,
  bwlimit: (s, value) => {
    s.bwlimit = Math.floor((size(value, 'bwlimit', 'K', 512, -1, true) + 512) / 1024);
  },
  listOnly: (s) => {
    s.listOnly = 2;
  },
  readBatch: (s) => {
    s.readBatch = 1;
  },
  writeBatch: (s) => {
    s.writeBatch = 1;
  },
  onlyWriteBatch: (s) => {
    s.writeBatch = -1;
  },
  oldArgs: (s) => {
    s.oldArgs = s.oldArgs <= 0 ? 1 : s.oldArgs + 1;
  },
  usermap: (s, value) => {
    mapOnce(s, 'usermap', value);
    // A client says with -o and -g what it sends.
    if (!s.server) s.owner = 1;
  },
  groupmap: (s, value) => {
    mapOnce(s, 'groupmap', value);
    if (!s.server) s.group = 1;
  },
  chown,
  stopAfter: (s, value) => {
    s.stopAt = parseStopAfter(value);
  },
  stopAt: (s, value) => {
    s.stopAt = parseStopAt(value);
  },
  noIconv: (s) => {
    s.iconv = null;
  },
  remoteOption: (s, value) => {
    if (!value.startsWith('-')) throw usageError(`Remote option must start with a dash: ${value}`);
    s.remoteOptions.push(value);
  },
  server: (s) => {
    s.server = 1;
    s.iconv = null;
  },
  daemon: (s) => {
    s.daemon = 1;
  },
} satisfies Record<string, Action>;

export type ActionName = keyof typeof ACTIONS;
