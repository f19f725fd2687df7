import type { CommandOptions } from '../cli/options.js';
import { Change } from '../watch/changes.js';
import type { MirrorSpec } from './types.js';

/** Settings of a mirror that nobody has said anything about. */
export const MIRROR_DEFAULTS = {
  settleMs: 0,
  watchVia: 'auto',
  pollMs: 10_000,
  // A target that was down for hours is to be equal again seconds after it has come back.
  backOff: { firstMs: 1000, mostMs: 5000 },
  deleteGuard: { maxPercent: 100, fromEntries: 100 },
  maxPending: 100_000,
} satisfies Partial<MirrorSpec>;

/** The changes that matter under the options of a transfer. */
export function wantedChanges(o: CommandOptions): Change {
  const hasAttributes = o.perms || o.executability || o.owner || o.group || o.times || o.acls || o.xattrs > 0;
  const content = Change.WRITTEN | Change.MADE | Change.REMOVED | Change.MODIFIED;
  return hasAttributes ? content | Change.ATTRIBUTES : content;
}
