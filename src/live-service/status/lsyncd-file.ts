import { renameSync, rmSync, writeFileSync } from 'node:fs';
import type { ByteString } from '../../../protocol/options.js';
import type { ServiceStatus, SyncStatus } from './types.js';

/** The state in the form of lsyncd's statusFile, for the scripts that read that. */
function statusFileText(status: ServiceStatus): string {
  const watches = status.syncs.reduce((sum, sync) => sum + sync.watches, 0);
  return [
    `Lsyncd status report at ${new Date(status.now).toString()}\n`,
    ...status.syncs.flatMap(syncLines),
    `Inotify watching ${watches} directories\n`,
  ].join('\n');
}

function syncLines(sync: SyncStatus): string[] {
  const pending = Math.max(0, ...sync.targets.map((target) => target.pending));
  return [
    `${sync.name} source=${sync.sources.join(' ')}`,
    `There are ${pending} delays`,
    ...sync.targets.map((target) => {
      const lag = `${(target.lagMs / 1000).toFixed(1)} s behind`;
      const error = target.lastError !== null && target.attempts > 0 ? `, ${target.lastError.text.trim()}` : '';
      return `target ${target.name}: ${target.phase}, ${target.pending} pending, ${lag}${error}`;
    }),
    '',
  ];
}

/** Writes it whole: a reader never sees half of it. Throws an errno error. */
export function writeStatusFile(path: ByteString, status: ServiceStatus): void {
  const fresh = Buffer.from(`${path}.new`, 'latin1');
  // Made anew, so that nobody can have put a link to another file there.
  rmSync(fresh, { force: true });
  writeFileSync(fresh, statusFileText(status), { mode: 0o644, flag: 'wx' });
  renameSync(fresh, Buffer.from(path, 'latin1'));
}
