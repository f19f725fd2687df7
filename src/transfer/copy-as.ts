import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { accountOf, groupId, userId } from '../files/names.js';
import { errnoText } from '../report/errno.js';
import { preloadRun } from './preload.js';

/** Node's own call has no type of its own. */
const initGroups = (user: string, gid: number): void =>
  (process as unknown as { initgroups(user: string, gid: number): void }).initgroups(user, gid);

/** A name, or a number in decimal; null when there is nobody of that name. */
function numberOf(text: ByteString, lookUp: (name: ByteString) => number | null): number | null {
  return /^\d{1,10}$/.test(text) ? Number(text) : lookUp(text);
}

/**
 * --copy-as=USER[:GROUP]: from here on this process, with all its threads, has that user's rights and no others. What was
 * opened before stays open. Errors: exit code 1.
 */
export async function copyAs(who: ByteString, role: string): Promise<void> {
  const colon = who.indexOf(':');
  const user = colon < 0 ? who : who.slice(0, colon);
  const uid = numberOf(user, userId);
  if (uid === null) throw new RsyncError(Exit.SYNTAX, `Invalid copy-as user: ${user}`);
  const step = (call: string, act: () => void): void => {
    try {
      act();
    } catch (error) {
      throw new RsyncError(Exit.SYNTAX, `rsync: [${role}] ${call} failed: ${errnoText(error)}`);
    }
  };
  let gid: number | null;
  let setGroups: () => void;
  if (colon < 0) {
    const account = accountOf(uid);
    if (account === null) throw new RsyncError(Exit.SYNTAX, `rsync: [${role}] getpwuid failed: Success (0)`);
    gid = account.gid;
    setGroups = () => initGroups(Buffer.from(account.name, 'latin1').toString(), account.gid);
  } else {
    const group = who.slice(colon + 1);
    gid = numberOf(group, groupId);
    if (gid === null) throw new RsyncError(Exit.SYNTAX, `Invalid copy-as group: ${group}`);
    setGroups = () => process.setgroups?.([gid as number]);
  }
  await preloadRun();
  step('setgid', () => process.setgid?.(gid as number));
  step('setgroups', setGroups);
  step('setuid', () => process.setuid?.(uid));
}
