/**
 * What has been said on a command line so far, before implications are drawn. Counters and flags are numbers, so that
 * one row of the option table can say "store this value in that field"; text is null until it is given.
 */
import { PROTOCOL_VERSION } from '../../protocol/constants.js';
import { newLevels } from '../../protocol/handshake/levels.js';
import type { BasisKind, ByteString, FilterSource } from '../../protocol/options.js';

/** Least number that an option takes: as a level it stands for none, as it does in rsync. */
export const NO_LEVEL = -0x80000000;

export class Settings {
  server = 0;
  sender = 0;
  help = 0;
  version = 0;
  /** Set by the options that only a daemon's command line has: parsing starts again with the daemon's table. */
  daemon = 0;

  verbose = 0;
  quiet = 0;
  /** 0 client, 1 all, 2 errors. */
  stderrMode = 2;
  stderrGiven = 0;
  motd = 1;
  info = newLevels('info');
  debug = newLevels('debug');

  recurse = 0;
  dirs = -1;
  relative = -1;
  impliedDirs = 1;
  oneFileSystem = 0;
  incRecursive = -1;
  pruneEmptyDirs = 0;
  existing = 0;
  ignoreExisting = 0;
  update = 0;
  maxSize = -1;
  minSize = -1;
  filesFrom: ByteString | null = null;
  from0 = 0;
  listOnly = 0;
  filters: FilterSource[] = [];
  perDirFilters = 0;
  cvsExclude = 0;

  checksum = 0;
  checksumChoice: string | null = null;
  checksumSeed = 0;
  ignoreTimes = 0;
  sizeOnly = 0;
  modifyWindow = 0;
  modifyWindowGiven = 0;

  links = 0;
  copyLinks = 0;
  copyUnsafeLinks = 0;
  safeLinks = 0;
  insecureLinks = 0;
  confineRoot: ByteString | null = null;
  mungeLinks = 0;
  copyDirlinks = 0;
  keepDirlinks = 0;
  hardLinks = 0;

  perms = 0;
  executability = 0;
  chmod: string[] = [];
  owner = 0;
  group = 0;
  devices = 0;
  specials = 0;
  dropDevices = 0;
  times = 0;
  atimes = 0;
  crtimes = 0;
  openNoatime = 0;
  omitDirTimes = 0;
  omitLinkTimes = 0;
  acls = 0;
  xattrs = 0;
  /** -2 not given, -1 --fake-super, 0 --no-super, 1 --super: the last of these options wins. */
  superUser = -2;
  numericIds = 0;
  usermap: string | null = null;
  groupmap: string | null = null;
  usermapByChown = 0;
  groupmapByChown = 0;

  inplace = 0;
  append = 0;
  partial = 0;
  partialDir: ByteString | null = null;
  delayUpdates = 0;
  tempDir: ByteString | null = null;
  sparse = 0;
  preallocate = 0;
  fsync = 0;
  writeDevices = 0;
  copyDevices = 0;
  backup = 0;
  backupDir: ByteString | null = null;
  suffix: ByteString | null = null;
  mkpath = 0;
  wholeFile = -1;
  blockSize = 0;
  basisKind: BasisKind | null = null;
  basisDirs: ByteString[] = [];
  fuzzy = 0;

  deleteMode = 0;
  deleteBefore = 0;
  /** 1 --delete-during, 2 --delete-delay. */
  deleteDuring = 0;
  deleteAfter = 0;
  deleteExcluded = 0;
  /** Bit 1 --ignore-missing-args, bit 2 --delete-missing-args. */
  missingArgs = 0;
  ignoreErrors = 0;
  force = 0;
  maxDelete = Number.NEGATIVE_INFINITY;
  /** 1 --remove-source-files, 2 the older --remove-sent-files. */
  removeSourceFiles = 0;

  compress = 0;
  compressChoice: string | null = null;
  compressLevel = NO_LEVEL;
  compressThreads = 0;
  skipCompress: string | null = null;

  rsh: ByteString | null = null;
  /** From RSYNC_RSH: the shell when there is no -e. */
  rshDefault: ByteString = '';
  rsyncPath: ByteString = 'rsync';
  remoteOptions: ByteString[] = [];
  blockingIo = -1;
  oldArgs = -1;
  secludedArgs = -1;
  trustSender = 0;
  protocol = PROTOCOL_VERSION;
  passwordFile: ByteString | null = null;
  earlyInput: ByteString | null = null;
  copyAs: ByteString | null = null;
  address: string | null = null;
  port = 0;
  sockopts: string | null = null;
  ipFamily = 0;
  timeout = 0;
  contimeout = 0;
  bwlimit = 0;
  stopAt = 0;
  iconv: string | null = null;
  maxAllocArg: string | null = null;
  maxAlloc = 1 << 30;

  dryRun = 0;
  progress = 0;
  stats = 0;
  humanReadable = 1;
  eightBit = 0;
  itemize = 0;
  outFormat: string | null = null;
  logFile: ByteString | null = null;
  logFileFormat: string | null = null;
  outbuf: string | null = null;
  qsort = 0;

  watch = 0;
  batchName: ByteString | null = null;
  /** 1 --write-batch, -1 --only-write-batch. */
  writeBatch = 0;
  readBatch = 0;
  /** All of the command line. */
  words: readonly ByteString[] = [];

  args: ByteString[] = [];
}

type FieldOf<T> = { [K in keyof Settings]: Settings[K] extends T ? K : never }[keyof Settings];
export type NumberField = FieldOf<number>;
export type TextField = Exclude<FieldOf<string | null>, 'basisKind'>;
