import type { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import type { ClientLog } from '../report/log.js';
import type { Change } from '../watch/changes.js';

/** One place that is kept equal to a source tree. */
export interface TargetSpec {
  /** Name for logs and status, unique within the mirror. */
  name: string;
  /** A push command line without its sources: rsync's options and the destination, one word each. */
  options: readonly ByteString[];
  dest: ByteString;
  /** Password for a daemon; null: --password-file, RSYNC_PASSWORD or none. Never logged. */
  password: ByteString | null;
  /** Most sessions to this target at the same time, at least 1; with -H there is one. */
  maxSessions: number;
}

/** When a target is tried again after a failure: `first` doubled each time up to `most`, less up to a quarter by chance. */
export interface BackOff {
  firstMs: number;
  mostMs: number;
}

/** What is refused rather than deleted. */
export interface DeleteGuard {
  /** Most entries of a batch that may be deletions, in percent of what the target is known to hold; 100 never refuses. */
  maxPercent: number;
  /** Deletions of fewer entries than this are never refused. */
  fromEntries: number;
}

/** One source command line mirrored to any number of targets. */
export interface MirrorSpec {
  name: string;
  /** Source arguments as rsync understands them ('src/' is the content, 'src' the directory itself). */
  sources: readonly ByteString[];
  targets: readonly TargetSpec[];
  /** Change bits that count. */
  wanted: Change;
  /**
   * Milliseconds that a change waits for more of its kind before the first session takes it. Names that come and go
   * wait at least two, because a program that saves a file makes, moves and removes several.
   */
  settleMs: number;
  watchVia: 'auto' | 'inotify' | 'fanotify' | 'poll';
  pollMs: number;
  backOff: BackOff;
  deleteGuard: DeleteGuard;
  /** Dirty paths of a target above which its set collapses to "compare everything". */
  maxPending: number;
}

export type TargetPhase = 'starting' | 'in step' | 'sending' | 'waiting to retry' | 'paused' | 'stopped';

/** What is known of one target now. Times are milliseconds since 1970. */
export interface TargetStatus {
  name: string;
  phase: TargetPhase;
  /** Dirty paths that no session has taken to the end yet. */
  pending: number;
  /** A comparison of the whole tree is owed. */
  fullOwed: boolean;
  /** Age in milliseconds of the oldest change that is not on the other side; 0 when there is none. */
  lagMs: number;
  sessions: number;
  connections: number;
  failedSessions: number;
  files: number;
  deleted: number;
  /** Bytes written to the connections. */
  sentBytes: number;
  literalBytes: number;
  lastSuccess: number | null;
  lastError: { time: number; exitCode: number; text: string } | null;
  /** Failed in a row; 0 after a success. */
  attempts: number;
  nextAttempt: number | null;
  /** Files that fail by themselves and are tried again. */
  failing: readonly { path: string; error: string; attempts: number }[];
  /** Why deletions are held back, or null. */
  guard: string | null;
}

export interface MirrorStatus {
  name: string;
  sources: readonly string[];
  /** Milliseconds since 1970. */
  started: number;
  via: string;
  watches: number;
  events: number;
  overflows: number;
  targets: readonly TargetStatus[];
}

/** One session that came to an end. */
export interface Batch {
  mirror: string;
  target: string;
  /** True for a comparison of the whole tree; `paths` is empty then. */
  full: boolean;
  /** What was sent and what was deleted, relative to the source. */
  paths: readonly ByteString[];
  deleted: readonly ByteString[];
  /** Milliseconds since 1970. */
  started: number;
  ended: number;
  exitCode: number;
  sentBytes: number;
  error: string | null;
}

/** What a mirror tells its owner. None of these may take long; they are called between two sessions. */
export interface MirrorEvents {
  /** One line for each change of a state, and for what a user should know. */
  log(kind: 'info' | 'warning' | 'error', text: string): void;
  batchEnded?(batch: Batch): void;
  /** A target that was in step, or was not, changed. */
  phaseChanged?(target: string, phase: TargetPhase): void;
}

/** Lets several mirrors share a limit of sessions that run at the same time. */
export interface SessionSlots {
  /** Resolves, first come first served, when a slot is free; the function gives it back (once, whatever happened). */
  take(): Promise<() => void>;
}

/**
 * How a mirror is made: `createMirror(spec, events, slots, output)`. With slots, every session of it takes one before it starts
 * to send (a connection that only waits ahead of time takes none). `output` takes what the options of the sessions want
 * to be printed; without it that goes nowhere, and complaints go to `events.log`. Throws RsyncError (exit code 1, 2, 4
 * or 23) for what cannot be mirrored.
 */
export type CreateMirror = (
  spec: MirrorSpec,
  events: MirrorEvents,
  slots?: SessionSlots | null,
  output?: ClientLog | null,
) => Mirror;

/** How the first comparison of a target went. */
export interface StartResult {
  target: string;
  /** null: the target is in step. */
  error: RsyncError | null;
  /** Trying again will not mend it: a wrong password, an unknown module, options that the other side refuses. */
  lasting: boolean;
}

/** A running mirror. */
export interface Mirror {
  /**
   * Sets the watches, then compares everything; resolves when every target has been in step once or has failed. A target
   * that failed is tried again all the same. Throws a system error, or RsyncError, when a source cannot be watched.
   */
  start(): Promise<readonly StartResult[]>;
  /** Ends it after the running sessions: `drain` sends first what is pending. Returns the number of changes left. */
  stop(drain: boolean): Promise<number>;
  /** Ends running sessions at once; `stop` is still to be called. */
  abort(): void;
  /** Owes every target, or the named one, a comparison of everything, with extra rsync options for it. */
  resync(target?: string, extraOptions?: readonly ByteString[]): void;
  pause(target?: string): void;
  resume(target?: string): void;
  status(): MirrorStatus;
}
