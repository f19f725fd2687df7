import { EntryFlag } from '../../protocol/flist/list.js';
import type { ByteString } from '../../protocol/options.js';
import type { Session } from '../session/session.js';
import { plainText } from './session-log.js';
import type { Outcome } from './sessions.js';
import type { Batch } from './types.js';

/** What is to be told of a session that is over. `started`: milliseconds since 1970. */
export function toBatch(outcome: Outcome, started: number, full: boolean): Omit<Batch, 'mirror' | 'target'> {
  const { session, error, log, code } = outcome;
  // With incremental recursion lists are forgotten: a directory that moved is told of by the session that follows.
  const hasNames = session !== null && !full && !session.incremental;
  const names = hasNames ? listed(session) : { paths: [], deleted: [] };
  return {
    full,
    ...names,
    started,
    ended: Date.now(),
    exitCode: code,
    sentBytes: session?.connection.writer.total ?? 0,
    error: error !== null ? plainText(error.message) : log.hadXferError ? plainText(log.text) : null,
  };
}

/** Names that a session of single entries sent and deleted, as they are called in the transfer. */
function listed({ list }: Session): { paths: ByteString[]; deleted: ByteString[] } {
  const paths: ByteString[] = [];
  const deleted: ByteString[] = [];
  for (let row = 0; row < list.count; row++) {
    if (list.mode(row) === 0) deleted.push(list.path(row));
    else if ((list.flags(row) & EntryFlag.IMPLIED_DIR) === 0) paths.push(list.path(row));
  }
  return { paths, deleted };
}
