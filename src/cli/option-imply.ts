/** Draws the implications of the options given, and refuses contradictions, in rsync's order and words. */
import { MAX_PATH } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { applyVerbosity, applyWords } from '../../protocol/handshake/levels.js';
import { parseTarget, TargetError } from '../client/target.js';
import { NO_LEVEL, type Settings } from './option-settings.js';
import {
  cleanPath,
  formatHas,
  parseChecksumChoice,
  parseCompressChoice,
  parseSize,
  usageError,
} from './option-values.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ImplyContext {
  isDaemon: boolean;
  env: Environment;
  /** Throws when a daemon refuses the option of this name (--long or -s). */
  checkRefused: (name: string) => void;
  isRefused: (name: string) => boolean;
}

const TMP_PARTIAL_DIR = '.~tmp~';
const BACKUP_SUFFIX = '~';
const DAEMON_MAX_THREADS = 8;
const MAX_BATCH_NAME = 256;

export function implyAll(s: Settings, c: ImplyContext): void {
  s.rshDefault = c.env.RSYNC_RSH === '' ? ' ' : (c.env.RSYNC_RSH ?? '');
  implyMemory(s, c);
  implyArgumentStyle(s, c);
  implyAlgorithms(s, c);
  implyOutput(s);
  if (s.iconv !== null && s.server === 0 && s.iconv === '-') s.iconv = null;
  if (s.fuzzy > 1) s.fuzzy = s.basisDirs.length + 1;
}

/** The second half: on a server with secluded arguments it waits for the second list. */
export function implyTransfer(s: Settings, c: ImplyContext): void {
  checkBatch(s);
  if (s.superUser === -1 && s.xattrs > 1) throw usageError('--fake-super conflicts with -XX');
  if (s.tempDir !== null && s.tempDir.length >= MAX_PATH - 10) throw usageError('the --temp-dir path is WAY too long.');
  if (s.tempDir === '') throw new TargetError('The temp-dir does not exist: ', 'Receiver');
  if (s.maxDelete < 0 && s.maxDelete !== Number.NEGATIVE_INFINITY) s.maxDelete = 0;
  implyDirs(s);
  implyDelete(s, c);
  checkConfineRoot(s, c);
  implyBackup(s);
  implyFormats(s, c);
  implyInplace(s, c);
  implyPartial(s, c);
  checkFilesFrom(s, c);
}

function implyMemory(s: Settings, { env }: ImplyContext): void {
  if (s.maxAllocArg === null) s.maxAllocArg = env.RSYNC_MAX_ALLOC || null;
  if (s.maxAllocArg === null) return;
  const rule = { name: 'max-alloc', unit: 'B', min: 1 << 20, max: -1, zeroIsUnlimited: true };
  s.maxAlloc = parseSize(s.maxAllocArg, rule) || Number.MAX_SAFE_INTEGER;
}

function implyArgumentStyle(s: Settings, { env }: ImplyContext): void {
  if (s.oldArgs < 0) {
    s.oldArgs = 0;
    if (s.server === 0 && s.secludedArgs <= 0 && env.RSYNC_OLD_ARGS) {
      s.secludedArgs = 0;
      s.oldArgs = Math.max(Number.parseInt(env.RSYNC_OLD_ARGS, 10) || 0, 0);
    }
  } else if (s.oldArgs > 0) {
    if (s.secludedArgs > 0) throw usageError('--secluded-args conflicts with --old-args.');
    s.secludedArgs = 0;
  }
  if (s.secludedArgs < 0) {
    const wanted = s.server === 0 ? env.RSYNC_PROTECT_ARGS : undefined;
    s.secludedArgs = wanted && Number.parseInt(wanted, 10) ? 1 : 0;
  }
}

function implyAlgorithms(s: Settings, c: ImplyContext): void {
  if (s.checksumChoice !== null) {
    s.checksumChoice = parseChecksumChoice(s.checksumChoice);
    if (/^none(,|$)/.test(s.checksumChoice)) s.wholeFile = 1;
  }
  if (s.compressChoice === null && s.compress > 1) s.compressChoice = 'zlibx';
  if (s.compressChoice !== null) {
    s.compressChoice = parseCompressChoice(s.compressChoice);
    if (s.compressChoice === 'none') s.compress = 0;
    else if (s.compressChoice !== '') s.compress = 1;
  }
  if (s.compress > 0 || s.compressLevel !== NO_LEVEL) {
    c.checkRefused('-z');
    s.compressThreads = Math.max(s.compressThreads, 0);
    if (c.isDaemon) s.compressThreads = Math.min(s.compressThreads, DAEMON_MAX_THREADS);
  }
}

function implyOutput(s: Settings): void {
  if (s.outbuf !== null && s.server === 0 && !/^[nulbf]/i.test(s.outbuf)) {
    throw usageError('Invalid --outbuf setting -- specify N, L, or B.');
  }
  if (s.stderrMode !== 2) s.stderrGiven = 1;
  applyVerbosity(s.info, s.verbose);
  applyVerbosity(s.debug, s.verbose);
  if (s.stats) applyWords(s.info, s.verbose > 1 ? 'stats3' : 'stats2', false);
}

function checkBatch(s: Settings): void {
  if (s.writeBatch !== 0 && s.readBatch) throw usageError('--write-batch and --read-batch can not be used together');
  if (s.server && (s.writeBatch > 0 || s.readBatch)) {
    s.writeBatch = 0;
    s.readBatch = 0;
    s.batchName = null;
  } else if (s.dryRun) {
    s.writeBatch = 0;
  }
  if (s.readBatch && s.filesFrom !== null) throw usageError('--read-batch cannot be used with --files-from');
  if (s.readBatch && s.removeSourceFiles) {
    throw usageError(
      `--read-batch cannot be used with --remove-${s.removeSourceFiles === 1 ? 'source' : 'sent'}-files`,
    );
  }
  if (s.batchName !== null && s.batchName.length > MAX_BATCH_NAME) {
    throw usageError(`the batch-file name must be ${MAX_BATCH_NAME} characters or less.`);
  }
}

function implyDirs(s: Settings): void {
  const listOfFiles = s.filesFrom !== null;
  if (listOfFiles) {
    // -a's recursion is dropped, a -r of its own stays.
    if (s.recurse === 1) s.recurse = 0;
    if (s.dirs < 0) s.dirs = 1;
  }
  if (s.args.length < 2 && !s.readBatch && s.server === 0) s.listOnly |= 1;
  if (s.dirs >= 4) {
    s.filters.push({ kind: 'filter', value: '- /*/*' });
    s.recurse = 1;
    s.dirs = 1;
  } else if (s.recurse) {
    s.dirs = 1;
  } else if (s.dirs < 0) {
    s.dirs = s.listOnly ? 1 : 0;
  }
  if (s.relative < 0) s.relative = listOfFiles ? 1 : 0;
  if (s.relative === 0) s.impliedDirs = 0;
}

function implyDelete(s: Settings, c: ImplyContext): void {
  if (s.deleteBefore + (s.deleteDuring ? 1 : 0) + s.deleteAfter > 1) {
    throw usageError('You may not combine multiple --delete-WHEN options.');
  }
  if (s.deleteBefore || s.deleteDuring || s.deleteAfter) {
    s.deleteMode = 1;
  } else if (s.deleteMode || s.deleteExcluded) {
    s.deleteMode = 1;
    if (c.isRefused('--delete-before')) {
      if (c.isRefused('--delete-during')) c.checkRefused('--delete-before');
      s.deleteDuring = 1;
    } else if (c.isRefused('--delete-during')) {
      s.deleteBefore = 1;
    }
  }
  if (s.dirs === 0 && s.deleteMode) {
    throw usageError('--delete does not work without --recursive (-r) or --dirs (-d).');
  }
  if (s.missingArgs === 3) s.missingArgs = 2;
  if (s.deleteMode || s.missingArgs === 2 || (s.removeSourceFiles && s.sender)) c.checkRefused('--delete');
}

function checkConfineRoot(s: Settings, c: ImplyContext): void {
  if (s.confineRoot === null) return;
  if (c.isDaemon) s.confineRoot = null;
  else if (!s.confineRoot.startsWith('/')) throw usageError('--confine-root must be an absolute path');
  else if (s.insecureLinks) throw usageError('--insecure-links cannot be combined with --confine-root');
}

function implyBackup(s: Settings): void {
  const dirGiven = s.backupDir !== null;
  s.suffix ??= dirGiven ? '' : BACKUP_SUFFIX;
  if (s.suffix.includes('/')) throw usageError(`--suffix cannot contain slashes: ${s.suffix}`);
  if (s.backupDir !== null) {
    s.backup = 1;
    s.backupDir = s.backupDir.replace(/^(?:\.\/)+/, '').replace(/^\.$/, '');
    if (s.backupDir.length > MAX_PATH - 128) throw usageError('the --backup-dir path is WAY too long.');
    if (s.backupDir !== '') return;
    s.backupDir = null;
  }
  if (s.suffix === '' && !(s.server && s.sender)) {
    const why = dirGiven ? 'when --backup-dir is the same as the dest dir' : 'without a --backup-dir';
    throw usageError(`--suffix cannot be empty ${why}`);
  }
  // Backups lie beside the files: a deletion must leave them.
  if (s.backup && s.deleteMode && !s.deleteExcluded && !s.server) {
    s.filters.push({ kind: 'filter', value: `P *${s.suffix}` });
  }
}

function implyFormats(s: Settings, c: ImplyContext): void {
  let before = false;
  if (s.outFormat !== null) before = !['b', 'c', 'C'].some((letter) => formatHas(s.outFormat as string, letter));
  else if (s.itemize && !s.server) {
    s.outFormat = '%i %n%L';
    before = true;
  }
  if (s.progress && !s.server) {
    if (!before && s.info.level.name === 0) applyWords(s.info, 'name', false);
    applyWords(s.info, 'flist2,progress', false);
  }
  if (s.info.level.name >= 1 && s.outFormat === null && !s.server) s.outFormat = '%n%L';
  if (c.isDaemon) return;
  if (s.logFile === null) s.logFileFormat = null;
  else s.logFileFormat ??= '%i %n%L';
}

function implyInplace(s: Settings, c: ImplyContext): void {
  if (s.append && s.wholeFile > 0) throw usageError('--append cannot be used with --whole-file');
  if (s.append || s.writeDevices) {
    c.checkRefused('--inplace');
    s.inplace = 1;
  }
}

function implyPartial(s: Settings, c: ImplyContext): void {
  if (s.delayUpdates) s.partialDir ??= TMP_PARTIAL_DIR;
  if (s.inplace) {
    if (s.partialDir !== null) {
      const what = s.append ? 'append' : 'inplace';
      throw usageError(`--${what} cannot be used with --${s.delayUpdates ? 'delay-updates' : 'partial-dir'}`);
    }
    c.checkRefused('--partial');
    s.partial = 0;
    return;
  }
  if (s.partial && s.partialDir === null && !s.server) s.partialDir = c.env.RSYNC_PARTIAL_DIR || null;
  if (s.partialDir === null) return;
  s.partial = 1;
  s.partialDir = cleanPath(s.partialDir) || null;
  if (s.partialDir === null) c.checkRefused('--partial');
}

function checkFilesFrom(s: Settings, c: ImplyContext): void {
  if (s.filesFrom === null) return;
  if (s.args.length > 2 || (!c.isDaemon && s.server === 0 && s.args.length === 1)) throw new NeedUsage();
  if (s.filesFrom === '') throw new RsyncError(1, 'rsync: failed to open files-from file : Invalid argument');
  if (s.filesFrom === '-') return;
  const source = parseTarget(s.filesFrom);
  if (source.kind === 'local') return;
  if (s.server) throw usageError('The --files-from sent to the server cannot specify a host.');
  if (source.path === '-') throw usageError('Invalid --files-from remote filename');
}

/** The arguments do not add up to a command: the caller shows the help. */
export class NeedUsage extends RsyncError {
  constructor() {
    super(1, '');
  }
}
