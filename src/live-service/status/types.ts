import type { MirrorStatus } from '../../live/types.js';
import type { HookStatus } from '../hooks/runner.js';

export interface SyncStatus extends MirrorStatus {
  /** Why nothing is mirrored at the moment (no source, for instance), or null. */
  problem: string | null;
  /** Milliseconds since 1970 of the next scheduled comparison, or null. */
  nextResync: number | null;
  hooks: readonly HookStatus[];
}

/** What the service tells about itself; the JSON of the status socket. Times are milliseconds since 1970. */
export interface ServiceStatus {
  version: string;
  pid: number;
  now: number;
  started: number;
  config: string;
  /** Sessions that run now, and how many may (0: no limit). */
  sessions: number;
  totalSessions: number;
  syncs: readonly SyncStatus[];
}

export type ControlCommand = 'pause' | 'resume' | 'resync';

/** What a status server shows and passes on. */
export interface Controlled {
  status(): ServiceStatus;
  /** Does it to a target, a whole sync, or everything; throws an Error when there is no such thing. */
  control(command: ControlCommand, sync?: string, target?: string): void;
  readonly history: HistorySource;
  /** Calls back whenever something changed that a viewer should see at once; returns how to stop that. */
  onChange(listener: () => void): () => void;
}

export interface HistorySource {
  all(): HistoryData;
}

/** Columns of one hour, oldest first; a sample of a target that did not exist yet is null. */
export interface HistoryData {
  /** Seconds between two samples. */
  step: number;
  /** Seconds since 1970. */
  times: number[];
  targets: Record<string, TargetHistory>;
}

export interface TargetHistory {
  lagMs: (number | null)[];
  pending: (number | null)[];
  /** Since the sample before. */
  sentBytes: (number | null)[];
  files: (number | null)[];
}
