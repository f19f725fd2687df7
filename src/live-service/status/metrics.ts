import { Counter, Gauge, Registry } from 'prom-client';
import type { TargetStatus } from '../../live/types.js';
import type { HookStatus } from '../hooks/runner.js';
import type { ServiceStatus, SyncStatus } from './types.js';

type Measure<T> = readonly [name: string, help: string, kind: 'gauge' | 'counter', value: (of: T) => number | null];

const seconds = (ms: number | null) => (ms === null ? null : ms / 1000);

const TARGET_MEASURES: readonly Measure<TargetStatus>[] = [
  ['in_step', '1 when the target holds everything that the source does', 'gauge', (t) => Number(t.phase === 'in step')],
  ['paused', '1 when the target is paused', 'gauge', (t) => Number(t.phase === 'paused')],
  ['lag_seconds', 'Age of the oldest change that is not on the other side', 'gauge', (t) => t.lagMs / 1000],
  ['pending_paths', 'Changed paths that are not on the other side', 'gauge', (t) => t.pending],
  ['full_owed', '1 when a comparison of everything is owed', 'gauge', (t) => Number(t.fullOwed)],
  ['failing_files', 'Files that fail by themselves and are tried again', 'gauge', (t) => t.failing.length],
  ['failed_in_a_row', 'Sessions that failed since the last success', 'gauge', (t) => t.attempts],
  ['deletions_held', '1 when the delete guard holds deletions back', 'gauge', (t) => Number(t.guard !== null)],
  ['last_success_seconds', 'Time of the last success', 'gauge', (t) => seconds(t.lastSuccess)],
  ['sessions_total', 'Sessions that were started', 'counter', (t) => t.sessions],
  ['failed_sessions_total', 'Sessions that failed', 'counter', (t) => t.failedSessions],
  ['connections_total', 'Connections that were opened', 'counter', (t) => t.connections],
  ['files_total', 'Files that were sent', 'counter', (t) => t.files],
  ['deleted_total', 'Entries that were deleted', 'counter', (t) => t.deleted],
  ['sent_bytes_total', 'Bytes written to connections', 'counter', (t) => t.sentBytes],
  ['literal_bytes_total', 'Bytes of file content that crossed the wire', 'counter', (t) => t.literalBytes],
];

const SYNC_MEASURES: readonly Measure<SyncStatus>[] = [
  ['watches', 'Watched directories', 'gauge', (s) => s.watches],
  ['events_total', 'Changes that the kernel told', 'counter', (s) => s.events],
  ['overflows_total', 'Times that the queue of events overflowed', 'counter', (s) => s.overflows],
];

const HOOK_MEASURES: readonly Measure<HookStatus>[] = [
  ['hook_queued', 'Batches that wait for the hook', 'gauge', (h) => h.queued],
  ['hook_delivered_total', 'Batches that the hook has taken', 'counter', (h) => h.delivered],
  ['hook_lost_total', 'Batches that were given up', 'counter', (h) => h.lost],
];

/** The usual ones of a process; prom-client's own set would wake the process up all the time to measure itself. */
const PROCESS_MEASURES: readonly Measure<ServiceStatus>[] = [
  ['sessions_running', 'Sessions that run now', 'gauge', (s) => s.sessions],
  ['process_start_time_seconds', 'When the service was started', 'gauge', (s) => s.started / 1000],
  ['process_resident_memory_bytes', 'Memory of the service', 'gauge', () => process.memoryUsage.rss()],
  ['process_cpu_seconds_total', 'CPU time of the service', 'counter', () => cpuSeconds()],
];

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

type Labels = Record<string, string>;

/** One measure as a metric of the registry; the returned function sets it for one thing. */
function register<T>(registry: Registry, labelNames: string[], [name, help, kind, value]: Measure<T>) {
  const settings = {
    name: name.startsWith('process_') ? name : `tsrsync_${name}`,
    help,
    labelNames,
    registers: [registry],
  };
  const metric = kind === 'gauge' ? new Gauge(settings) : new Counter(settings);
  return {
    reset: () => metric.reset(),
    set(of: T, labels: Labels) {
      const n = value(of);
      // The numbers are counted by the mirrors; here they are only shown, counters too.
      if (n !== null) metric.inc(labels, n);
    },
  };
}

/** `/metrics` for Prometheus. */
export class Metrics {
  private readonly registry = new Registry();
  private readonly targets = TARGET_MEASURES.map((m) => register(this.registry, ['sync', 'target'], m));
  private readonly syncs = SYNC_MEASURES.map((m) => register(this.registry, ['sync'], m));
  private readonly hooks = HOOK_MEASURES.map((m) => register(this.registry, ['sync', 'hook'], m));

  private readonly process = PROCESS_MEASURES.map((m) => register(this.registry, [], m));

  get contentType(): string {
    return this.registry.contentType;
  }

  /** The text of one scrape. */
  text(status: ServiceStatus): Promise<string> {
    for (const measure of [...this.process, ...this.targets, ...this.syncs, ...this.hooks]) measure.reset();
    for (const measure of this.process) measure.set(status, {});
    for (const sync of status.syncs) {
      for (const measure of this.syncs) measure.set(sync, { sync: sync.name });
      for (const target of sync.targets) {
        for (const measure of this.targets) measure.set(target, { sync: sync.name, target: target.name });
      }
      for (const hook of sync.hooks) {
        for (const measure of this.hooks) measure.set(hook, { sync: sync.name, hook: hook.name });
      }
    }
    return this.registry.metrics();
  }
}
