import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import type { ClientLog } from '../report/log.js';
import { Change } from '../watch/changes.js';
import { backOffDelay } from './back-off.js';
import { toBatch } from './batch.js';
import { FailingFiles } from './failing.js';
import { Gather } from './gather.js';
import { DeletionGuard } from './guard.js';
import { allowsMoves, allowsNames, isWorthMoving, type Move } from './moves.js';
import { Pending, type Taken, type TargetSource } from './pending.js';
import { plainText } from './session-log.js';
import { type Outcome, Sessions } from './sessions.js';
import { below } from './source-tree.js';
import type { TargetOptions } from './target-options.js';
import type { MirrorEvents, MirrorSpec, SessionSlots, TargetPhase, TargetSpec, TargetStatus } from './types.js';

/** Nothing that time would mend: the user has to change something. */
const LASTING = new Set<number>([Exit.SYNTAX, Exit.PROTOCOL, Exit.UNSUPPORTED, Exit.STARTCLIENT]);

/** Messages with such a code that pass: a daemon that is full, or that ended while it was being spoken to. */
const PASSING = /max connections|didn't get server startup line|did not see server greeting/;

/** Milliseconds for which names that come or go wait for those that belong to them: a temporary name goes at once. */
const NAMES_SETTLE_MS = 2;

/** True for an error that trying again will not mend. */
export function isLasting(error: RsyncError): boolean {
  return LASTING.has(error.exitCode) && !PASSING.test(error.message);
}

/** What a target has from its mirror. */
export interface TargetSetting {
  mirror: MirrorSpec;
  options: TargetOptions;
  sources: readonly TargetSource[];
  events: MirrorEvents;
  slots: SessionSlots | null;
  /** Where the output of sessions goes. */
  output: ClientLog | null;
  /** Why nothing may be sent now: the root of a source is not what it was. */
  obstacle(): string | null;
}

/** Keeps one destination equal to the sources: decides when a session runs, and what comes of how it went. */
export class Target {
  private readonly pending: Pending;
  private readonly sessions: Sessions;
  private readonly failing: FailingFiles;
  private readonly guard: DeletionGuard;
  /** Why deletions are held back. */
  private guarded: string | null = null;
  private readonly gather = new Gather();
  private phase: TargetPhase = 'starting';
  private running: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private isStopping = false;
  private isPaused = false;
  private started: ((error: RsyncError | null) => void) | null = null;
  private readonly counts = { sessions: 0, failedSessions: 0, files: 0, deleted: 0, sentBytes: 0, literalBytes: 0 };
  private lastSuccess: number | null = null;
  private lastError: TargetStatus['lastError'] = null;
  private attempts = 0;
  private nextAttempt: number | null = null;
  private downSince = 0;

  constructor(
    readonly spec: TargetSpec,
    private readonly setting: TargetSetting,
  ) {
    const { mirror } = setting;
    this.pending = new Pending(setting.sources, mirror.maxPending, allowsMoves(setting.options.full()));
    this.sessions = new Sessions(setting.options, setting.output);
    const deletes = setting.options.full().deleteMode !== 'none';
    this.guard = new DeletionGuard(mirror.deleteGuard, setting.sources, deletes);
    this.failing = new FailingFiles(mirror.backOff, (source, path) =>
      this.mark(source, path, Change.WRITTEN, Date.now()),
    );
  }

  // --- what is to be sent --------------------------------------------------------------------------------------------

  /** Notes a change, if the rules let it through. */
  changed(source: number, path: ByteString, what: number, since: number, isDir: boolean): void {
    if (this.setting.sources[source].names.accepts(path, isDir)) this.mark(source, path, what, since);
  }

  private mark(source: number, path: ByteString, what: number, since: number): void {
    this.pending.mark(source, path, what, since);
    this.schedule();
  }

  moved(move: Move, isDir: boolean, since: number): void {
    this.pending.move(move, isDir, since);
    this.schedule();
  }

  resync(extra: readonly ByteString[]): void {
    this.pending.oweFull(extra);
    this.nextAttempt = null;
    this.clearTimer();
    this.schedule();
  }

  // --- life ----------------------------------------------------------------------------------------------------------

  /** Begins with a comparison of everything. Resolves with what ended it, or null when the target is in step. */
  start(): Promise<RsyncError | null> {
    return new Promise((resolve) => {
      this.started = resolve;
      this.schedule();
    });
  }

  pause(): void {
    this.isPaused = true;
    this.clearTimer();
    if (this.running === null) this.setPhase('paused');
  }

  resume(): void {
    this.isPaused = false;
    if (this.guarded !== null) this.guard.lift();
    this.guarded = null;
    if (this.running === null) this.setPhase(this.restingPhase());
    this.schedule();
  }

  /** Ends it after the running session, or with `drain` after everything that is pending; returns what is left. */
  async stop(drain: boolean): Promise<number> {
    this.isStopping = true;
    this.clearTimer();
    await this.running;
    while (drain && this.pending.left > 0 && this.attempts === 0 && !this.isPaused) {
      await this.round();
      this.pending.settle();
    }
    this.setPhase('stopped');
    this.failing.close();
    await this.sessions.close();
    return this.pending.left;
  }

  /** Ends the running session at once. */
  abort(): void {
    this.isStopping = true;
    this.clearTimer();
    this.sessions.abort();
  }

  /** Stops sending until the user has looked at it. */
  private holdBack(why: string): void {
    this.guarded = why;
    this.isPaused = true;
    this.setting.events.log('error', `${this.spec.name}: ${why}; paused until it is resumed`);
    this.tellStarted(null);
  }

  private clearTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private setPhase(phase: TargetPhase): void {
    if (phase === this.phase || this.phase === 'stopped') return;
    this.phase = phase;
    this.setting.events.phaseChanged?.(this.spec.name, phase);
  }

  private restingPhase(): TargetPhase {
    if (this.isPaused) return 'paused';
    if (this.attempts > 0) return 'waiting to retry';
    return this.lastSuccess === null ? 'starting' : 'in step';
  }

  // --- when ----------------------------------------------------------------------------------------------------------

  /** Starts a session if one is due, or sets the timer for it. */
  private schedule(): void {
    if (this.running !== null || this.isStopping || this.isPaused || this.timer !== null) return;
    const { pending } = this;
    const oldest = pending.oldestWaiting;
    if (oldest === Number.POSITIVE_INFINITY) return;
    const now = Date.now();
    const settleMs = Math.max(this.setting.mirror.settleMs, pending.hasNewNames ? NAMES_SETTLE_MS : 0);
    const settled = pending.fullOwed ? 0 : oldest + settleMs;
    const due = Math.max(settled, this.gather.next(pending.newest), this.nextAttempt ?? 0);
    if (due <= now) {
      this.begin();
      return;
    }
    this.timer = setTimeout(() => {
      this.timer = null;
      this.schedule();
    }, due - now);
  }

  private begin(): void {
    this.running = this.round().finally(() => {
      this.running = null;
      this.pending.settle();
      this.setPhase(this.restingPhase());
      this.schedule();
    });
  }

  /** One session, with what comes of it. Never rejects for what a user or a peer does. */
  private async round(): Promise<void> {
    const release = (await this.setting.slots?.take()) ?? null;
    try {
      const obstacle = this.setting.obstacle();
      if (obstacle !== null) {
        this.failed(new RsyncError(Exit.FILESELECT, Buffer.from(obstacle).toString('latin1')));
        return;
      }
      this.setPhase('sending');
      const error = this.pending.needsFull ? await this.full() : await this.single();
      if (error !== null) this.failed(error);
      else if (this.guarded === null) this.succeeded();
    } finally {
      release?.();
    }
  }

  private async full(): Promise<RsyncError | null> {
    const empty = this.guard.checkSources();
    if (empty !== null) {
      this.holdBack(empty);
      return null;
    }
    const started = Date.now();
    const { fullOptions } = this.pending;
    this.pending.takeAll();
    const { maxDelete } = this.guard;
    const limit = maxDelete === null ? [] : [`--max-delete=${maxDelete}`];
    const outcome = await this.sessions.full([...limit, ...fullOptions]);
    const isLimited = outcome.code === Exit.DEL_LIMIT && maxDelete !== null;
    if (outcome.error !== null || isLimited) this.pending.restoreAll();
    if (isLimited) {
      this.holdBack(this.guard.refusal(null));
    } else if (outcome.error === null) {
      this.guard.done(outcome.session?.stats.files.total ?? null);
      this.failing.clearAll();
      this.noteFailures(outcome, null);
    }
    this.count(outcome, started, null);
    return outcome.error;
  }

  private async single(): Promise<RsyncError | null> {
    for (const move of this.pending.moves.take()) await this.sendMoved(move);
    const held = this.guard.check(this.pending.peek());
    if (held !== null) {
      this.holdBack(held);
      return null;
    }
    let started = Date.now();
    let taken: Taken = [];
    const outcome = await this.sessions.single(async () => {
      started = Date.now();
      taken = await this.pending.take();
      return this.pending.wanted(taken);
    });
    this.gather.note(this.pending.inFlight, started, Date.now());
    if (outcome.error !== null) this.pending.restore(taken);
    else {
      this.guard.done(null);
      this.noteFailures(outcome, taken);
    }
    this.count(outcome, started, taken);
    return outcome.error;
  }

  /** Has a directory that moved built from its old place over there, before that is deleted. */
  private async sendMoved(move: Move): Promise<void> {
    const { source, from, to } = move;
    const { place, names } = this.setting.sources[source];
    const ends = [names.nameOf(from), names.nameOf(to)] as const;
    if (allowsNames(...ends) && names.accepts(to, true) && isWorthMoving(place.path, move)) {
      const started = Date.now();
      const outcome = await this.sessions.moved(this.setting.options.moved(below(place.path, to), ...ends));
      this.count(outcome, started, []);
    }
    // It deleted nothing, and may not have come to its end: the ordinary way finds what is left.
    this.pending.markTree(source, to);
  }

  // --- results -------------------------------------------------------------------------------------------------------

  private succeeded(): void {
    this.lastSuccess = Date.now();
    if (this.attempts > 0) {
      const seconds = Math.round((Date.now() - this.downSince) / 1000);
      const { events } = this.setting;
      events.log('info', `${this.spec.name}: in step again after ${seconds} s (${this.attempts} attempts failed)`);
    }
    this.attempts = 0;
    this.nextAttempt = null;
    if (!this.isStopping) this.sessions.prepare();
    this.tellStarted(null);
  }

  private failed(error: RsyncError): void {
    const now = Date.now();
    const text = plainText(error.message) || `exit code ${error.exitCode}`;
    if (this.attempts === 0) this.downSince = now;
    this.attempts++;
    this.nextAttempt = now + backOffDelay(this.setting.mirror.backOff, this.attempts);
    const isNew = this.attempts === 1 || this.lastError?.text !== text;
    this.lastError = { time: now, exitCode: error.exitCode, text };
    if (isNew && !this.isStopping) {
      this.setting.events.log('error', `${this.spec.name}: ${text} (code ${error.exitCode}); trying again`);
    }
    this.tellStarted(error);
  }

  private tellStarted(error: RsyncError | null): void {
    this.started?.(error);
    this.started = null;
  }

  /** Files that the session could not send, and files that it could although they had failed before. */
  private noteFailures({ log, failed }: Outcome, taken: Taken | null): void {
    const now = Date.now();
    const told = new Set<string>();
    let isNew = taken === null;
    const note = (source: number, path: ByteString, text: string) => {
      told.add(`${source}/${path}`);
      if (this.failing.add(source, path, text, now)) isNew = true;
    };
    for (const full of failed) {
      const place = this.pending.placeOf(full);
      if (place !== null) note(place.source, place.path, log.about(full) ?? 'it could not be sent');
    }
    taken?.forEach((marks, source) => {
      // What the other side could not write is known by its words only: everything of the session is tried again.
      const isUnclear = log.xferErrors > failed.length;
      for (const { path } of marks) {
        if (isUnclear) note(source, path, plainText(log.text));
        else if (!told.has(`${source}/${path}`)) this.failing.clear(source, path);
      }
    });
    if (isNew) this.showComplaints(log);
  }

  private showComplaints({ complaints }: Outcome['log']): void {
    const { output, events } = this.setting;
    for (const { kind, text } of complaints) {
      if (output !== null) output[kind](text);
      else events.log(kind, `${this.spec.name}: ${plainText(text)}`);
    }
  }

  private count(outcome: Outcome, started: number, taken: Taken | null): void {
    const { counts, setting } = this;
    counts.sessions++;
    if (outcome.error !== null) counts.failedSessions++;
    const batch = toBatch(outcome, started, taken === null);
    const stats = outcome.session?.stats;
    counts.files += stats?.transferredFiles ?? 0;
    counts.deleted += taken === null ? (stats?.deleted.total ?? 0) : batch.deleted.length;
    counts.sentBytes += batch.sentBytes;
    counts.literalBytes += stats?.literal ?? 0;
    setting.events.batchEnded?.({ ...batch, mirror: setting.mirror.name, target: this.spec.name });
  }

  status(): TargetStatus {
    const { oldest } = this.pending;
    return {
      name: this.spec.name,
      phase: this.phase,
      pending: this.pending.count,
      fullOwed: this.pending.fullOwed,
      lagMs: oldest === Number.POSITIVE_INFINITY ? 0 : Math.max(0, Date.now() - oldest),
      connections: this.sessions.connections,
      ...this.counts,
      lastSuccess: this.lastSuccess,
      lastError: this.lastError,
      attempts: this.attempts,
      nextAttempt: this.nextAttempt,
      failing: this.failing.list(),
      guard: this.guarded,
    };
  }
}
