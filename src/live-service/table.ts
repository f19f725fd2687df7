import type { ServiceStatus, SyncStatus } from './status/types.js';

/** `83 s` as `1m23s`; short enough for a column. */
function ageText(ms: number): string {
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(1)}s`;
  if (s < 60) return `${Math.round(s)}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${String(Math.floor(s % 60)).padStart(2, '0')}s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h${String(Math.floor((s % 3600) / 60)).padStart(2, '0')}m`;
  return `${Math.floor(s / 86_400)}d${String(Math.floor((s % 86_400) / 3600)).padStart(2, '0')}h`;
}

function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes}`;
  const units = ['K', 'M', 'G', 'T', 'P'];
  let n = bytes;
  let unit = '';
  for (let i = 0; n >= 1000 && i < units.length; i++) {
    n /= 1000;
    unit = units[i];
  }
  return `${n < 10 ? n.toFixed(1) : Math.round(n)}${unit}`;
}

const HEAD = ['SYNC', 'TARGET', 'STATE', 'LAG', 'PENDING', 'FILES', 'SENT', 'LAST SUCCESS'];

/** The state as a table for people, and below it what is wrong. */
export function statusTable(status: ServiceStatus): string {
  const rows = status.syncs.flatMap((sync) =>
    sync.targets.map((t) => [
      sync.name,
      t.name,
      t.phase +
        (t.nextAttempt === null || t.phase !== 'waiting to retry' ? '' : ` (${untilText(t.nextAttempt, status)})`),
      t.lagMs === 0 ? '-' : ageText(t.lagMs),
      t.fullOwed ? 'all' : String(t.pending),
      String(t.files),
      sizeText(t.sentBytes),
      t.lastSuccess === null ? 'never' : `${ageText(status.now - t.lastSuccess)} ago`,
    ]),
  );
  const widths = HEAD.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (row: readonly string[]) =>
    `${row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd()}\n`;
  return [line(HEAD), ...rows.map(line), ...status.syncs.flatMap((sync) => troubleLines(sync))].join('');
}

function untilText(time: number, status: ServiceStatus): string {
  return `in ${ageText(Math.max(0, time - status.now))}`;
}

function troubleLines(sync: SyncStatus): string[] {
  const lines = sync.problem === null ? [] : [`${sync.name}: ${sync.problem}\n`];
  for (const target of sync.targets) {
    const name = `${sync.name} ${target.name}`;
    if (target.guard !== null) lines.push(`${name}: ${target.guard}\n`);
    if (target.lastError !== null && target.attempts > 0) {
      lines.push(`${name}: ${target.lastError.text.trim()} (exit code ${target.lastError.exitCode})\n`);
    }
    for (const file of target.failing) lines.push(`${name}: ${file.path}: ${file.error}\n`);
  }
  for (const hook of sync.hooks) {
    if (hook.lastError !== null)
      lines.push(`${sync.name} hook ${hook.name}: ${hook.lastError} (${hook.queued} waiting)\n`);
  }
  return lines;
}
