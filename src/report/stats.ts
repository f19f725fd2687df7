import type { Options } from '../../protocol/options.js';
import type { Log } from './log.js';
import { commaNumber, humanNumber } from './numbers.js';

/** Numbers of files by kind; `total` counts all of them. */
export interface FileCounts {
  total: number;
  reg: number;
  dir: number;
  link: number;
  dev: number;
  special: number;
}

/** What one run counted. Sizes are bytes, times milliseconds; sent and received are as this side sees them. */
export interface RunStats {
  sent: number;
  received: number;
  /** Sizes of all regular files and symlinks of the list. */
  totalSize: number;
  files: FileCounts;
  created: FileCounts;
  deleted: FileCounts;
  transferredFiles: number;
  transferredSize: number;
  literal: number;
  matched: number;
  listSize: number;
  /** 0 means not known: the two lines about the list's times are left out. */
  listBuildMs: number;
  listTransferMs: number;
  elapsedMs: number;
}

/** What stands behind the speedup. */
export type RunKind = 'real' | 'dry run' | 'batch only';

function countsLine(title: string, counts: FileCounts, level: number): string {
  const { total, dir, link, dev, special } = counts;
  const kinds: [string, number][] = [
    ['reg', total - dir - link - dev - special],
    ['dir', dir],
    ['link', link],
    ['dev', dev],
    ['special', special],
  ];
  const shown = kinds.filter(([, n]) => n !== 0).map(([kind, n]) => `${kind}: ${commaNumber(n, level)}`);
  const detail = total === 0 ? '' : ` (${shown.join(', ')})`;
  return `${title}: ${commaNumber(total, level)}${detail}\n`;
}

/** The lines of --stats, the blank one in front included. */
export function statsLines(s: RunStats, o: Options, protocol: number): string[] {
  const level = o.humanReadable;
  const human = (n: number) => humanNumber(n, level);
  const seconds = (ms: number) => commaNumber(ms / 1000, level, 3);
  const lines = ['\n', countsLine('Number of files', s.files, level)];
  if (protocol >= 29) lines.push(countsLine('Number of created files', s.created, level));
  if (protocol >= 31) lines.push(countsLine('Number of deleted files', s.deleted, level));
  lines.push(
    `Number of regular files transferred: ${commaNumber(s.transferredFiles, level)}\n`,
    `Total file size: ${human(s.totalSize)} bytes\n`,
    `Total transferred file size: ${human(s.transferredSize)} bytes\n`,
    `Literal data: ${human(s.literal)} bytes\n`,
    `Matched data: ${human(s.matched)} bytes\n`,
    `File list size: ${human(s.listSize)}\n`,
  );
  if (s.listBuildMs > 0) {
    lines.push(
      `File list generation time: ${seconds(Math.trunc(s.listBuildMs))} seconds\n`,
      `File list transfer time: ${seconds(Math.trunc(s.listTransferMs))} seconds\n`,
    );
  }
  lines.push(`Total bytes sent: ${human(s.sent)}\n`, `Total bytes received: ${human(s.received)}\n`);
  return lines;
}

/** The closing lines, the blank one in front included. */
export function summaryLines(s: RunStats, o: Options, kind: RunKind): string[] {
  const level = o.humanReadable;
  const traffic = s.sent + s.received;
  // Whole seconds and half a one: rates of short runs are the same on every machine.
  const rate = traffic / (0.5 + Math.floor(s.elapsedMs / 1000));
  const mark = kind === 'dry run' ? ' (DRY RUN)' : kind === 'batch only' ? ' (BATCH ONLY)' : '';
  return [
    '\n',
    `sent ${humanNumber(s.sent, level)} bytes  received ${humanNumber(s.received, level)} bytes  ` +
      `${humanNumber(rate, level, 2)} bytes/sec\n`,
    `total size is ${humanNumber(s.totalSize, level)}  speedup is ${commaNumber(s.totalSize / traffic, level, 2)}${mark}\n`,
  ];
}

/** Prints what the options want to be told at the end of a run (--info=stats1 and stats2). */
export function writeSummary(
  log: Log,
  s: RunStats,
  o: Options,
  protocol: number,
  kind: RunKind = o.dryRun ? 'dry run' : 'real',
): void {
  const level = o.info.stats ?? 0;
  const lines = level >= 2 ? statsLines(s, o, protocol) : [];
  if (level >= 1) lines.push(...summaryLines(s, o, kind));
  // The blank lines are for the terminal only, a log file does not get them.
  for (const line of lines) line === '\n' ? log.client(line) : log.info(line);
}

/** The line that ends a run in a log file, the client's or the daemon's. */
export function logTotals(s: RunStats): string {
  return `sent ${s.sent} bytes  received ${s.received} bytes  total size ${s.totalSize}\n`;
}
