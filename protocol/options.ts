/**
 * A byte string: a JavaScript string whose every character code (0 to 255) is one byte (latin1). Names, patterns and
 * arguments are bytes, not text; this form keeps them whole and still lets string methods work on them.
 */
export type ByteString = string;

export type DeleteMode = 'none' | 'before' | 'during' | 'delay' | 'after';
export type BasisKind = 'compare' | 'copy' | 'link';

/** One filter option in the order of the command line; `kind` says which option it was. */
export interface FilterSource {
  kind: 'filter' | 'exclude' | 'include' | 'exclude-from' | 'include-from';
  value: ByteString;
}

export type BatchKind = 'read' | 'write' | 'only-write';

/** What a command line says of batch files. */
export interface BatchRequest {
  kind: BatchKind;
  /** `-` reads standard input. */
  name: ByteString;
  /** The words of the command line, for the script that a batch file comes with. */
  words: readonly ByteString[];
}

/**
 * Everything that the options of one run say, after defaults and implications were applied. Client, server and daemon
 * use the same type: a server's arguments are parsed with the same table as a user's.
 * Sizes are bytes, times are seconds, names are byte strings.
 */
export interface Options {
  server: boolean;
  /** On a server: this side is the sender. A client finds its role from its arguments. */
  sender: boolean;
  daemon: boolean;

  verbose: number;
  quiet: boolean;
  /** Levels of --info words (lower case), after -v, --progress, --stats and so on were applied. */
  info: Record<string, number>;
  debug: Record<string, number>;
  /** --msgs2stderr / --stderr: 'errors' is the default. */
  stderrMode: 'errors' | 'all' | 'client';
  motd: boolean;

  /** The letter a of -a has been seen; only for messages. */
  recurse: boolean;
  /** -d: 0 off, 1 implied by another option or recursion, 2 given by the user. */
  dirs: number;
  relative: boolean;
  impliedDirs: boolean;
  oneFileSystem: number;
  /** --no-inc-recursive clears it; null when nothing was said. */
  incRecursive: boolean | null;
  pruneEmptyDirs: boolean;
  existing: boolean;
  ignoreExisting: boolean;
  update: boolean;
  /** -1 means no limit. */
  maxSize: number;
  minSize: number;
  /** '' when not used; '-' for standard input; 'host:path' forms keep the prefix. */
  filesFrom: ByteString;
  from0: boolean;
  listOnly: boolean;
  filters: FilterSource[];
  cvsExclude: boolean;

  checksum: boolean;
  /** As given, '' when not given: NAME or NAME,NAME. */
  checksumChoice: string;
  checksumSeed: number;
  ignoreTimes: boolean;
  sizeOnly: boolean;
  modifyWindow: number;

  links: boolean;
  copyLinks: boolean;
  copyUnsafeLinks: boolean;
  safeLinks: boolean;
  mungeLinks: boolean;
  /** Links of other users are followed in the paths that the command line names. */
  insecureLinks: boolean;
  /** --drop-D: a receiver makes no devices and special files, whatever the sender has. */
  dropDevices: boolean;
  copyDirlinks: boolean;
  keepDirlinks: boolean;
  hardLinks: boolean;

  perms: boolean;
  executability: boolean;
  chmod: string[];
  owner: boolean;
  group: boolean;
  devices: boolean;
  specials: boolean;
  times: boolean;
  atimes: number;
  crtimes: boolean;
  openNoatime: boolean;
  omitDirTimes: boolean;
  omitLinkTimes: boolean;
  acls: boolean;
  xattrs: number;
  /** --super: 1, --no-super: 0, not given: -1. */
  superUser: number;
  fakeSuper: boolean;
  numericIds: boolean;
  usermap: string;
  groupmap: string;

  inplace: boolean;
  /** 1 for --append, 2 for --append-verify. */
  append: number;
  partial: boolean;
  partialDir: ByteString;
  delayUpdates: boolean;
  tempDir: ByteString;
  sparse: boolean;
  preallocate: boolean;
  fsync: boolean;
  writeDevices: boolean;
  copyDevices: boolean;
  backup: boolean;
  backupDir: ByteString;
  suffix: ByteString;
  mkpath: boolean;
  /** null when not given. */
  wholeFile: boolean | null;
  /** 0 when not given. */
  blockSize: number;
  basisKind: BasisKind | null;
  basisDirs: ByteString[];
  fuzzy: number;

  deleteMode: DeleteMode;
  /** --delete without a time: the mode above is the default of the protocol version. */
  deleteUntimed: boolean;
  deleteExcluded: boolean;
  deleteMissingArgs: boolean;
  ignoreMissingArgs: boolean;
  ignoreErrors: boolean;
  force: boolean;
  /** -1: no limit. */
  maxDelete: number;
  removeSourceFiles: boolean;

  compress: boolean;
  /** As given by --compress-choice, or zlibx / zlib from --new-compress / --old-compress; '' to negotiate. */
  compressChoice: string;
  /** null: the algorithm's default. */
  compressLevel: number | null;
  compressThreads: number;
  /** Only passed on: no compression of today has a level for single files. */
  skipCompress: string | null;
  /** A daemon's "ignore nonreadable": a sender leaves out what it may not read. */
  ignoreNonreadable: boolean;
  /** A daemon's "dont compress = *": what zlib and zlibx make is stored in blocks, not packed. */
  storesData: boolean;

  rsh: ByteString;
  rsyncPath: ByteString;
  remoteOptions: ByteString[];
  blockingIo: boolean | null;
  oldArgs: number;
  secludedArgs: boolean;
  trustSender: boolean;
  /** USER or USER:GROUP; null: stay who we are. */
  copyAs: ByteString | null;
  protocol: number;
  passwordFile: ByteString;
  /** For programs that import us: the password itself. */
  password?: ByteString;
  earlyInput: ByteString;
  address: string;
  /** 0 when not given. */
  port: number;
  sockopts: string;
  /** 4, 6 or 0 for both. */
  ipFamily: 0 | 4 | 6;
  timeout: number;
  contimeout: number;
  /** KiB per second, 0 for no limit. */
  bwlimit: number;
  stopAt: number | null;
  iconv: string;
  maxAlloc: number;

  /** Nothing is changed, and no data travels but with --only-write-batch (`movesData`). */
  dryRun: boolean;
  /** On a server: --only-write-batch alone. */
  batch: BatchRequest | null;
  progress: boolean;
  stats: boolean;
  /** 0 none (plain digits), 1 digit grouping (the default), 2 units of 1000, 3 units of 1024. */
  humanReadable: number;
  eightBit: boolean;
  /** Number of -i: 0, 1 or 2. */
  itemize: number;
  /** null when names are not to be printed. */
  outFormat: string | null;
  logFile: ByteString;
  /** '' when items are not to be logged. */
  logFileFormat: string;
  outbuf: string;
  qsort: boolean;

  /** The capability string of a client, after `e.`; '' when there was none. Server only. */
  clientInfo: string;
  /** --log-format of a server's arguments: tells whether the client wants itemized changes of unchanged items. */
  serverLogFormat: string;

  /** Arguments that are not options. */
  args: ByteString[];
}

/** Whether the content of files is asked for and sent. */
export function movesData(o: Pick<Options, 'dryRun' | 'batch'>): boolean {
  return !o.dryRun || o.batch?.kind === 'only-write';
}
