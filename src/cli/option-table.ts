/**
 * The option table: one row an option, in the order of rsync's own documentation. A row either stores a constant, an
 * integer or a text in a field of Settings, or names an action; two rows that do the same are one capability when a
 * daemon refuses it.
 */
import type { ActionName } from './option-actions.js';
import type { NumberField, TextField } from './option-settings.js';

export interface Row {
  /** Name behind the two dashes; '' for an option that has a letter only. */
  long: string;
  /** Letter behind one dash; '' when there is none. */
  short: string;
  arg: 'none' | 'int' | 'text';
  /** Field that takes the constant `value`, the integer or the text. */
  number?: NumberField;
  text?: TextField;
  value?: number;
  action?: ActionName;
  /** True: a wildcard in "refuse options" does not reach this option, only its exact name. */
  exactRefusalOnly?: boolean;
}

const rows: Row[] = [];

/** `name` is `long` or `long,s`. Written out, as this is done 276 times at each start. */
function add(
  name: string,
  arg: Row['arg'],
  number: NumberField | undefined,
  text: TextField | undefined,
  value: number | undefined,
  action: ActionName | undefined,
): void {
  const hasShort = name.at(-2) === ',';
  const long = hasShort ? name.slice(0, -2) : name;
  const short = hasShort ? (name.at(-1) as string) : '';
  rows.push({ long, short, arg, number, text, value, action, exactRefusalOnly: undefined });
}
const set = (name: string, number: NumberField, value = 1) => add(name, 'none', number, undefined, value, undefined);
const int = (name: string, number: NumberField, action?: ActionName) =>
  add(name, 'int', number, undefined, undefined, action);
const text = (name: string, field: TextField, action?: ActionName) =>
  add(name, 'text', undefined, field, undefined, action);
const act = (name: string, action: ActionName, arg: Row['arg'] = 'none') =>
  add(name, arg, undefined, undefined, undefined, action);
/** An option with its --no- forms: the long one and those of the further short names. */
function flag(name: string, number: NumberField, noShort = '', value = 1): void {
  set(name, number, value);
  no(name, number, noShort);
}
function no(name: string, number: NumberField, noShort = ''): void {
  set(`no-${name.at(-2) === ',' ? name.slice(0, -2) : name}`, number, 0);
  if (noShort !== '') set(`no-${noShort}`, number, 0);
}
/** Like `flag`, for options whose action counts or implies. */
function counted(name: string, action: ActionName, number: NumberField, noShort = ''): void {
  act(name, action);
  no(name, number, noShort);
}

set('help', 'help');
act('version,V', 'version');
counted('verbose,v', 'verbose', 'verbose', 'v');
act('info', 'info', 'text');
act('debug', 'debug', 'text');
act('stderr', 'stderr', 'text');
flag('msgs2stderr', 'stderrMode');
act('quiet,q', 'quiet');
flag('motd', 'motd');
set('stats', 'stats');
counted('human-readable,h', 'humanReadable', 'humanReadable', 'h');
set('dry-run,n', 'dryRun');
act('archive,a', 'archive');
flag('recursive,r', 'recurse', 'r', 2);
flag('inc-recursive', 'incRecursive', 'i-r');
set('i-r', 'incRecursive');
flag('dirs,d', 'dirs', 'd', 2);
set('old-dirs', 'dirs', 4);
set('old-d', 'dirs', 4);
flag('perms,p', 'perms', 'p');
set('executability,E', 'executability');
counted('acls,A', 'acls', 'acls', 'A');
counted('xattrs,X', 'xattrs', 'xattrs', 'X');
flag('times,t', 'times', 't');
counted('atimes,U', 'atimes', 'atimes', 'U');
flag('open-noatime', 'openNoatime');
flag('crtimes,N', 'crtimes', 'N');
flag('omit-dir-times,O', 'omitDirTimes', 'O');
flag('omit-link-times,J', 'omitLinkTimes', 'J');
int('modify-window,@', 'modifyWindow', 'modifyWindow');
flag('super', 'superUser');
set('fake-super', 'superUser', -1);
flag('owner,o', 'owner', 'o');
flag('group,g', 'group', 'g');
act(',D', 'devicesAndSpecials');
act('no-D', 'noDevicesAndSpecials');
flag('devices', 'devices');
set('copy-devices', 'copyDevices');
flag('write-devices', 'writeDevices');
flag('specials', 'specials');
flag('drop-D', 'dropDevices');
text('confine-root', 'confineRoot');
flag('links,l', 'links', 'l');
set('copy-links,L', 'copyLinks');
set('copy-unsafe-links', 'copyUnsafeLinks');
set('safe-links', 'safeLinks');
flag('insecure-links', 'insecureLinks');
flag('munge-links', 'mungeLinks');
set('copy-dirlinks,k', 'copyDirlinks');
set('keep-dirlinks,K', 'keepDirlinks');
counted('hard-links,H', 'hardLinks', 'hardLinks', 'H');
flag('relative,R', 'relative', 'R');
flag('implied-dirs', 'impliedDirs', 'i-d');
set('i-d', 'impliedDirs');
act('chmod', 'chmod', 'text');
set('ignore-times,I', 'ignoreTimes');
set('size-only', 'sizeOnly');
counted('one-file-system,x', 'oneFileSystem', 'oneFileSystem', 'x');
set('update,u', 'update');
set('existing', 'existing');
set('ignore-non-existing', 'existing');
set('ignore-existing', 'ignoreExisting');
act('max-size', 'maxSize', 'text');
act('min-size', 'minSize', 'text');
text('max-alloc', 'maxAllocArg');
flag('sparse,S', 'sparse', 'S');
set('preallocate', 'preallocate');
flag('inplace', 'inplace');
act('append', 'append');
set('append-verify', 'append', 2);
set('no-append', 'append', 0);
set('del', 'deleteDuring');
set('delete', 'deleteMode');
set('delete-before', 'deleteBefore');
set('delete-during', 'deleteDuring');
set('delete-delay', 'deleteDuring', 2);
set('delete-after', 'deleteAfter');
set('delete-excluded', 'deleteExcluded');
act('delete-missing-args', 'deleteMissingArgs');
act('ignore-missing-args', 'ignoreMissingArgs');
set('remove-sent-files', 'removeSourceFiles', 2);
set('remove-source-files', 'removeSourceFiles');
flag('force', 'force');
flag('ignore-errors', 'ignoreErrors');
int('max-delete', 'maxDelete');
act(',F', 'perDirFilter');
act('filter,f', 'filter', 'text');
act('exclude', 'exclude', 'text');
act('include', 'include', 'text');
act('exclude-from', 'excludeFrom', 'text');
act('include-from', 'includeFrom', 'text');
set('cvs-exclude,C', 'cvsExclude');
flag('whole-file,W', 'wholeFile', 'W');
flag('checksum,c', 'checksum', 'c');
text('checksum-choice', 'checksumChoice');
text('cc', 'checksumChoice');
act('block-size,B', 'blockSize', 'text');
act('compare-dest', 'compareDest', 'text');
act('copy-dest', 'copyDest', 'text');
act('link-dest', 'linkDest', 'text');
counted('fuzzy,y', 'fuzzy', 'fuzzy', 'y');
act('compress,z', 'compress');
act('old-compress', 'oldCompress');
act('new-compress', 'newCompress');
act('no-compress', 'noCompress');
act('no-z', 'noCompress');
text('compress-choice', 'compressChoice');
text('zc', 'compressChoice');
text('skip-compress', 'skipCompress');
int('compress-level', 'compressLevel');
int('zl', 'compressLevel');
int('compress-threads', 'compressThreads');
int('zt', 'compressThreads');
act(',P', 'partialProgress');
flag('progress', 'progress');
flag('partial', 'partial');
text('partial-dir', 'partialDir');
flag('delay-updates', 'delayUpdates');
flag('prune-empty-dirs,m', 'pruneEmptyDirs', 'm');
text('log-file', 'logFile');
text('log-file-format', 'logFileFormat');
text('out-format', 'outFormat');
text('log-format', 'outFormat');
counted('itemize-changes,i', 'itemize', 'itemize', 'i');
act('bwlimit', 'bwlimit', 'text');
set('no-bwlimit', 'bwlimit', 0);
flag('backup,b', 'backup');
text('backup-dir', 'backupDir');
text('suffix', 'suffix');
act('list-only', 'listOnly');
text('read-batch', 'batchName', 'readBatch');
text('write-batch', 'batchName', 'writeBatch');
text('only-write-batch', 'batchName', 'onlyWriteBatch');
text('files-from', 'filesFrom');
flag('from0,0', 'from0');
act('old-args', 'oldArgs');
set('no-old-args', 'oldArgs', 0);
flag('secluded-args,s', 'secludedArgs', 's');
flag('protect-args', 'secludedArgs');
set('trust-sender', 'trustSender');
flag('numeric-ids', 'numericIds');
act('usermap', 'usermap', 'text');
act('groupmap', 'groupmap', 'text');
act('chown', 'chown', 'text');
int('timeout', 'timeout');
set('no-timeout', 'timeout', 0);
int('contimeout', 'contimeout');
set('no-contimeout', 'contimeout', 0);
set('fsync', 'fsync');
act('stop-after', 'stopAfter', 'text');
act('time-limit', 'stopAfter', 'text');
act('stop-at', 'stopAt', 'text');
text('rsh,e', 'rsh');
text('rsync-path', 'rsyncPath');
text('temp-dir,T', 'tempDir');
text('iconv', 'iconv');
act('no-iconv', 'noIconv');
set('ipv4,4', 'ipFamily', 4);
set('ipv6,6', 'ipFamily', 6);
flag('8-bit-output,8', 'eightBit', '8');
flag('mkpath', 'mkpath');
set('qsort', 'qsort');
text('copy-as', 'copyAs');
text('address', 'address');
int('port', 'port');
text('sockopts', 'sockopts');
text('password-file', 'passwordFile');
text('early-input', 'earlyInput');
flag('blocking-io', 'blockingIo');
text('outbuf', 'outbuf');
act('remote-option,M', 'remoteOption', 'text');
int('protocol', 'protocol');
int('checksum-seed', 'checksumSeed');
act('server', 'server');
set('sender', 'sender');
act('config', 'daemon', 'text');
act('daemon', 'daemon');
act('dparam', 'daemon', 'text');
act('detach', 'daemon');
act('no-detach', 'daemon');

const EXACT_ONLY =
  'rsh from0 secluded-args dry-run iconv no-iconv checksum-seed copy-devices write-devices log-format sender server';
for (const name of EXACT_ONLY.split(' ')) rows[rows.findIndex((row) => row.long === name)].exactRefusalOnly = true;

export const OPTION_ROWS: readonly Row[] = rows;

/** What finds the row of a `--long` or `-s` name. */
export interface OptionIndex {
  get(name: string): Row | undefined;
}

export const OPTION_INDEX: OptionIndex = indexRows(rows);

export function indexRows(table: readonly Row[]): OptionIndex {
  const index = new Map<string, Row>();
  for (const row of table) {
    if (row.long !== '') index.set(`--${row.long}`, row);
    if (row.short !== '') index.set(`-${row.short}`, row);
  }
  return index;
}

/** What a client's own command line has besides: an option that rsync does not know, and no server takes. */
const WATCH: Row = { long: 'watch', short: '', arg: 'none', number: 'watch', value: 1 };

export const CLIENT_INDEX: OptionIndex = {
  get: (name) => (name === '--watch' ? WATCH : OPTION_INDEX.get(name)),
};
