/** Turns settings into the Options that the rest of the program reads. */
import type { GivenOptions } from '../../protocol/handshake/args.js';
import type { ByteString, DeleteMode, Options } from '../../protocol/options.js';
import { NO_LEVEL, type Settings } from './option-settings.js';

/** Options, with what only the argument list and the refusal of unfinished features need. */
export interface CommandOptions extends Options, GivenOptions {
  given: NonNullable<GivenOptions['given']>;
  confineRoot: ByteString;
  /** Changes of the sources are sent as they happen. */
  watch: boolean;
}

const onOff = (n: number) => n > 0;
const threeWay = (n: number) => (n < 0 ? null : n > 0);

function deleteMode(s: Settings): DeleteMode {
  if (!s.deleteMode) return 'none';
  if (s.deleteBefore) return 'before';
  if (s.deleteAfter) return 'after';
  if (s.deleteDuring) return s.deleteDuring === 2 ? 'delay' : 'during';
  return s.protocol < 30 ? 'before' : 'during';
}

/** Words the user named, with their levels. */
function givenWords(s: Settings): Record<string, number> {
  const words: Record<string, number> = {};
  for (const name in s.info.given) words[name] = s.info.level[name];
  return words;
}

function batchOf(s: Settings): CommandOptions['batch'] {
  if (s.batchName === null || (s.writeBatch === 0 && !s.readBatch)) return null;
  const kind = s.readBatch ? 'read' : s.writeBatch > 0 ? 'write' : 'only-write';
  return { kind, name: s.batchName, words: s.words };
}

export function toOptions(s: Settings): CommandOptions {
  // A literal with five spreads takes V8 2 ms, each time: it gives the object another shape with every one of 135 names.
  // The spread of one object gives it back a shape that is fast to read.
  const most = Object.assign(outputOptions(s), selectionOptions(s), attributeOptions(s), writeOptions(s));
  return { ...Object.assign(most, peerOptions(s)) };
}

function outputOptions(s: Settings) {
  return {
    verbose: s.verbose,
    quiet: onOff(s.quiet),
    info: s.info.level,
    debug: s.debug.level,
    stderrMode: (['client', 'all', 'errors'] as const)[s.stderrMode],
    motd: onOff(s.motd),
    dryRun: onOff(s.dryRun) || s.writeBatch < 0,
    progress: onOff(s.progress) && !s.server,
    stats: onOff(s.stats),
    humanReadable: Math.min(s.humanReadable, 3),
    eightBit: onOff(s.eightBit),
    itemize: Math.min(s.itemize, 2),
    outFormat: s.server ? null : s.outFormat,
    serverLogFormat: s.server ? (s.outFormat ?? '') : '',
    logFile: s.logFile ?? '',
    logFileFormat: s.logFileFormat ?? '',
    outbuf: s.outbuf ?? '',
    qsort: onOff(s.qsort),
    given: {
      listOnly: s.listOnly > 1,
      info: givenWords(s),
      modifyWindow: onOff(s.modifyWindowGiven),
      hardLinks: s.hardLinks,
      removeSentFiles: s.removeSourceFiles === 2,
      compress: s.compress > 0,
      stderrMode: onOff(s.stderrGiven),
      partialDir: s.partialDir !== null && !(s.delayUpdates && s.partialDir === '.~tmp~'),
      maxAlloc: s.maxAllocArg,
      onlyWriteBatch: s.writeBatch < 0,
      rsh: s.rsh !== null,
    },
    batch: batchOf(s),
    watch: onOff(s.watch),
  };
}

function selectionOptions(s: Settings) {
  return {
    recurse: onOff(s.recurse),
    dirs: Math.min(Math.max(s.dirs, 0), 2),
    relative: onOff(s.relative),
    impliedDirs: onOff(s.impliedDirs),
    oneFileSystem: s.oneFileSystem,
    incRecursive: threeWay(s.incRecursive),
    pruneEmptyDirs: onOff(s.pruneEmptyDirs),
    existing: onOff(s.existing),
    ignoreExisting: onOff(s.ignoreExisting),
    update: onOff(s.update),
    maxSize: s.maxSize,
    minSize: s.minSize,
    filesFrom: s.filesFrom ?? '',
    from0: onOff(s.from0),
    listOnly: onOff(s.listOnly),
    filters: s.filters,
    cvsExclude: onOff(s.cvsExclude),
    checksum: onOff(s.checksum),
    checksumChoice: s.checksumChoice ?? '',
    checksumSeed: s.checksumSeed,
    ignoreTimes: onOff(s.ignoreTimes),
    sizeOnly: onOff(s.sizeOnly),
    modifyWindow: s.modifyWindow,
    deleteMode: deleteMode(s),
    deleteUntimed: s.deleteMode > 0 && !s.deleteBefore && !s.deleteDuring && !s.deleteAfter,
    deleteExcluded: onOff(s.deleteExcluded),
    deleteMissingArgs: s.missingArgs === 2,
    ignoreMissingArgs: s.missingArgs === 1,
    ignoreErrors: onOff(s.ignoreErrors),
    force: onOff(s.force),
    maxDelete: s.maxDelete === Number.NEGATIVE_INFINITY ? -1 : s.maxDelete,
    removeSourceFiles: onOff(s.removeSourceFiles),
  };
}

function attributeOptions(s: Settings) {
  return {
    links: onOff(s.links),
    copyLinks: onOff(s.copyLinks),
    copyUnsafeLinks: onOff(s.copyUnsafeLinks),
    safeLinks: onOff(s.safeLinks),
    insecureLinks: onOff(s.insecureLinks),
    confineRoot: s.confineRoot ?? '',
    mungeLinks: onOff(s.mungeLinks),
    copyDirlinks: onOff(s.copyDirlinks),
    keepDirlinks: onOff(s.keepDirlinks),
    hardLinks: onOff(s.hardLinks),
    perms: onOff(s.perms),
    executability: onOff(s.executability),
    chmod: s.chmod,
    owner: onOff(s.owner),
    group: onOff(s.group),
    devices: onOff(s.devices),
    specials: onOff(s.specials),
    dropDevices: onOff(s.dropDevices),
    times: onOff(s.times),
    atimes: s.atimes,
    crtimes: onOff(s.crtimes),
    openNoatime: onOff(s.openNoatime),
    omitDirTimes: onOff(s.omitDirTimes) || (onOff(s.backup) && s.backupDir === null),
    omitLinkTimes: onOff(s.omitLinkTimes),
    acls: onOff(s.acls),
    xattrs: s.xattrs,
    superUser: s.superUser < 0 ? -1 : s.superUser,
    fakeSuper: s.superUser === -1,
    numericIds: onOff(s.numericIds),
    usermap: s.usermap ?? '',
    groupmap: s.groupmap ?? '',
    copyAs: s.copyAs,
  };
}

function writeOptions(s: Settings) {
  return {
    inplace: onOff(s.inplace),
    append: Math.min(s.append, 2),
    partial: onOff(s.partial),
    partialDir: s.partialDir ?? '',
    delayUpdates: onOff(s.delayUpdates),
    tempDir: s.tempDir ?? '',
    sparse: onOff(s.sparse),
    preallocate: onOff(s.preallocate),
    fsync: onOff(s.fsync),
    writeDevices: onOff(s.writeDevices),
    copyDevices: onOff(s.copyDevices),
    backup: onOff(s.backup),
    backupDir: s.backupDir ?? '',
    suffix: s.suffix ?? '',
    mkpath: onOff(s.mkpath),
    wholeFile: threeWay(s.wholeFile),
    blockSize: s.blockSize,
    basisKind: s.basisKind,
    basisDirs: s.basisDirs,
    fuzzy: s.fuzzy,
    compress: s.compress > 0 || s.compressLevel !== NO_LEVEL,
    compressChoice: s.compressChoice ?? '',
    compressLevel: s.compressLevel === NO_LEVEL ? null : s.compressLevel,
    compressThreads: s.compressThreads,
    skipCompress: s.skipCompress,
    storesData: false,
    ignoreNonreadable: false,
  };
}

function peerOptions(s: Settings) {
  return {
    server: onOff(s.server),
    sender: onOff(s.sender),
    daemon: false,
    // An empty command has no words, as one of spaces; the remote host's name is run then.
    rsh: s.server ? '' : s.rsh === '' ? ' ' : (s.rsh ?? s.rshDefault),
    clientInfo: s.server ? (s.rsh ?? '') : '',
    rsyncPath: s.rsyncPath,
    remoteOptions: s.remoteOptions,
    blockingIo: threeWay(s.blockingIo),
    oldArgs: Math.max(s.oldArgs, 0),
    secludedArgs: onOff(s.secludedArgs),
    trustSender: onOff(s.trustSender),
    protocol: s.protocol,
    passwordFile: s.passwordFile ?? '',
    earlyInput: s.earlyInput ?? '',
    address: s.address ?? '',
    port: s.port,
    sockopts: s.sockopts ?? '',
    ipFamily: s.ipFamily as 0 | 4 | 6,
    timeout: s.timeout,
    contimeout: s.contimeout,
    bwlimit: s.bwlimit,
    stopAt: s.stopAt || null,
    // An empty character set is that of the locale, as `.`.
    iconv: s.iconv === '' ? '.' : (s.iconv ?? ''),
    maxAlloc: s.maxAlloc,
    args: s.args,
  };
}
