/** The options that a client gives its server (1.2). Pure: option values in, argument bytes out. */
import type { ByteString, Options } from '../options.js';
import { escapeOption } from './escape.js';
import { infoArgument, Where } from './levels.js';
import { capabilityString } from './negotiate.js';

/** What the user typed, where Options only holds what came of it. A caller without a command line leaves it out. */
export interface GivenOptions {
  given?: {
    /** --list-only was typed; otherwise the server sees a listing by the missing destination. */
    listOnly: boolean;
    /** Words of --info with their levels. */
    info: Record<string, number>;
    modifyWindow: boolean;
    /** Number of -H. */
    hardLinks: number;
    removeSentFiles: boolean;
    /** -z or a choice that implies it; --compress-level alone turns compression on but has no letter. */
    compress: boolean;
    stderrMode: boolean;
    /** --partial-dir was given (--delay-updates has one of its own). */
    partialDir: boolean;
    /** Text of --max-alloc or RSYNC_MAX_ALLOC. */
    maxAlloc: string | null;
    onlyWriteBatch: boolean;
    /** -e was typed: a daemon is then reached through the shell. RSYNC_RSH alone does not do that. */
    rsh: boolean;
  };
}

export interface ServerArgsExtra {
  /** Path of a --files-from on the server's side. */
  filesFromRemote?: ByteString;
  /** The server is a child on a pipe: no shell will take escapes away. */
  local?: boolean;
}

const DEFAULT_PARTIAL_DIR = '.~tmp~';
const DEFAULT_MAX_ALLOC = 1 << 30;
const MAX_VERBOSE_LETTERS = 9;

/**
 * 1.2: the arguments a client gives its server, `--server` first, without the final "." and paths. In two parts: with
 * secluded arguments (1.5) only `open` goes on the command line, and `rest` follows on the connection.
 */
export function serverArgParts(
  o: Options & GivenOptions,
  clientIsSender: boolean,
  extra: ServerArgsExtra = {},
): { open: ByteString[]; rest: ByteString[] } {
  const b = new Builder(o, clientIsSender, extra);
  const open = ['--server'];
  if (!clientIsSender) open.push('--sender');
  const letters = bundle(o, clientIsSender);
  if (letters !== '') open.push(`-${letters}`);
  if (o.iconv !== '') open.push(b.valued('--iconv', remoteCharset(o)));
  b.modes();
  b.numbersAndNames();
  if (clientIsSender) b.pushLimitsAndDeletions();
  else if (o.skipCompress !== null) b.push(b.valued('--skip-compress', o.skipCompress));
  b.memoryAndTimes();
  b.partialAndLinks();
  if (clientIsSender) b.pushPlaces();
  b.infoAndUpdate();
  b.filesFrom();
  b.lastOnes();
  return { open, rest: b.args };
}

/** What --iconv says of the other side: LOCAL,REMOTE, or one for both. */
export function remoteCharset(o: Pick<Options, 'iconv'>): string {
  return o.iconv.slice(o.iconv.indexOf(',') + 1);
}

/** The letters behind the one dash, in the reference's order. */
function bundle(o: Options & GivenOptions, push: boolean): string {
  const on = (condition: boolean, letters: string) => (condition ? letters : '');
  const times = (n: number, letter: string) => letter.repeat(Math.min(Math.max(n, 0), 2));
  let s = on(o.secludedArgs, 's') + 'v'.repeat(Math.min(o.verbose, MAX_VERBOSE_LETTERS));
  s +=
    on(o.quiet && o.stderrMode !== 'client', 'q') +
    on(o.backup, 'b') +
    on(o.update, 'u') +
    on(o.dryRun && o.batch === null, 'n');
  s += on(o.links, 'l');
  const plainDirs = o.dirs > 0 && !o.recurse && (o.listOnly || (o.deleteMode !== 'none' && push));
  s += on(o.dirs === 2 || plainDirs, 'd');
  if (push) {
    // Without --backup-dir a backup leaves directory times alone, which is no business of the server's -O.
    const omitDirs = o.omitDirTimes && !(o.backup && o.backupDir === '');
    s += on(o.keepDirlinks, 'K') + on(o.pruneEmptyDirs, 'm') + on(omitDirs, 'O') + on(o.omitLinkTimes, 'J');
    s += times(o.fuzzy, 'y');
  } else {
    s += on(o.copyLinks, 'L') + on(o.copyDirlinks, 'k');
  }
  s += on(o.wholeFile === true, 'W') + times(o.hardLinks ? (o.given?.hardLinks ?? 1) : 0, 'H');
  s += on(o.owner, 'o') + on(o.group, 'g') + on(o.devices, 'D') + on(o.times, 't') + times(o.atimes, 'U');
  s += on(o.crtimes, 'N') + (o.perms ? 'p' : on(o.executability && push, 'E')) + on(o.acls, 'A') + times(o.xattrs, 'X');
  s += on(o.recurse, 'r') + on(o.checksum, 'c') + on(o.cvsExclude, 'C') + on(o.ignoreTimes, 'I');
  s += on(o.relative, 'R') + times(o.oneFileSystem, 'x') + on(o.sparse, 'S');
  const plainZ = o.compressChoice === '' ? (o.given?.compress ?? o.compress) : o.compressChoice === 'zlib';
  s += on(o.compress && plainZ, 'z');
  if (o.protocol >= 30) s += `e${capabilityString(o, push)}`;
  return s;
}

/** Collects the long options in the reference's order. */
class Builder {
  readonly args: ByteString[] = [];
  private readonly raw: boolean;

  constructor(
    private readonly o: Options & GivenOptions,
    private readonly clientIsSender: boolean,
    private readonly extra: ServerArgsExtra,
  ) {
    this.raw = o.secludedArgs || o.oldArgs > 1 || extra.local === true;
  }

  push(...args: ByteString[]): void {
    this.args.push(...args);
  }

  private when(condition: boolean, arg: ByteString): void {
    if (condition) this.args.push(arg);
  }

  private value(text: ByteString): ByteString {
    return this.raw ? text : escapeOption(text);
  }

  valued(name: string, text: ByteString): ByteString {
    return `${name}=${this.value(text)}`;
  }

  modes(): void {
    const { o, clientIsSender: push } = this;
    this.when(o.given?.listOnly ?? false, '--list-only');
    this.when(o.dirs > 0 && !o.recurse && o.deleteMode !== 'none' && push, '--no-r');
    this.when(o.compress && o.compressLevel !== null, `--compress-level=${o.compressLevel}`);
    if (o.devices) this.when(!o.specials, '--no-specials');
    else this.when(o.specials, '--specials');
    if (push) this.logFormat();
    this.when(o.stderrMode === 'all', '--msgs2stderr');
    this.when(o.stderrMode === 'client', '--no-msgs2stderr');
  }

  /** Tells the server how much of an item it must report, not how the client prints it. */
  private logFormat(): void {
    const { o } = this;
    if (o.outFormat === null) return;
    const format = o.outFormat.replaceAll('%%', '');
    const has = (letter: string) => new RegExp(`%-?'*\\d*'*${letter}`).test(format);
    const itemizes = has('i');
    if (itemizes && o.itemize > 1) this.push('--log-format=%i%I');
    else if (itemizes) this.push('--log-format=%i');
    else if (has('o')) this.push('--log-format=%o');
    else this.when(o.verbose === 0, '--log-format=X');
  }

  numbersAndNames(): void {
    const { o } = this;
    this.when(o.blockSize !== 0, `-B${o.blockSize}`);
    this.when(o.timeout !== 0, `--timeout=${o.timeout}`);
    this.when(o.bwlimit !== 0, `--bwlimit=${o.bwlimit}`);
    if (o.backupDir !== '') this.push('--backup-dir', this.value(o.backupDir));
    if (o.suffix !== (o.backupDir === '' ? '~' : '')) this.push(this.valued('--suffix', o.suffix));
    if (o.checksumChoice !== '') this.push(this.valued('--checksum-choice', o.checksumChoice));
    if (o.compressChoice === 'zlibx') this.push('--new-compress');
    else if (o.compressChoice === 'zlib') this.push('--old-compress');
    else if (o.compressChoice !== '') this.push(this.valued('--compress-choice', o.compressChoice));
  }

  pushLimitsAndDeletions(): void {
    const { o } = this;
    if (o.maxDelete >= 0) this.push(`--max-delete=${o.maxDelete === 0 ? -1 : o.maxDelete}`);
    this.when(o.minSize >= 0, `--min-size=${o.minSize}`);
    this.when(o.maxSize >= 0, `--max-size=${o.maxSize}`);
    if (o.deleteMode !== 'none' && !o.deleteUntimed) this.push(`--delete-${o.deleteMode}`);
    else this.when(o.deleteMode !== 'none' && !o.deleteExcluded, '--delete');
    this.when(o.deleteExcluded, '--delete-excluded');
    this.when(o.force, '--force');
    this.when(o.given?.onlyWriteBatch ?? false, '--only-write-batch=X');
    this.when(o.superUser === 1, '--super');
    this.when(o.sizeOnly, '--size-only');
    this.when(o.stats, '--stats');
  }

  memoryAndTimes(): void {
    const { o, clientIsSender: push } = this;
    const text = o.given?.maxAlloc ?? null;
    if (text !== null && o.maxAlloc !== DEFAULT_MAX_ALLOC) this.push(this.valued('--max-alloc', text));
    if (o.deleteMissingArgs) this.push('--delete-missing-args');
    else this.when(o.ignoreMissingArgs && !push, '--ignore-missing-args');
    if (push && (o.given?.modifyWindow ?? o.modifyWindow !== 0)) {
      this.push(o.modifyWindow < 0 ? `-@${o.modifyWindow}` : `--modify-window=${o.modifyWindow}`);
    }
    this.when(o.checksumSeed !== 0, `--checksum-seed=${o.checksumSeed}`);
  }

  partialAndLinks(): void {
    const { o, clientIsSender: push } = this;
    if (push && o.partialDir !== '') {
      const own = o.given?.partialDir ?? !(o.delayUpdates && o.partialDir === DEFAULT_PARTIAL_DIR);
      if (own) this.push('--partial-dir', this.value(o.partialDir));
      this.when(o.delayUpdates, '--delay-updates');
    } else {
      this.when(push && o.partial, '--partial');
    }
    this.when(o.ignoreErrors, '--ignore-errors');
    this.when(o.copyUnsafeLinks, '--copy-unsafe-links');
    this.when(o.safeLinks, '--safe-links');
    this.when(o.numericIds, '--numeric-ids');
    this.when(o.qsort, '--use-qsort');
  }

  pushPlaces(): void {
    const { o } = this;
    if (o.usermap !== '') this.push(this.valued('--usermap', o.usermap));
    if (o.groupmap !== '') this.push(this.valued('--groupmap', o.groupmap));
    this.when(o.ignoreExisting, '--ignore-existing');
    this.when(o.existing, '--existing');
    if (o.tempDir !== '') this.push('--temp-dir', this.value(o.tempDir));
    this.when(o.fsync, '--fsync');
    for (const dir of o.basisDirs) this.push(`--${o.basisKind}-dest`, this.value(dir));
  }

  infoAndUpdate(): void {
    const { o, clientIsSender: push } = this;
    const info = infoArgument(o.given?.info ?? {}, Where.SERVER | (push ? Where.RECEIVER : Where.SENDER));
    this.when(info !== '', info);
    if (o.append > 0) {
      this.push(...new Array<string>(Math.min(o.append, 2)).fill('--append'));
    } else if (o.inplace) {
      this.push('--inplace');
      this.when(o.sparse && o.wholeFile === false && push, '--no-W');
    }
  }

  filesFrom(): void {
    const { o, clientIsSender: push, extra } = this;
    if (o.filesFrom === '') return;
    if (extra.filesFromRemote !== undefined && extra.filesFromRemote !== '') {
      this.push('--files-from', this.value(extra.filesFromRemote));
      this.when(o.from0, '--from0');
    } else if (!push) {
      this.push('--files-from=-', '--from0');
    } else {
      return;
    }
    this.when(!o.relative, '--no-relative');
  }

  lastOnes(): void {
    const { o, clientIsSender: push } = this;
    this.when(o.relative && !o.impliedDirs && (!push || o.protocol >= 30), '--no-implied-dirs');
    this.when(o.writeDevices && push, '--write-devices');
    this.when(o.removeSourceFiles, o.given?.removeSentFiles ? '--remove-sent-files' : '--remove-source-files');
    this.when(o.copyDevices && !push, '--copy-devices');
    this.when(o.preallocate && push, '--preallocate');
    this.when(o.openNoatime && o.atimes < 2, '--open-noatime');
    this.when(o.mkpath && push, '--mkpath');
    // -M words are raw with --old-args too: they may hold several words for the shell to split.
    for (const arg of o.remoteOptions) this.push(o.oldArgs > 0 ? arg : this.value(arg));
  }
}
