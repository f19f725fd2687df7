import fs from 'node:fs';
import path from 'node:path';
import { Exit } from '../../../protocol/constants.js';
import { RsyncError } from '../../../protocol/errors.js';
import { splitConfList } from '../../../protocol/handshake/auth.js';
import type { ByteString } from '../../../protocol/options.js';
import { readAccounts } from '../../files/names.js';
import { Errno, systemError } from '../../libc/errno.js';
import { leadsThroughForeignLink } from '../../libc/foreign-link.js';
import { chroot } from '../../libc/libc.js';
import { errnoText } from '../../report/log.js';
import { groupId, groupIdsOf, userId } from '../clients/accounts.js';
import type { ModuleConfig } from '../config/params.js';
import { becomeDaemonUser, type DaemonRights, enterDaemonRoot } from '../gate/rights.js';

/**
 * The rights that a worker takes on before it sees file data, as plain data. Paths are absolute byte strings without a
 * trailing slash ('/' alone for the root).
 */
export interface Identity {
  /** What comes before everything else; null: nothing does, or this process has it already. */
  daemon: DaemonRights | null;
  /** null: stay what we are. */
  uid: number | null;
  /** The first one is the group of new files; null: stay. */
  gids: number[] | null;
  /** null: try, and go on without when it cannot be had. */
  useChroot: boolean | null;
  /** Links are followed wherever they lead, also out of the inner part of a new root. */
  insecureLinks: boolean;
  /** Directory to make the root, and where the module lies in it ('/': it is the root itself). */
  outer: ByteString;
  inner: ByteString;
  /** Where the module lies without a new root. */
  whole: ByteString;
  /** Which directories these are at the moment, '' for one that is not there: a process cannot follow a replacement. */
  nodes: string[];
}

/** A module that cannot be served: `line` is what the client reads, `reason` is for the log. */
export class SetupError extends RsyncError {
  constructor(
    readonly line: string,
    readonly reason: ByteString,
  ) {
    super(Exit.STARTCLIENT, line);
  }
}

/** Cleans a configured path: absolute, no doubled slashes, no dot directories, no slash at its end. */
export function cleanPath(configured: ByteString): ByteString {
  const absolute = configured.startsWith('/') ? configured : `${process.cwd()}/${configured}`;
  const normal = path.posix.normalize(absolute);
  return normal.length > 1 ? normal.replace(/\/+$/, '') : normal;
}

async function groupsFor(config: ModuleConfig, uid: number, isRoot: boolean): Promise<number[] | null> {
  const names = splitConfList(config.gid);
  if (names.length === 0) {
    if (!isRoot) return null;
    const gid = (await groupId('nogroup')) ?? (await groupId('nobody'));
    if (gid === null) throw new SetupError('@ERROR: invalid gid nogroup', 'Invalid gid nogroup');
    return [gid];
  }
  const gids: number[] = [];
  for (const [i, name] of names.entries()) {
    if (i === 0 && name === '*') {
      const all = await groupIdsOf(uid);
      if (all === null) throw new SetupError('@ERROR: getpwuid failed', `getpwuid failed for uid ${uid}`);
      gids.push(...all);
      continue;
    }
    const gid = await groupId(name);
    if (gid === null) throw new SetupError(`@ERROR: invalid gid ${name}`, `Invalid gid ${name}`);
    gids.push(gid);
  }
  return gids;
}

function nodesOf(dirs: readonly ByteString[]): string[] {
  return dirs.map((dir) => {
    try {
      const { dev, ino } = fs.statSync(Buffer.from(dir, 'latin1'), { bigint: true });
      return `${dev}:${ino}`;
    } catch {
      return '';
    }
  });
}

/** The same identity after something may have been mounted or made where the module lies. */
export function lookedAtAgain(identity: Identity): Identity {
  const { outer, whole, nodes } = identity;
  return { ...identity, nodes: nodesOf(nodes.length === 1 ? [whole] : [outer, whole]) };
}

/** Works out the identity that a module asks for, with names turned into numbers. Errors: SetupError. */
export async function planIdentity(config: ModuleConfig): Promise<Identity> {
  const isRoot = process.getuid?.() === 0;
  const wanted = config.uid !== '' ? config.uid : isRoot ? 'nobody' : null;
  let uid: number | null = null;
  if (wanted !== null) {
    uid = await userId(wanted);
    if (uid === null) throw new SetupError(`@ERROR: invalid uid ${wanted}`, `Invalid uid ${wanted}`);
  }
  const gids = await groupsFor(config, uid ?? process.getuid?.() ?? 0, isRoot);
  if (config.path === '') {
    throw new SetupError('@ERROR: no path setting.', `No path specified for module ${config.name}`);
  }
  const { insecureLinks } = config;
  const divider = config.path.indexOf('/./');
  const whole = cleanPath(config.path);
  if (divider < 0) {
    return {
      daemon: null,
      uid,
      gids,
      useChroot: config.useChroot,
      insecureLinks,
      outer: whole,
      inner: '/',
      whole,
      nodes: nodesOf([whole]),
    };
  }
  const outer = cleanPath(config.path.slice(0, divider) || '/');
  const inner = cleanPath(config.path.slice(divider + 2));
  // A path with a divider asks for a new root by itself, unless it is switched off.
  const nodes = nodesOf([outer, whole]);
  return { daemon: null, uid, gids, useChroot: config.useChroot ?? true, insecureLinks, outer, inner, whole, nodes };
}

/** Where a module lies for a process that has taken on its identity. */
export interface Place {
  chrooted: boolean;
  /** Absolute path of the module, inside the new root when there is one. */
  root: ByteString;
  /** The module's directory, opened with all rights: its parents may be closed to the module's user. */
  fd: number;
  /** True when the module is only a part of what the process can see, so that every path has to be held inside. */
  confined: boolean;
  /** True when it is only a part of the configured root, or has none: link targets must not lead out of it. */
  partial: boolean;
  /** True when munged links would lead somewhere. */
  mungeDirThere(): boolean;
}

/** Where munged links lead: to nowhere, as long as nobody makes this directory. */
export const MUNGE_DIR = '/rsyncd-munged';

function isDirectory(path: ByteString): boolean {
  return fs.statSync(Buffer.from(path, 'latin1'), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

const PROBE = Buffer.from('/');
/** Opens a place without any right to its content; Linux only, so Node does not name it. */
const O_PATH = 0o10000000;

/** True when this process may change its root directory; says why not. */
function canChroot(warn: (text: ByteString) => void): boolean {
  try {
    chroot(PROBE);
    process.chdir('/');
    return true;
  } catch (error) {
    warn(chrootTestFailed(error instanceof RsyncError ? error.message : errnoText(error).replace(/ \(\d+\)$/, '')));
    return false;
  }
}

function chrootTestFailed(why: string): string {
  return `chroot test failed: ${why}. Switching 'use chroot' from unset to false.`;
}

function enterRoot(dir: ByteString): void {
  try {
    // Missing directories are found before the root changes, so that the process can still be used for another module.
    if (!fs.statSync(Buffer.from(dir, 'latin1')).isDirectory()) {
      throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR', errno: -20 });
    }
    chroot(Buffer.from(dir, 'latin1'));
    process.chdir('/');
  } catch (error) {
    const why = error instanceof RsyncError ? error.message : errnoText(error);
    throw new SetupError('@ERROR: chroot failed', `rsync: [Receiver] chroot("${dir}") failed: ${why}`);
  }
}

/** Enters a directory; returns a descriptor of it. */
function enterDirectory(dir: ByteString): number {
  let fd = -1;
  try {
    const at = Buffer.from(dir, 'latin1');
    fd = fs.openSync(at, O_PATH | fs.constants.O_DIRECTORY);
    fs.accessSync(at, fs.constants.X_OK);
    // Node's chdir takes text only; a directory whose name is not UTF-8 is reached by its path all the same.
    const text = at.toString('utf8');
    if (Buffer.from(text).equals(at)) process.chdir(text);
    return fd;
  } catch (error) {
    if (fd >= 0) fs.closeSync(fd);
    throw cannotEnter(dir, error);
  }
}

function cannotEnter(dir: ByteString, error: unknown): SetupError {
  return new SetupError('@ERROR: chdir failed', `rsync: [Receiver] chdir ${dir} failed: ${errnoText(error)}`);
}

/**
 * The part of a new root that is the module. It is made the root in turn: so the kernel holds every path inside, and
 * nothing of the system, such as /proc, has to be there. What is wanted of the root around it is taken along.
 */
function enterInnerRoot(dir: ByteString): Place {
  const mungeDirThere = isDirectory(MUNGE_DIR);
  readAccounts();
  const outside = enterDirectory(dir);
  fs.closeSync(outside);
  enterRoot(dir);
  const fd = enterDirectory('/');
  return { chrooted: true, root: '/', fd, confined: false, partial: true, mungeDirThere: () => mungeDirThere };
}

function dropRights(identity: Identity): void {
  const { uid, gids } = identity;
  if (gids !== null && gids.length > 0) {
    step('setgid', String(gids[0]), () => process.setgid?.(gids[0]));
    step('setgroups', '', () => process.setgroups?.(gids));
  }
  if (uid === null) return;
  step('setuid', String(uid), () => process.setuid?.(uid));
  if (uid !== 0) verifyDropped(identity);
}

function step(call: 'setgid' | 'setgroups' | 'setuid', value: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    const what = value === '' ? call : `${call} ${value}`;
    throw new SetupError(`@ERROR: ${call} failed`, `rsync: [Receiver] ${what} failed: ${errnoText(error)}`);
  }
}

/** Rights that were given up must not come back: a process that can be root again serves nobody. */
function verifyDropped(identity: Identity): void {
  const { uid, gids } = identity;
  let regained = process.getuid?.() !== uid || process.geteuid?.() !== uid;
  if (gids !== null && gids.length > 0) regained ||= process.getegid?.() !== gids[0];
  try {
    process.seteuid?.(0);
    regained = true;
  } catch {
    // What should happen.
  }
  if (regained) throw new SetupError('@ERROR: setuid failed', `setuid ${uid} did not give up all rights`);
}

/**
 * Takes on an identity, once and for all: root directory, groups, user. Throws SetupError. `entered` is called when
 * the first step that cannot be undone begins: before it, the process is as it was.
 */
export function takeOn(identity: Identity, warn: (text: ByteString) => void, entered: () => void): Place {
  const { daemon } = identity;
  if (daemon !== null) {
    enterDaemonRoot(daemon);
    entered();
    if (daemon.root !== '' && !maySetRoot(identity, daemon, warn)) return enterEnclosed(identity, daemon);
    becomeDaemonUser(daemon);
  }
  const chrooted = identity.useChroot ?? canChroot(warn);
  if (chrooted) {
    enterRoot(identity.outer);
    entered();
  }
  const isInner = chrooted && identity.inner !== '/' && !identity.insecureLinks;
  const place = isInner ? enterInnerRoot(identity.inner) : enterWhole(identity, chrooted);
  entered();
  dropRights(identity);
  return place;
}

/** Whether the module is to be a new root by its own settings, as far as a daemon's user may do that. */
function maySetRoot(identity: Identity, { uid }: DaemonRights, warn: (text: ByteString) => void): boolean {
  if (identity.useChroot !== null) return identity.useChroot;
  if (uid === null || uid === 0) return canChroot(warn);
  warn(chrootTestFailed('Operation not permitted'));
  return false;
}

/** A directory that the daemon's user cannot get to is none for this process, though it has more rights yet. */
function checkWay(dir: ByteString, { uid }: DaemonRights): void {
  if (uid === null || uid === 0) return;
  process.seteuid?.(uid);
  try {
    fs.closeSync(fs.openSync(Buffer.from(`${dir}/.`, 'latin1'), O_PATH | fs.constants.O_DIRECTORY));
  } catch (error) {
    throw cannotEnter(dir, error);
  } finally {
    process.seteuid?.(0);
  }
}

/**
 * A module that is no root of its own in a daemon that has one. It is made one all the same, while that can be done: /proc, which
 * holds paths elsewhere, is not to be had in there.
 */
function enterEnclosed(identity: Identity, daemon: DaemonRights): Place {
  const { whole } = identity;
  if (leadsThroughForeignLink(whole)) throw cannotEnter(whole, systemError(Errno.ELOOP, 'chdir'));
  checkWay(whole, daemon);
  const place = enterInnerRoot(whole);
  becomeDaemonUser(daemon);
  dropRights(identity);
  return { ...place, chrooted: false, partial: whole !== '/' };
}

function enterWhole(identity: Identity, chrooted: boolean): Place {
  const root = chrooted ? identity.inner : identity.whole;
  // Whoever can write somewhere on the way could have the daemon serve another directory.
  if (!chrooted && leadsThroughForeignLink(root)) throw cannotEnter(root, systemError(Errno.ELOOP, 'chdir'));
  const fd = enterDirectory(root);
  const partial = root !== '/';
  return { chrooted, root, fd, confined: partial, partial, mungeDirThere: () => isDirectory(MUNGE_DIR) };
}
