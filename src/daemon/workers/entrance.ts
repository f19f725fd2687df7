import { RsyncError } from '../../../protocol/errors.js';
import type { ByteString } from '../../../protocol/options.js';
import type { Log } from '../../report/log.js';
import { openCharset } from '../../session/charset.js';
import { mungesLinks } from '../modules/options.js';
import { type Identity, MUNGE_DIR, type Place, SetupError, takeOn } from './identity.js';
import type { Job } from './job.js';

/** The one identity of this process. */
export class Entrance {
  private identity: string | null = null;
  private place: Place | null = null;
  /** True from the first step that cannot be undone. */
  bound = false;

  /** True when that step was made and another one failed: this process can serve nobody. */
  get spoiled(): boolean {
    return this.bound && this.place === null;
  }

  /** Takes on the job's identity, or checks that it is the one taken on before. Throws SetupError. */
  async enter(job: Job, log: Log): Promise<Place> {
    // In a new root nothing can be loaded.
    if (job.config.charset !== '') await openCharset(job.config.charset);
    const wanted = JSON.stringify(job.identity);
    if (this.place === null) {
      if (this.spoiled) throw new SetupError('@ERROR: setuid failed', 'the worker could not take on its identity');
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

/** What has to hold each time before a client is told that it is welcome. */
function checkModule(job: Job, place: Place): void {
  if (!mungesLinks(job.config, place) || !place.mungeDirThere()) return;
  throw new SetupError(
    '@ERROR: daemon security issue -- contact admin',
    `Symlink munging is unsafe when a ${MUNGE_DIR} directory exists.`,
  );
}

/** What a client and the log are told when a connection cannot be set up. */
export function refusalOf(error: unknown): { line: string; reason: ByteString } {
  if (error instanceof SetupError) return error;
  const reason = error instanceof RsyncError ? error.message : `internal error: ${String((error as Error).stack)}`;
  return { line: '@ERROR: internal error', reason };
}
