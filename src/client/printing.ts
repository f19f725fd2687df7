import { inForeground } from '../report/foreground.js';
import { deletedLine, type ItemContext, ItemFormat, loggedDeletion } from '../report/item.js';
import type { ClientLog } from '../report/log.js';
import { Progress } from '../report/progress.js';
import { logTotals, writeSummary } from '../report/stats.js';
import { nowMs } from '../session/clock.js';
import type { Session } from '../session/session.js';
import { ListAnnouncer } from '../transfer/list-announcer.js';
import type { BegunRun } from './run-plan.js';

/** What both roles of a client need for what they print. */
export function printing({ plan, session, context: itemContext }: BegunRun) {
  const { options: o, log } = plan;
  return {
    itemContext,
    transferLog: log.file === null ? null : { format: o.logFileFormat, log: log.file },
    progress: makeProgress(session, log),
    announcer: new ListAnnouncer(o, log, session.isSender),
    idsByNumber: false,
  };
}

/** Lines about deletions that the other side, or this one, has made. */
export function reportDeletions(session: Session, context: ItemContext, log: ClientLog): void {
  const { options: o, listener } = session;
  const format = o.outFormat === null ? null : new ItemFormat(o.outFormat, context);
  const fileFormat = log.file === null ? null : new ItemFormat(o.logFileFormat, context);
  session.onDeleted = (name, mode) => {
    const line = listener === null ? deletedLine(name, mode, o, format) : '';
    if (line !== '') log.client(line);
    listener?.deleted(session, name, mode);
    if (fileFormat !== null && !o.dryRun) log.file?.info(loggedDeletion(name, mode, fileFormat));
  };
}

/** A --log-file ends with the totals, unless it has got those of -v; a receiver that missed something has none. */
function logClosing({ options: o, isSender, stats }: Session, log: ClientLog, code: number): void {
  const wanted = code === 0 ? (o.info.stats ?? 0) < 1 : isSender;
  if (wanted) log.file?.info(logTotals(stats));
}

function makeProgress(session: Session, log: ClientLog): Progress | null {
  const { options: o } = session;
  if ((o.info.progress ?? 0) === 0) return null;
  const progress = new Progress(o, (text) => log.progress(text), Date.now);
  progress.foreground = inForeground;
  progress.source = {
    stats: session.stats,
    get listComplete() {
      return session.listsComplete;
    },
  };
  return progress;
}

/** Whatever was not counted at its end is counted here. */
export function countTraffic(session: Session): void {
  const { stats } = session;
  if (stats.sent === 0) session.countTraffic();
  stats.elapsedMs = nowMs() - session.started;
}

/** The closing lines of a run that ended with this exit code. */
export function summarize(session: Session, log: ClientLog, code: number): void {
  countTraffic(session);
  const { options: o } = session;
  const kind = o.batch?.kind === 'only-write' ? 'batch only' : o.dryRun ? 'dry run' : 'real';
  writeSummary(log, session.stats, o, session.protocol, kind);
  logClosing(session, log, code);
}
