import type { ByteString } from '../../protocol/options.js';
import type { Reporter } from '../files/report.js';
import { errnoText } from '../report/errno.js';
import { fullName } from '../report/messages.js';
import type { Session } from '../session/session.js';

/** Turns what the file functions could not do into rsync's lines (and exit code 23). `shownRoot`: the destination. */
export function problemReporter(
  session: Session,
  shownRoot: ByteString,
  module: ByteString | null = null,
  role: 'generator' | 'receiver' | 'sender' = 'generator',
): Reporter {
  const { log } = session;
  const who = `[${role}]`;
  return {
    fullName(name) {
      return fullName(name, shownRoot, module);
    },
    problem(text, error) {
      log.xferError(`rsync: ${who} ${text}: ${errnoText(error)}\n`);
    },
    failure(text) {
      log.xferError(`rsync: ${who} ${text}\n`);
    },
    warning(text, error) {
      log.warning(`rsync: ${who} ${text}: ${errnoText(error)}\n`);
    },
    info(text) {
      log.info(text.endsWith('\n') ? text : `${text}\n`);
    },
  };
}
