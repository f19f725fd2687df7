import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { Connection } from '../transport/connection.js';

/** What a run that its caller ends is rejected with: rsync's exit code of a signal, with the signal's reason as `cause`. */
export function abortError(signal: AbortSignal): RsyncError {
  const error = new RsyncError(Exit.SIGNAL, 'the run was aborted');
  error.cause = signal.reason;
  return error;
}

/**
 * Does `work`, which is to hand over its connection once it has one, and ends it when `signal` is aborted: through the
 * connection, so that the other side is told; before there is one, what goes on is left to find out as soon as it has it.
 */
export async function withSignal<T>(
  signal: AbortSignal | undefined,
  work: (connected: (connection: Connection) => void) => Promise<T>,
): Promise<T> {
  if (signal === undefined) return work(() => {});
  if (signal.aborted) throw abortError(signal);
  let current: Connection | null = null;
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      if (current === null) reject(abortError(signal));
      else current.fail(abortError(signal));
    };
  });
  const connected = (connection: Connection) => {
    current = connection;
    if (signal.aborted) onAbort();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work(connected), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
