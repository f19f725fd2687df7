import type { ByteString } from '../../protocol/options.js';
import { type Role, systemError } from './exit.js';

/*
 * The sentences that a run prints, each in one place. Names go in as raw bytes: the sinks escape them. The comment of
 * a function says when it is printed (level of an --info word) and by which method of `Log`: info where nothing is
 * said. Itemized changes, statistics and progress have files of their own.
 */

/**
 * A path as error messages show it: quoted, absolute, with the module of a daemon: `"/dir/x" (in module)`. Inside a
 * module that is no root of its own, `currentDir` is the path below the module: '' or `/dir`.
 */
export function fullName(name: ByteString, currentDir: ByteString, module: ByteString | null = null): ByteString {
  const isWhole = name.startsWith('/') || currentDir === '';
  const absolute = isWhole ? name : currentDir.endsWith('/') ? currentDir + name : `${currentDir}/${name}`;
  return module === null ? `"${absolute}"` : `"${absolute}" (in ${module})`;
}

/** A path of the command line leads through a link of another user; error(). */
export function foreignLink(): string {
  return (
    'refusing to follow a symlink owned by an untrusted user; use --insecure-links locally or ' +
    '"insecure links = yes" in a daemon module ONLY if every path component is trusted\n'
  );
}

/** Without -p, the default ACL of a directory cannot be read; warning(). */
export function defaultAclFault(dir: ByteString, reason: string): string {
  const name = dir === '' ? '.' : dir;
  return `default_perms_for_dir: sys_acl_get_file(${name}, ACL_TYPE_DEFAULT): ${reason}, falling back on umask\n`;
}

/** --read-batch: a file that was asked for is not in the batch, or not once more; xferError(). */
export function noBatchedUpdate(name: ByteString, isRedo: boolean): ByteString {
  return `(No batched update for${isRedo ? ' resend of' : ''} "${name}")\n`;
}

/** --read-batch: a file of the batch is not wanted. */
export function skippingBatched(name: ByteString, isRedo: boolean): ByteString {
  return `(Skipping batched update for${isRedo ? ' resend of' : ''} "${name}")\n`;
}

// --- the file list -------------------------------------------------------------------------------------------------

/** --info=flist1 of an incremental run, at its start; client(). */
export function sendingList(): string {
  return 'sending incremental file list\n';
}

/** --info=flist1 of an incremental run, at its start; client(). */
export function receivingList(): string {
  return 'receiving incremental file list\n';
}

/** What `ListProgress.start` gets in a run that is not incremental; log files get it as a line in every run. */
export const BUILDING_LIST = 'building file list';
export const RECEIVING_LIST = 'receiving file list';

/** --info=nonreg1 (on unless switched off), generator. */
export function nonRegular(name: ByteString): ByteString {
  return `skipping non-regular file "${name}"\n`;
}

/** Sender without -r and -d, at every level. */
export function skippingDirectory(name: ByteString): ByteString {
  return `skipping directory ${name}\n`;
}

/** --info=mount1 with -x given twice. */
export function skippingMountPoint(role: Role, name: ByteString): ByteString {
  return `[${role}] skipping mount-point dir ${name}\n`;
}

/** --info=symsafe1 with --copy-unsafe-links. */
export function copyingUnsafeLink(name: ByteString, target: ByteString): ByteString {
  return `copying unsafe symlink "${name}" -> "${target}"\n`;
}

/** --debug=fuzzy1 with --fuzzy: the file that serves as basis. */
export function similarSelected(name: ByteString, basis: ByteString): ByteString {
  return `fuzzy basis selected for ${name}: ${basis}\n`;
}

/** --debug=fuzzy2: why, if not for its name. */
export function similarState(basis: ByteString): ByteString {
  return `fuzzy size/modtime match for ${basis}\n`;
}

/** --info=symsafe1 with --safe-links and --backup. */
export function notBackingUp(name: ByteString, target: ByteString): ByteString {
  return `not backing up unsafe symlink "${name}" -> "${target}"\n`;
}

/** --info=name1 with --safe-links, generator. */
export function ignoringUnsafeLink(name: ByteString, target: ByteString): ByteString {
  return `ignoring unsafe symlink "${name}" -> "${target}"\n`;
}

/** With -L; xferError(). `fullPath` is made by `fullName`, here and below. */
export function noReferent(fullPath: ByteString): ByteString {
  return `symlink has no referent: ${fullPath}\n`;
}

/** A file or directory that was there when its directory was read; warning(), sets IoError.VANISHED. */
export function vanished(fullPath: ByteString, isDir = false): ByteString {
  return `${isDir ? 'directory' : 'file'} has vanished: ${fullPath}\n`;
}

/** A file that shrank to nothing while its turn came; warning(). */
export function diminished(fullPath: ByteString): ByteString {
  return `skipped diminished file: ${fullPath}\n`;
}

/** An argument or an entry that cannot be examined; xferError(). */
export function linkStatFailed(role: Role, fullPath: ByteString, err: unknown): ByteString {
  return systemError(role, `link_stat ${fullPath} failed`, err);
}

/** xferError(). */
export function nameTooLong(name: ByteString): ByteString {
  return `skipping overly long name: ${name}\n`;
}

/** --debug=dup1 (-vv), receiver: a name that two arguments brought. */
export function duplicateName(name: ByteString, index: number): ByteString {
  return `removing duplicate name ${name} from file list (${index})\n`;
}

/**
 * --debug=filter1 (-vv): a rule decided about a name; sender and generator. `pattern` is that of the rule with its
 * modifiers' slash or bang; `origin` is empty or tells a per-directory file.
 */
export function filtered(
  role: 'sender' | 'generator',
  include: boolean,
  isDir: boolean,
  name: ByteString,
  pattern: ByteString,
  origin = '',
): ByteString {
  const action = role === 'sender' ? (include ? 'showing' : 'hiding') : include ? 'risking' : 'protecting';
  return `[${role}] ${action} ${isDir ? 'directory' : 'file'} ${name} because of pattern ${pattern}${origin}\n`;
}

/** --debug=deltasum1 (-vv), sender, at the end of its transfers. */
export function matchReport(matches: number, hashHits: number, falseAlarms: number, literal: number): string {
  return `total: matches=${matches}  hash_hits=${hashHits}  false_alarms=${falseAlarms} data=${literal}\n`;
}

// --- the connection ------------------------------------------------------------------------------------------------

/** Characters of an argument that need no quotes in a log message. */
const PLAIN_ARGUMENT = /^[A-Za-z0-9,.\-_=+@/]*$/;

/** --debug=cmd1 (-vv); client(). `what` is `opening connection using:` or `sending daemon args:`. */
export function commandLine(what: string, argv: readonly ByteString[]): ByteString {
  const words = argv.map((word) => (PLAIN_ARGUMENT.test(word) ? `${word} ` : `"${word}" `));
  return `${what} ${words.join('')} (${argv.length} args)\n`;
}

/** --debug=proto (-vvvv): the version of the other side, and what both speak. */
export function protocolVersions(isServer: boolean, theirs: number, agreed: number): string {
  return `(${isServer ? 'Server' : 'Client'}) Protocol versions: remote=${theirs}, negotiated=${agreed}\n`;
}

/** --debug=own2 (-vvvv): what a peer's user (`kind` uid) or group is here. */
export function idMapping(kind: 'uid' | 'gid', id: number, name: ByteString, here: number): ByteString {
  return `${kind} ${id}(${name}) maps to ${here}\n`;
}

/** --debug=connect1 (-vv). */
export function openingTcp(host: string, port: number): string {
  return `opening tcp connection to ${host} port ${port}\n`;
}

/** --debug=connect2 (-vvv). */
export function connectedTo(host: string, address: string): string {
  return `Connected to ${host} (${address})\n`;
}

/** --debug=connect1 (-vv). */
export function throughProxy(host: string, port: number): string {
  return `connection via http proxy ${host} port ${port}\n`;
}

/** --debug=cmd1 (-vv). */
export function runningProgram(command: string): string {
  return `Running socket program: "${command}"\n`;
}

// --- the destination -----------------------------------------------------------------------------------------------

/** --info=name1 or -i: the destination was made. */
export function createdDirectory(dir: ByteString): ByteString {
  return `created directory ${dir}\n`;
}

/** --info=name1 or -i with --mkpath. */
export function createdPath(count: number, path: ByteString): ByteString {
  return `created ${count} director${count === 1 ? 'y' : 'ies'} for ${path}\n`;
}

/** --debug=flist1 (-vv): how data will travel. */
export function deltaTransmission(wholeFile: boolean): string {
  return `delta-transmission ${wholeFile ? 'disabled for local transfer or --whole-file' : 'enabled'}\n`;
}

/** --info=backup1 (-vv) at the start with --backup-dir. */
export function backupDirIs(dir: ByteString, isNew: boolean): ByteString {
  return `${isNew ? '(new) ' : ''}backup_dir is ${dir}\n`;
}

/** warning(). `option` is --compare-dest, --copy-dest or --link-dest. */
export function basisDirFault(option: string, dir: ByteString, exists: boolean): ByteString {
  return `${option} arg ${exists ? 'is not a dir' : 'does not exist'}: ${dir}\n`;
}

// --- what is not transferred ---------------------------------------------------------------------------------------

/** --info=skip1 with --existing. */
export function notCreating(name: ByteString, isDir: boolean): ByteString {
  return `not creating new ${isDir ? 'directory' : 'file'} "${name}"\n`;
}

/** What --info=skip2 adds to `exists`. */
export type ExistsDetail = '' | 'type change' | 'sum change' | 'file change' | 'attr change' | 'uptodate';

/** --info=skip1 with --ignore-existing. */
export function exists(name: ByteString, detail: ExistsDetail = ''): ByteString {
  return `${name} exists${detail === '' ? '' : ` (${detail})`}\n`;
}

/** --info=skip1 with --max-size. */
export function overMaxSize(name: ByteString): ByteString {
  return `${name} is over max-size\n`;
}

/** --info=skip1 with --min-size. */
export function underMinSize(name: ByteString): ByteString {
  return `${name} is under min-size\n`;
}

/** --info=skip1 with --update. */
export function isNewer(name: ByteString): ByteString {
  return `${name} is newer\n`;
}

/** --info=name2 without -i; client(). Only where no item line tells it: names of directories with a slash. */
export function isUptodate(name: ByteString): ByteString {
  return `${name} is uptodate\n`;
}

/** A directory could not be made, everything in it is left out; error(). */
export function skippingContents(): string {
  return '*** Skipping any contents from this failed directory ***\n';
}

/** A daemon's filter forbids the name; xferError(). */
export function refusedToReceive(name: ByteString, isDir: boolean): ByteString {
  return `ERROR: daemon refused to receive ${isDir ? 'directory' : 'file'} "${name}"\n`;
}

// --- received files ------------------------------------------------------------------------------------------------

export type Kept = 'discarded' | 'retained' | 'put into partial-dir';

/**
 * The digest of a received file is wrong. The first time it will be asked for again: warning(), only with
 * --info=name1 or -i. The second time: xferError().
 */
export function failedVerification(name: ByteString, kept: Kept, again: boolean, isBatch = false): ByteString {
  const head = again ? 'WARNING' : 'ERROR';
  const next = again ? ` (${isBatch ? 'may' : 'will'} try again)` : '';
  return `${head}: ${name} failed verification -- update ${kept}${next}.\n`;
}

/** xferError(): no --partial-dir can be made for a file. */
export function noPartialDir(name: ByteString, complete: boolean): ByteString {
  const what = complete ? 'completed file' : 'partial file';
  return `Unable to create partial-dir for ${name} -- discarding ${what}.\n`;
}

/** --info=backup1 (-vv). */
export function backedUp(name: ByteString, to: ByteString): ByteString {
  return `backed up ${name} to ${to}\n`;
}

/** --info=remove1 with --remove-source-files. */
export function senderRemoved(name: ByteString): ByteString {
  return `sender removed ${name}\n`;
}

/** With --remove-source-files; xferError(). */
export function skippedRemove(name: ByteString): ByteString {
  return `ERROR: Skipping sender remove for changed file: ${name}\n`;
}

/** --info=misc2: the server's I/O timeout was taken over. */
export function timeoutAdopted(seconds: number): string {
  return `Setting --timeout=${seconds} to match server\n`;
}

// --- deletions -----------------------------------------------------------------------------------------------------

/** Once, in a run that deletes and had an I/O error on the sending side. */
export function skippingDeletion(): string {
  return 'IO error encountered -- skipping file deletion\n';
}

/** A directory that still holds something that must stay. */
export function cannotDeleteNonEmpty(dir: ByteString): ByteString {
  return `cannot delete non-empty directory: ${dir}\n`;
}

/** --info=mount1 with -x. */
export function cannotDeleteMountPoint(dir: ByteString): ByteString {
  return `cannot delete mount point: ${dir}\n`;
}

/** --info=mount1 with -x: what is mounted in a directory that should go. */
export function mountPointPins(dir: ByteString): ByteString {
  return `mount point, ${dir}, pins parent directory\n`;
}

/** At the end; warning(), sets IoError.DEL_LIMIT. */
export function deletingLimit(skipped: number): string {
  return `Deletions stopped due to --max-delete limit (${skipped} skipped)\n`;
}

/** --debug=del1 (-vv) of a deletion before or after the transfer, for each argument. */
export function deletingIn(dir: ByteString): ByteString {
  return `deleting in ${dir}\n`;
}

// --- the end -------------------------------------------------------------------------------------------------------

/** --stop-after and --stop-at, exit code 30. */
export const STOPPING = 'stopping at requested limit';

/** --iconv: a name that cannot be converted; `who` is the role that found out. */
export function cannotConvertName(who: string, name: ByteString, fault: string): ByteString {
  return `[${who}] cannot convert filename: ${name} (${fault})\n`;
}

/** --iconv: a link whose target cannot be converted. `fullPath` is made by `fullName`. */
export function cannotConvertTarget(who: string, fullPath: ByteString, fault: string): ByteString {
  return `[${who}] cannot convert symlink data for: ${fullPath} (${fault})\n`;
}
