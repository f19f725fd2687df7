import type { TargetStatus } from '../../live/types.js';
import type { HistoryData, HistorySource, ServiceStatus, TargetHistory } from './types.js';

const HOUR = 3600;

interface Ring {
  columns: TargetHistory;
  lastBytes: number;
  lastFiles: number;
}

/** Key of a target in the history: `SYNC/TARGET`. */
export function historyKey(sync: string, target: string): string {
  return `${sync}/${target}`;
}

function emptyColumns(samples: number): TargetHistory {
  const nulls = () => new Array<number | null>(samples).fill(null);
  return { lagMs: nulls(), pending: nulls(), sentBytes: nulls(), files: nulls() };
}

/** The last hour of every target, a sample each `step` seconds. */
export class History implements HistorySource {
  private readonly times: number[] = [];
  private readonly rings = new Map<string, Ring>();

  constructor(readonly step: number = 5) {}

  sample(status: ServiceStatus): void {
    const seen = new Set<string>();
    for (const sync of status.syncs) {
      for (const target of sync.targets) {
        const key = historyKey(sync.name, target.name);
        seen.add(key);
        this.add(key, target);
      }
    }
    for (const key of this.rings.keys()) if (!seen.has(key)) this.rings.delete(key);
    this.times.push(Math.round(status.now / 1000));
    if (this.times.length * this.step <= HOUR) return;
    this.times.shift();
    for (const { columns } of this.rings.values()) {
      for (const column of Object.values(columns) as (number | null)[][]) column.shift();
    }
  }

  all(): HistoryData {
    const targets = Object.fromEntries([...this.rings].map(([key, ring]) => [key, ring.columns]));
    return { step: this.step, times: this.times, targets };
  }

  private add(key: string, target: TargetStatus): void {
    let ring = this.rings.get(key);
    if (ring === undefined) {
      ring = { columns: emptyColumns(this.times.length), lastBytes: target.sentBytes, lastFiles: target.files };
      this.rings.set(key, ring);
    }
    const { columns } = ring;
    columns.lagMs.push(Math.round(target.lagMs));
    columns.pending.push(target.pending);
    // A mirror that was made anew counts from 0 again.
    columns.sentBytes.push(Math.max(0, target.sentBytes - ring.lastBytes));
    columns.files.push(Math.max(0, target.files - ring.lastFiles));
    ring.lastBytes = target.sentBytes;
    ring.lastFiles = target.files;
  }
}
