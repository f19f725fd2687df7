import { readFileSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';

/** A mounted file system, as /proc/self/mountinfo tells of it. */
export interface Mount {
  /** Absolute path of the mount point. */
  path: ByteString;
  /** Type, such as 'ext4' or 'nfs4'. */
  type: ByteString;
}

/** File systems on which other hosts, or a program behind them, change files without any event here. */
const WITHOUT_EVENTS =
  /^(nfs\d?|cifs|smb\d?|smbfs|9p|virtiofs|fuse|fuse\..+|ceph|glusterfs|lustre|afs|coda|gfs2|ocfs2|gpfs|beegfs|vboxsf|vmhgfs|prl_fs|orangefs|pvfs2|davfs|acfs)$/;

/** fuse is also how local disks are mounted: these are changed by this host only. */
const LOCAL_FUSE =
  /^fuse\.(fuseblk|ntfs-3g|ext4|mergerfs|encfs|gocryptfs|cryfs|squashfuse|bindfs|overlay|fuse-overlayfs)$/;

/** True for a type of file system whose changes cannot all be seen as events. */
export function lacksEvents(type: ByteString): boolean {
  return WITHOUT_EVENTS.test(type) && !LOCAL_FUSE.test(type);
}

/** All mounts in the order of mounting: a later one covers an earlier one. Empty when that cannot be read. */
export function readMounts(file = '/proc/self/mountinfo'): Mount[] {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    return [];
  }
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    // id parent major:minor root MOUNT-POINT options [optional fields] - TYPE source options
    const [head, tail] = line.split(' - ', 2);
    const path = head.split(' ')[4];
    if (path !== undefined && tail !== undefined)
      mounts.push({ path: unescapeOctal(path), type: tail.split(' ', 1)[0] });
  }
  return mounts;
}

function unescapeOctal(text: ByteString): ByteString {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function isWithin(path: ByteString, dir: ByteString): boolean {
  return dir === '/' || path === dir || path.startsWith(`${dir}/`);
}

/** The mount that an absolute path without symbolic links lies on. */
export function mountOf(path: ByteString, mounts: readonly Mount[]): Mount | undefined {
  let best: Mount | undefined;
  for (const mount of mounts) {
    if (isWithin(path, mount.path) && (best === undefined || mount.path.length >= best.path.length)) best = mount;
  }
  return best;
}

/** Mounts strictly below an absolute path. */
export function mountsBelow(path: ByteString, mounts: readonly Mount[]): Mount[] {
  return mounts.filter((mount) => mount.path !== path && isWithin(mount.path, path));
}
