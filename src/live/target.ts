import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { Gather } from './gather.js';
import { DeletionGuard } from './guard.js';
import { Health } from './health.js';
import { MovePolicy } from './move-policy.js';
import type { Move } from './moves.js';
import { Pending, type TargetSource } from './pending.js';
import { type ResultSetting, Results } from './results.js';
import { Rounds } from './rounds.js';
import { Sessions } from './sessions.js';
import type { TargetOptions } from './target-options.js';
import type { SessionSlots, TargetPhase, TargetSpec, TargetStatus } from './types.js';

/** Milliseconds for which names that come or go wait for those that belong to them: a temporary name goes at once. */
const NAMES_SETTLE_MS = 2;
/** Milliseconds after which a running session is a long one, beside which another may run. */
const LONG_MS = 200;

/** What a target has from its mirror. */
export interface TargetSetting extends ResultSetting {
  options: TargetOptions;
  sources: readonly TargetSource[];
  slots: SessionSlots | null;
  /** Why nothing may be sent now: the root of a source is not what it was. */
  obstacle(): string | null;
}

/** Keeps one destination equal to the sources: decides when a session runs, and what comes of how it went. */
export class Target {
  private readonly pending: Pending;
  /** As many as sessions may run at once. The connection of the first one is kept ready. */
  private readonly lanes: Sessions[];
  private readonly results: Results;
  private readonly rounds: Rounds;
  private readonly guard: DeletionGuard;
  /** Why deletions are held back. */
  private guarded: string | null = null;
  private readonly gather = new Gather();
  private phase: TargetPhase = 'starting';
  private readonly running = new Map<Sessions, Promise<void>>();
  /** When the latest one of the running sessions began. */
  private begun = 0;
  private timer: NodeJS.Timeout | null = null;
  private isStopping = false;
  private isPaused = false;
  private started: ((error: RsyncError | null) => void) | null = null;
  private readonly health: Health;

  constructor(
    readonly spec: TargetSpec,
    private readonly setting: TargetSetting,
  ) {
    const { mirror } = setting;
    const policy = new MovePolicy(setting.options, setting.sources);
    this.pending = new Pending(setting.sources, mirror.maxPending, (move) => policy.keeps(move));
    // Names of one file that travel in different sessions would not be joined.
    const lanes = setting.options.full().hardLinks ? 1 : Math.max(1, spec.maxSessions);
    this.lanes = Array.from({ length: lanes }, () => new Sessions(setting.options, setting.output));
    this.health = new Health(mirror.backOff);
    const deletes = setting.options.full().deleteMode !== 'none';
    this.guard = new DeletionGuard(mirror.deleteGuard, setting.sources, deletes);
    this.results = new Results(spec, setting, this.pending, (source, path, what) =>
      this.mark(source, path, what, Date.now()),
    );
    const { pending, guard, gather, results } = this;
    this.rounds = new Rounds({ pending, policy, guard, gather, results }, (why) => this.holdBack(why));
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

  moved(move: Move, since: number): void {
    this.pending.move(move, since);
    this.schedule();
  }

  resync(extra: readonly ByteString[]): void {
    this.pending.oweFull(extra);
    this.health.hurry();
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
    if (this.running.size === 0) this.setPhase('paused');
  }

  resume(): void {
    this.isPaused = false;
    if (this.guarded !== null) this.guard.lift();
    this.guarded = null;
    if (this.running.size === 0) this.setPhase(this.restingPhase());
    this.schedule();
  }

  /** Ends it after the running sessions, or with `drain` after everything that is pending; returns what is left. */
  async stop(drain: boolean): Promise<number> {
    this.isStopping = true;
    this.clearTimer();
    await Promise.all(this.running.values());
    while (drain && this.pending.left > 0 && this.health.attempts === 0 && !this.isPaused) {
      await this.round(this.lanes[0]);
    }
    this.setPhase('stopped');
    this.results.close();
    await Promise.all(this.lanes.map((lane) => lane.close()));
    return this.pending.left;
  }

  /** Ends the running sessions at once. */
  abort(): void {
    this.isStopping = true;
    this.clearTimer();
    for (const lane of this.lanes) lane.abort();
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
    if (this.health.attempts > 0) return 'waiting to retry';
    return this.health.lastSuccess === null ? 'starting' : 'in step';
  }

  // --- when ----------------------------------------------------------------------------------------------------------

  /** Starts a session if one is due, or sets the timer for it. */
  private schedule(): void {
    // In a storm this is asked at each event, mostly while a session runs, whose end asks again.
    if (this.isStopping || this.isPaused || this.timer !== null || this.running.size === this.lanes.length) return;
    const { pending, health } = this;
    const oldest = pending.oldestWaiting;
    if (oldest === Number.POSITIVE_INFINITY) return;
    const lane = this.lanes.find((one) => !this.running.has(one));
    if (lane === undefined || (this.running.size > 0 && !this.mayRunBeside())) return;
    const now = Date.now();
    const settleMs = Math.max(this.setting.mirror.settleMs, pending.hasNewNames ? NAMES_SETTLE_MS : 0);
    const settled = pending.fullOwed ? 0 : oldest + settleMs;
    const others = this.running.size === 0 ? 0 : this.begun + LONG_MS;
    const due = Math.max(settled, this.gather.next(pending.newest), health.nextAttempt ?? 0, others);
    if (due <= now) {
      this.begin(lane);
      return;
    }
    this.timer = setTimeout(() => {
      this.timer = null;
      this.schedule();
    }, due - now);
  }

  /** True when a session may start although others run; whatever else happens, their end asks again. */
  private mayRunBeside(): boolean {
    const { pending } = this;
    return (
      !this.rounds.isAlone && !pending.needsFull && !pending.moves.any && this.health.attempts === 0 && pending.hasFree
    );
  }

  private begin(lane: Sessions): void {
    this.begun = Date.now();
    const work = this.round(lane).finally(() => {
      this.running.delete(lane);
      if (this.running.size === 0) this.setPhase(this.restingPhase());
      this.clearTimer();
      this.schedule();
    });
    this.running.set(lane, work);
  }

  /** One session, with what comes of it. Never rejects for what a user or a peer does. */
  private async round(lane: Sessions): Promise<void> {
    const release = (await this.setting.slots?.take()) ?? null;
    try {
      const obstacle = this.setting.obstacle();
      if (obstacle !== null) {
        this.failed(new RsyncError(Exit.FILESELECT, Buffer.from(obstacle).toString('latin1')));
        return;
      }
      this.setPhase('sending');
      // What came since this one was planned may want to run alone, and then waits for the others.
      const hasCompany = [...this.running.keys()].some((other) => other !== lane);
      const error = await this.rounds.run(lane, hasCompany);
      if (error !== null) this.failed(error);
      else if (this.guarded === null) this.succeeded();
    } finally {
      release?.();
    }
  }

  // --- results -------------------------------------------------------------------------------------------------------

  private succeeded(): void {
    const line = this.health.succeeded(Date.now());
    if (line !== null) this.setting.events.log('info', `${this.spec.name}: ${line}`);
    if (!this.isStopping) this.lanes[0].prepare();
    this.tellStarted(null);
  }

  private failed(error: RsyncError): void {
    const line = this.health.failed(error, Date.now());
    if (line !== null && !this.isStopping) this.setting.events.log('error', `${this.spec.name}: ${line}`);
    this.tellStarted(error);
  }

  private tellStarted(error: RsyncError | null): void {
    this.started?.(error);
    this.started = null;
  }

  status(): TargetStatus {
    const { health } = this;
    const { oldest } = this.pending;
    return {
      name: this.spec.name,
      phase: this.phase,
      pending: this.pending.count,
      fullOwed: this.pending.fullOwed,
      lagMs: oldest === Number.POSITIVE_INFINITY ? 0 : Math.max(0, Date.now() - oldest),
      connections: this.lanes.reduce((sum, lane) => sum + lane.connections, 0),
      ...this.results.counts,
      lastSuccess: health.lastSuccess,
      lastError: health.lastError,
      attempts: health.attempts,
      nextAttempt: health.nextAttempt,
      failing: this.results.failingFiles,
      guard: this.guarded,
    };
  }
}
