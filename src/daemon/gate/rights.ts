import { Exit } from '../../../protocol/constants.js';
import { RsyncError } from '../../../protocol/errors.js';
import type { ByteString } from '../../../protocol/options.js';
import { chroot } from '../../libc/libc.js';
import { errnoText } from '../../report/errno.js';
import { groupId, userId } from '../clients/accounts.js';
import type { DaemonConfig } from '../config/config.js';
import { type Env, expandVars } from '../config/lex.js';

/** "daemon chroot", "daemon gid" and "daemon uid": what a process takes on before it says a word to a client. */
export interface DaemonRights {
  /** '' for the root that is there. */
  root: ByteString;
  /** null: stay what we are. */
  gid: number | null;
  uid: number | null;
}

/** Whether a configuration asks for any of it. */
export function hasDaemonRights({ global }: DaemonConfig): boolean {
  return global.daemonChroot + global.daemonGid + global.daemonUid !== '';
}

function step(what: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    throw new RsyncError(Exit.STARTCLIENT, `rsync: [Receiver] ${what} failed: ${errnoText(error)}`);
  }
}

function enterRoot(root: ByteString): void {
  if (root === '') return;
  step(`daemon chroot("${root}")`, () => {
    chroot(Buffer.from(root, 'latin1'));
    process.chdir('/');
  });
}

function setGroup(gid: number): void {
  step(`setgid ${gid}`, () => process.setgid?.(gid));
  step('setgroups', () => process.setgroups?.([gid]));
}

/**
 * Takes the rights on for good; names are looked up in the new root, as all later ones are. Returns them for the processes
 * that are to have them as well. Errors: RsyncError, whose text is for the log.
 */
export async function takeOnDaemonRights({ global }: DaemonConfig, env: Env): Promise<DaemonRights> {
  const [root, group, user] = [global.daemonChroot, global.daemonGid, global.daemonUid].map((s) => expandVars(s, env));
  enterRoot(root);
  const gid = group === '' ? null : await groupId(group);
  if (gid === null && group !== '') throw new RsyncError(Exit.STARTCLIENT, `Invalid daemon gid: ${group}`);
  if (gid !== null) setGroup(gid);
  const uid = user === '' ? null : await userId(user);
  if (uid === null && user !== '') throw new RsyncError(Exit.STARTCLIENT, `Invalid daemon uid: ${user}`);
  becomeDaemonUser({ root, gid, uid });
  return { root, gid, uid };
}

/** The first step of those for a process that is to have what another one has taken on. */
export function enterDaemonRoot({ root, gid }: DaemonRights): void {
  enterRoot(root);
  if (gid !== null) setGroup(gid);
}

/** The last one: it may take away the right to any other. */
export function becomeDaemonUser({ uid }: DaemonRights): void {
  if (uid !== null) step(`setuid ${uid}`, () => process.setuid?.(uid));
}
