import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { Connection } from './connection.js';

/** Milliseconds that a run has to end in order after a signal. */
const GRACE_MS = 4000;

/** What a run fails with that a signal ends: exit code 20, and nothing to say but rsync's closing line. */
export function interruption(): RsyncError {
  return new RsyncError(Exit.SIGNAL, '');
}

/**
 * A signal (SIGINT, SIGTERM, SIGHUP) ends the run over this connection as an error does: the peer is told, and of an
 * unfinished file stays what --partial asks for. A run that does not end by itself then is ended with exit code 20.
 */
export function endOnSignals(connection: Connection): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      connection.fail(interruption());
      setTimeout(() => process.exit(Exit.SIGNAL), GRACE_MS).unref();
    });
  }
}
