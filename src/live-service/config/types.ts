import type { ByteString } from '../../../protocol/options.js';
import type { BackOff, MirrorSpec } from '../../live/types.js';

/** When everything is compared again: a cron expression, or every so many milliseconds. */
export type Schedule = { kind: 'cron'; pattern: string } | { kind: 'every'; ms: number };

/** Tells whether a hook is meant for a path; the text is what the configuration says. */
export interface PathPattern {
  text: string;
  matches(path: ByteString): boolean;
}

/** What a hook does with a batch. */
export type HookAction =
  | { kind: 'command'; command: ByteString; separator: '\n' | '\0' }
  | { kind: 'http'; url: string; headerFile: ByteString; baseUrl: string }
  | { kind: 'tcp'; host: string; port: number };

export interface HookConfig {
  name: string;
  action: HookAction;
  /** A path is told when one of these fits (or there is none) ... */
  match: readonly PathPattern[];
  /** ... and none of these. */
  skip: readonly PathPattern[];
  on: 'success' | 'failure' | 'always';
  /** Names of targets; empty for all. */
  targets: readonly string[];
  /** Deleted paths are told too. */
  deletions: boolean;
  /** Batches that may wait. */
  queue: number;
  /** How often a failed delivery is tried again. */
  retries: number;
  backOff: BackOff;
  timeoutMs: number;
}

export interface SyncConfig {
  spec: MirrorSpec;
  schedules: readonly Schedule[];
  /** Options that only scheduled comparisons get. */
  resyncOptions: readonly ByteString[];
  hooks: readonly HookConfig[];
}

/** Everything that a configuration file says. */
export interface ServiceConfig {
  file: string;
  logFile: ByteString;
  pidFile: ByteString;
  /** '' for none. */
  socket: ByteString;
  /** The configuration names the socket: it must be had then. */
  socketGiven: boolean;
  http: { host: string; port: number } | null;
  statusFile: ByteString;
  statusIntervalMs: number;
  /** Sessions of all syncs at the same time; 0 for no limit. */
  totalSessions: number;
  /** Longest wait for pending changes when the service ends. */
  drainMs: number;
  syncs: readonly SyncConfig[];
}
