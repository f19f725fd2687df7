import fs from 'node:fs';
import { S_IFDIR, S_IFMT } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { Root } from '../files/root.js';
import { errnoText, type Log } from '../report/log.js';
import { type Identity, type Place, SetupError, takeOn } from './identity.js';
import type { Job } from './job.js';
import { mungesLinks } from './module-options.js';

/** Where munged links lead: to nowhere, as long as nobody makes this directory. */
const MUNGE_DIR = '/rsyncd-munged';

/** The one identity of this process. */
export class Entrance {
  private identity: string | null = null;
  private place: Place | null = null;
  /** True from the first step that cannot be undone. */
  bound = false;

  /** Takes on the job's identity, or checks that it is the one taken on before. Throws SetupError. */
  enter(job: Job, log: Log): Place {
    const wanted = JSON.stringify(job.identity);
    if (this.place === null) {
      if (this.bound) throw new SetupError('@ERROR: setuid failed', 'the worker could not take on its identity');
      this.place = this.take(job.identity, log);
      this.identity = wanted;
    } else if (this.identity !== wanted) {
      throw new SetupError('@ERROR: setuid failed', 'a worker was given a connection of another identity');
    }
    checkModule(job, this.place);
    return this.place;
  }

  private take(identity: Identity, log: Log): Place {
    const entered = () => {
      this.bound = true;
    };
    return takeOn(identity, (text) => log.info(text), entered);
  }
}

function isDirectory(path: ByteString): boolean {
  const st = fs.statSync(Buffer.from(path, 'latin1'), { throwIfNoEntry: false });
  return st !== undefined && (st.mode & S_IFMT) === S_IFDIR;
}

/** What has to hold each time before a client is told that it is welcome. */
function checkModule(job: Job, place: Place): void {
  let there = false;
  try {
    there = isDirectory(place.root);
  } catch {
    // Some directory on the way is closed to this user: the module cannot be reached either.
  }
  if (!there) throw new SetupError('@ERROR: chdir failed', `rsync: [Receiver] chdir ${place.root} failed`);
  if (place.chrooted && place.confined) checkConfinement(place);
  if (!mungesLinks(job.config, place)) return;
  if (isDirectory(MUNGE_DIR)) {
    throw new SetupError(
      '@ERROR: daemon security issue -- contact admin',
      `Symlink munging is unsafe when a ${MUNGE_DIR} directory exists.`,
    );
  }
}

/** Inside a new root, paths can only be held below a part of it when that root has what it takes (a /proc). */
function checkConfinement(place: Place): void {
  try {
    Root.confined(place.root).close();
  } catch (error) {
    throw new SetupError(
      '@ERROR: chdir failed',
      `rsync: [Receiver] the module cannot be confined to ${place.root} inside its chroot, ` +
        `which needs a mounted /proc there: ${errnoText(error)}`,
    );
  }
}

/** What a client and the log are told when a connection cannot be set up. */
export function refusalOf(error: unknown): { line: string; reason: ByteString } {
  if (error instanceof SetupError) return error;
  const reason = error instanceof RsyncError ? error.message : `internal error: ${String((error as Error).stack)}`;
  return { line: '@ERROR: internal error', reason };
}
