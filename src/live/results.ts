import { IoError } from '../../protocol/constants.js';
import type { ByteString } from '../../protocol/options.js';
import type { ClientLog } from '../report/log.js';
import { Change } from '../watch/changes.js';
import { toBatch } from './batch.js';
import { LEVEL, TREE } from './dirty-set.js';
import { FailingFiles } from './failing.js';
import type { Flight, Pending } from './pending.js';
import { plainText } from './session-log.js';
import type { Outcome } from './sessions.js';
import type { MirrorEvents, MirrorSpec, TargetSpec, TargetStatus } from './types.js';

/** What the results of one target's sessions are told to. */
export interface ResultSetting {
  mirror: MirrorSpec;
  events: MirrorEvents;
  /** Where the output of sessions goes. */
  output: ClientLog | null;
}

/** What became of one target's sessions: totals, batches that are told, and the files that fail by themselves. */
export class Results {
  readonly counts = { sessions: 0, failedSessions: 0, files: 0, deleted: 0, sentBytes: 0, literalBytes: 0 };
  private readonly failing: FailingFiles;
  /** The last comparison of everything had an incomplete list, so that nothing was deleted. */
  private keptAll = false;

  constructor(
    private readonly spec: TargetSpec,
    private readonly setting: ResultSetting,
    private readonly pending: Pending,
    retry: (source: number, path: ByteString, what: number) => void,
  ) {
    this.failing = new FailingFiles(setting.mirror.backOff, retry);
  }

  get failingFiles(): TargetStatus['failing'] {
    return this.failing.list();
  }

  close(): void {
    this.failing.close();
  }

  /** Files that the session could not send, and files that it could although they had failed before. */
  noteFailures({ log, failed, session }: Outcome, flight: Flight): void {
    if (flight.marks === null) this.failing.clearAll();
    const now = Date.now();
    const told = new Set<string>();
    // Words about files that will be tried again are told once; others belong to this session only.
    let isNew = flight.marks === null || (failed.length === 0 && log.xferErrors === 0);
    const note = (source: number, path: ByteString, what: number, text: string) => {
      told.add(`${source}/${path}`);
      if (this.failing.add(source, path, what, text, now)) isNew = true;
    };
    for (const full of failed) {
      const place = this.pending.placeOf(full);
      if (place !== null) note(place.source, place.path, Change.WRITTEN, log.about(full) ?? 'it could not be sent');
    }
    // With an incomplete list the other side deletes nothing in directories that were to be compared.
    const keptAll = session !== null && (session.listIoError & IoError.GENERAL) !== 0;
    flight.marks?.forEach((marks, source) => {
      // What the other side could not write is known by its words only: everything of the session is tried again.
      const isUnclear = log.xferErrors > failed.length;
      for (const { path, what } of marks) {
        if (isUnclear || (keptAll && (what & (TREE | LEVEL)) !== 0)) note(source, path, what, plainText(log.text));
        else if (!told.has(`${source}/${path}`)) this.failing.clear(source, path);
      }
    });
    if (flight.marks === null) this.keptAll = keptAll && this.failing.size > 0;
    else if (this.keptAll && this.failing.size === 0) this.compareAgain();
    if (isNew) this.showComplaints(log);
  }

  /** What kept the other side from deleting in a comparison of everything is mended. */
  private compareAgain(): void {
    this.keptAll = false;
    this.pending.oweFull([]);
  }

  private showComplaints({ complaints }: Outcome['log']): void {
    const { output, events } = this.setting;
    for (const { kind, text } of complaints) {
      if (output !== null) output[kind](text);
      else events.log(kind, `${this.spec.name}: ${plainText(text)}`);
    }
  }

  /** Counts a session that began at `started` (milliseconds since 1970) and tells of it. `full`: it compared everything. */
  count(outcome: Outcome, started: number, full: boolean): void {
    const { counts, setting } = this;
    counts.sessions++;
    if (outcome.error !== null) counts.failedSessions++;
    const batch = toBatch(outcome, started, full);
    const stats = outcome.session?.stats;
    counts.files += stats?.transferredFiles ?? 0;
    counts.deleted += full ? (stats?.deleted.total ?? 0) : batch.deleted.length;
    counts.sentBytes += batch.sentBytes;
    counts.literalBytes += stats?.literal ?? 0;
    setting.events.batchEnded?.({ ...batch, mirror: setting.mirror.name, target: this.spec.name });
  }
}
