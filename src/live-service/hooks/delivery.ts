import type { ByteString } from '../../../protocol/options.js';
import type { Batch } from '../../live/types.js';
import type { HookConfig } from '../config/types.js';

/** What one hook is told of one batch: only the paths that it is meant for. */
export type Delivery = Batch;

/** Carries a delivery out. Rejects with an Error whose message says what failed; `signal` ends it early. */
export type Deliver = (delivery: Delivery, signal: AbortSignal) => Promise<void>;

/** The part of a batch that a hook is meant for, or null when there is none. */
export function deliveryFor(hook: HookConfig, batch: Batch): Delivery | null {
  const succeeded = batch.exitCode === 0;
  if (hook.on !== 'always' && (hook.on === 'success') !== succeeded) return null;
  if (hook.targets.length > 0 && !hook.targets.includes(batch.target)) return null;
  const fits = (path: ByteString) =>
    (hook.match.length === 0 || hook.match.some((pattern) => pattern.matches(path))) &&
    !hook.skip.some((pattern) => pattern.matches(path));
  const paths = batch.paths.filter(fits);
  const deleted = hook.deletions ? batch.deleted.filter(fits) : [];
  // A comparison of everything names no paths: it concerns hooks that ask for none in particular.
  const concernsAll = (batch.full || !succeeded) && hook.match.length === 0;
  if (paths.length === 0 && deleted.length === 0 && !concernsAll) return null;
  return { ...batch, paths, deleted };
}
