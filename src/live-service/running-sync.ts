import fs from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import type { CreateMirror, Mirror, MirrorStatus, SessionSlots, TargetPhase } from '../live/types.js';
import { errnoText } from '../report/errno.js';
import type { SyncConfig } from './config/types.js';
import { HookRunner, retryDelay } from './hooks/runner.js';
import { nameText } from './names.js';
import { ScheduledJobs } from './schedule.js';
import type { LogKind } from './service-log.js';
import type { ControlCommand, SyncStatus } from './status/types.js';

/** What a running sync needs of its service. */
export interface SyncSurroundings {
  createMirror: CreateMirror;
  slots: SessionSlots;
  log(kind: LogKind, text: string): void;
  /** Something changed that viewers should see at once. */
  changed(): void;
}

/** One [sync NAME] at work: its mirror, its schedule and its hooks. */
export class RunningSync {
  private mirror: Mirror | null = null;
  private jobs: ScheduledJobs;
  private hooks: HookRunner[];
  private problem: string | null = null;
  private timer: NodeJS.Timeout | null = null;
  /** The sources are not there yet. */
  private waiting = false;
  private attempts = 0;
  private stopped = false;
  private readonly started = Date.now();
  /** Targets that were paused before the mirror existed; '' is all of them. */
  private readonly pausedEarly = new Set<string>();
  private firstDone!: () => void;
  /** Resolves when every target has been in step once, or has failed. */
  readonly first = new Promise<void>((resolve) => {
    this.firstDone = resolve;
  });

  constructor(
    private config: SyncConfig,
    private readonly around: SyncSurroundings,
  ) {
    this.hooks = this.makeHooks([]);
    this.jobs = this.schedule();
  }

  get name(): string {
    return this.config.spec.name;
  }

  /** True when a configuration asks for the same mirror: then it can go on untouched. */
  isSameMirror(config: SyncConfig): boolean {
    return JSON.stringify(config.spec) === JSON.stringify(this.config.spec);
  }

  /** Makes the mirror as soon as its sources are there; until then it looks again and again. */
  start(): void {
    if (this.stopped) return;
    const missing = missingSource(this.config.spec.sources);
    if (missing !== null) {
      this.startLater(missing);
      return;
    }
    if (this.waiting) {
      this.log('info', 'the source is there');
      this.waiting = false;
      this.problem = null;
    }
    let mirror: Mirror;
    try {
      mirror = this.makeMirror();
    } catch (error) {
      this.startFailed(error as Error);
      return;
    }
    this.mirror = mirror;
    for (const target of this.pausedEarly) mirror.pause(target === '' ? undefined : target);
    mirror.start().then(
      () => {
        this.attempts = 0;
        this.problem = null;
        this.firstDone();
      },
      async (error: Error) => {
        await mirror.stop(false).catch(() => {});
        this.startFailed(error);
      },
    );
  }

  private makeMirror(): Mirror {
    return this.around.createMirror(
      this.config.spec,
      {
        log: (kind, text) => this.log(kind, text),
        batchEnded: (batch) => {
          for (const hook of this.hooks) hook.offer(batch);
          this.around.changed();
        },
        phaseChanged: () => this.around.changed(),
      },
      this.around.slots,
    );
  }

  private startLater(why: string): void {
    if (this.problem !== why) this.log('warning', `${why}; waiting for it`);
    this.problem = why;
    this.waiting = true;
    this.attempts++;
    const { backOff } = this.config.spec;
    const wait = retryDelay({ firstMs: Math.min(backOff.firstMs, 2000), mostMs: 2000 }, this.attempts);
    this.timer = setTimeout(() => this.start(), wait);
  }

  private startFailed(error: Error): void {
    this.mirror = null;
    this.firstDone();
    if (this.stopped) return;
    const why = nameText(error.message.trim());
    if (this.problem !== why) this.log('error', `${why}; it is tried again`);
    this.problem = why;
    this.attempts++;
    this.timer = setTimeout(() => this.start(), retryDelay(this.config.spec.backOff, this.attempts));
  }

  /** Takes over schedule and hooks of a configuration for the same mirror; queues of unchanged hooks stay. */
  update(config: SyncConfig): void {
    this.config = config;
    const before = this.hooks;
    this.hooks = this.makeHooks(before);
    // What waits in a hook that is gone is still delivered, as far as that is possible in its time.
    for (const hook of before) if (!this.hooks.includes(hook)) void hook.stop(hook.config.timeoutMs);
    this.jobs.stop();
    this.jobs = this.schedule();
  }

  /** Ends it, after what is pending has been sent when that takes no more than `drainMs`. Returns how much was left. */
  async stop(drainMs: number): Promise<number> {
    this.stopped = true;
    this.jobs.stop();
    if (this.timer !== null) clearTimeout(this.timer);
    this.firstDone();
    const { mirror } = this;
    if (mirror === null) return 0;
    if (drainMs === 0) return mirror.stop(false);
    const late = setTimeout(() => {
      this.log('warning', `what is pending could not be sent within ${drainMs / 1000} s`);
      mirror.abort();
    }, drainMs);
    const left = await mirror.stop(true);
    clearTimeout(late);
    return left;
  }

  /** Gives the hooks `ms` to deliver what waits. Returns the number of batches that were left. */
  async stopHooks(ms: number): Promise<number> {
    const left = await Promise.all(this.hooks.map((hook) => hook.stop(ms)));
    return left.reduce((sum, n) => sum + n, 0);
  }

  control(command: ControlCommand, target?: string): void {
    if (target !== undefined && !this.config.spec.targets.some((one) => one.name === target)) {
      throw new Error(`${this.name} has no target ${target}`);
    }
    this.log('info', `${command}${target === undefined ? '' : ` of ${target}`} was asked for`);
    if (command === 'pause') this.pausedEarly.add(target ?? '');
    else if (command === 'resume') this.forgetPause(target);
    if (command === 'resync') this.mirror?.resync(target);
    else this.mirror?.[command](target);
  }

  private forgetPause(target: string | undefined): void {
    if (target === undefined) this.pausedEarly.clear();
    else this.pausedEarly.delete(target);
  }

  status(): SyncStatus {
    return {
      ...(this.mirror?.status() ?? this.emptyStatus()),
      problem: this.problem,
      nextResync: this.jobs.next(),
      hooks: this.hooks.map((hook) => hook.status()),
    };
  }

  private emptyStatus(): MirrorStatus {
    const { name, sources, targets } = this.config.spec;
    const phase: TargetPhase = this.stopped ? 'stopped' : 'starting';
    const zeros = { pending: 0, lagMs: 0, sessions: 0, connections: 0, failedSessions: 0, files: 0, deleted: 0 };
    const nothing = { lastSuccess: null, lastError: null, attempts: 0, nextAttempt: null, failing: [], guard: null };
    return {
      name,
      sources: sources.map(nameText),
      started: this.started,
      via: '',
      watches: 0,
      events: 0,
      overflows: 0,
      targets: targets.map((target) => ({
        ...zeros,
        ...nothing,
        name: target.name,
        phase,
        fullOwed: true,
        sentBytes: 0,
        literalBytes: 0,
      })),
    };
  }

  private makeHooks(before: readonly HookRunner[]): HookRunner[] {
    return this.config.hooks.map((config) => {
      const same = before.find((hook) => sameHook(hook, config));
      return same ?? new HookRunner(config, (kind, text) => this.log(kind, text));
    });
  }

  private schedule(): ScheduledJobs {
    return new ScheduledJobs(this.config.schedules, () => {
      this.log('info', 'scheduled comparison of everything');
      this.mirror?.resync(undefined, this.config.resyncOptions);
    });
  }

  private log(kind: LogKind, text: string): void {
    this.around.log(kind, `${this.name}: ${text}`);
  }
}

function sameHook(hook: HookRunner, config: HookRunner['config']): boolean {
  return JSON.stringify(hook.config) === JSON.stringify(config);
}

/** Why the sources cannot be watched yet, or null. */
function missingSource(sources: readonly ByteString[]): string | null {
  for (const source of sources) {
    try {
      fs.statSync(Buffer.from(source, 'latin1'));
    } catch (error) {
      return `source ${nameText(source)}: ${errnoText(error)}`;
    }
  }
  return null;
}
