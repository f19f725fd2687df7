import { MIRROR_DEFAULTS, wantedChanges } from '../live/defaults.js';
import { createMirror } from '../live/mirror.js';
import type { Batch, MirrorSpec, MirrorStatus } from '../live/types.js';
import { abortError } from './abort.js';
import { parseRun } from './run.js';
import { toBytes, toText } from './text.js';
import type { RunOptions } from './types.js';

export type { MirrorStatus, TargetStatus } from '../live/types.js';

/** One session of a mirror that came to an end, with names as text. */
export interface WatchBatch extends Omit<Batch, 'mirror' | 'target' | 'paths' | 'deleted'> {
  dest: string;
  /** What was sent and what was deleted, as it is called in the transfer; empty for a comparison of everything. */
  paths: string[];
  deleted: string[];
}

/** How a tree is to be mirrored. */
export interface WatchSettings extends Pick<RunOptions, 'options' | 'password'> {
  /** Ends the mirror without sending what is pending. `watch` rejects with an RsyncError of exit code 20 if it has not resolved. */
  signal?: AbortSignal;
  /** Milliseconds that the first of several changes waits for more; 2 unless given. */
  settleMs?: number;
  /** How changes are found; 'auto' unless given. */
  watchVia?: MirrorSpec['watchVia'];
  /** Changes of state, and what a user should know. */
  onLog?(kind: 'info' | 'warning' | 'error', text: string): void;
  /** Each session that has come to an end, one that failed included. */
  onBatch?(batch: WatchBatch): void;
}

/** A mirror that runs. */
export interface Watching {
  /** What is known of it and of each destination now. */
  status(): MirrorStatus;
  /** Compares everything once more. */
  resync(): void;
  /** Changes gather until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends it; with `drain` (the default) after everything that is pending. Returns the number of changes left. */
  close(drain?: boolean): Promise<number>;
}

/**
 * Copies local files to one or several destinations, and then each change as it happens. Resolves when every destination
 * is equal once, or is being tried again (see `status`). Rejects with RsyncError when trying again would not help, such
 * as for a wrong password.
 */
export async function watch(
  sources: string | readonly string[],
  dest: string | readonly string[],
  settings: WatchSettings = {},
): Promise<Watching> {
  const from = typeof sources === 'string' ? [sources] : sources;
  const dests = typeof dest === 'string' ? [dest] : dest;
  const { options = [], password, signal, onLog, onBatch, settleMs, watchVia } = settings;
  if (signal?.aborted) throw abortError(signal);
  const spec: MirrorSpec = {
    ...MIRROR_DEFAULTS,
    name: 'watch',
    sources: from.map(toBytes),
    targets: dests.map((to) => ({
      name: to,
      options: options.map(toBytes),
      dest: toBytes(to),
      password: password === undefined ? null : toBytes(password),
      maxSessions: 1,
    })),
    wanted: wantedChanges(parseRun([...from, dests[0]], { options })),
    ...(settleMs === undefined ? {} : { settleMs }),
    ...(watchVia === undefined ? {} : { watchVia }),
  };
  const mirror = createMirror(spec, {
    log: (kind, text) => onLog?.(kind, text),
    batchEnded: (batch) => onBatch?.(asText(batch)),
  });
  const onAbort = () => {
    mirror.abort();
    void mirror.stop(false);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  const results = await mirror.start();
  if (signal?.aborted) throw abortError(signal);
  const lasting = results.find((result) => result.lasting);
  if (lasting !== undefined) {
    signal?.removeEventListener('abort', onAbort);
    await mirror.stop(false);
    throw lasting.error;
  }
  return {
    status: () => mirror.status(),
    resync: () => mirror.resync(),
    pause: () => mirror.pause(),
    resume: () => mirror.resume(),
    close(drain = true) {
      signal?.removeEventListener('abort', onAbort);
      return mirror.stop(drain);
    },
  };
}

function asText({ mirror: _, target, paths, deleted, ...rest }: Batch): WatchBatch {
  return { ...rest, dest: target, paths: paths.map(toText), deleted: deleted.map(toText) };
}
